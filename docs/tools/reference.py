"""Generate the reference pages from the code: job types, steps, settings, metrics, reasons.

Each function returns the text of one page. Django must be set up before they are called.
"""

import json
from dataclasses import fields
from typing import Any

from docs.tools.markdown import code, table, text
from docs.tools.schemas import fields_table

_GENERATED = "*This page is generated from the code by `make docs`.*\n\n"


def job_types() -> str:
    """Parameters, priority and defaults of each job type."""
    from jobs.types.registry import SPECS
    from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS

    parts = [
        "# Job types\n\n" + _GENERATED,
        "A job is submitted with `POST /api/v1/projects/{slug}/jobs/` and the body "
        '`{"type": "…", "parameters": {…}}`. Versions of datasets, pipelines and models are '
        "fixed at submit time.\n\n",
    ]
    for spec in SPECS.values():
        parts += [
            f"## {spec.name}\n\n",
            f"{text(spec.title)}: {text(spec.summary)}.\n\n",
            f"Default priority: `{spec.default_priority.value}`.\n\n",
            fields_table(spec.parameters),
            "\n",
        ]
    parts.append("## Hyperparameters\n\nNames and meanings are those of scikit-learn.\n\n")
    for algorithm, schema in HYPERPARAMETERS.items():
        parts += [f"### {algorithm}\n\n", fields_table(schema), "\n"]
    return "".join(parts)


def pipeline_steps() -> str:
    """Options, example and tables of each type of pipeline step, from the registry."""
    from mimir.lib.schemas.steps import STEP_TYPES

    makes = {
        "step_table": "Makes one table with the name of the step.",
        "declared": "Makes the tables that it lists.",
        "nothing": "Makes no table.",
    }
    parts = [
        "# Pipeline steps\n\n" + _GENERATED,
        'A step is `{"id", "uses", "with", "needs"}`. `GET /api/v1/step-types/` has the same '
        "specifications as JSON Schema. A guide: [Write a pipeline](../how-to/write-a-pipeline.md)."
        "\n\n",
    ]
    for step in STEP_TYPES.values():
        example = {"id": "name", "uses": step.name, "with": step.example}
        parts += [
            f"## {step.name}\n\n{text(step.help)} {makes[step.makes.value]}\n\n",
            fields_table(step.fields),
            f"\n```json\n{json.dumps(example, ensure_ascii=False)}\n```\n\n",
        ]
    return "".join(parts)


def settings() -> str:
    """Every setting of `mimir/env`, by role."""
    from mimir.env import Env

    parts = [
        "# Settings\n\n" + _GENERATED,
        "A setting is read from the environment variable `NAME`, else from the file that "
        "`NAME_FILE` names (for secrets), else from the key `name` of the YAML file that "
        "`MIMIR_CONFIG` names (default `/app/config/config.yaml`). A process that starts with "
        "invalid settings ends with one message that lists every fault.\n\n",
    ]
    roles: dict[tuple[str, ...], list[Any]] = {}
    for setting in fields(Env):
        roles.setdefault(tuple(setting.metadata["roles"]), []).append(setting)
    titles = {
        ("orchestrator", "frontend"): "Orchestrator and frontend",
        ("orchestrator",): "Orchestrator",
        ("frontend",): "Frontend",
    }
    for role in sorted(roles, key=lambda each: -len(each)):
        rows = [
            (
                code(setting.name.upper()),
                _default(setting.name, setting.metadata["default"]),
                text(setting.metadata["doc"]),
            )
            for setting in roles[role]
        ]
        parts += [f"## {titles[role]}\n\n", table(("setting", "default", "meaning"), rows), "\n"]
    return "".join(parts)


def _default(name: str, default: str | None) -> str:
    if default is None:
        return "required"
    if "_bytes" in name and int(default) >= 1024 and int(default) % 1024 == 0:
        size, unit = int(default), 0
        while size % 1024 == 0 and unit < 4:
            size, unit = size // 1024, unit + 1
        return f"`{default}` ({size} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB')[unit]})"
    return code(default) or "empty"


def _request_metrics() -> list[tuple[str, str, str, str]]:
    """The metrics of each web process about its requests."""
    from jobs.api.heartbeats import SECONDS
    from mimir.api.lanes import REFUSED, RUNNING, WAITING

    metrics = (REFUSED, WAITING, RUNNING, SECONDS)
    families = [(each, family) for each in metrics for family in each.describe()]
    return [
        (
            code(family.name + ("_total" if family.type == "counter" else "")),
            family.type,
            " ".join(code(label) for label in metric._labelnames),
            text(family.documentation),
        )
        for metric, family in families
    ]


def metrics() -> str:
    """Mimir's own metrics of `/metrics`, with type, labels and meaning."""
    from jobs.models import Metric as Kind
    from monitoring.metrics import families
    from monitoring.selectors.metrics import Counted

    kind = "pipeline_execution"
    example = Counted(
        counted=[(each.value, kind, "succeeded", "1", 1, 1) for each in Kind],
        queued=[(kind, "normal", 1, 1.0)],
        live=[(kind, "running", 1)],
        workers=[("local", 1)],
        lag=[("local", 1.0)],
        beats=[("dispatcher", 1.0)],
    )
    rows = [
        ("`mimir_database_up`", "gauge", "", "1 if the database responded to this scrape."),
        *(
            (
                code(family.name + ("_total" if family.type == "counter" else "")),
                family.type,
                " ".join(
                    code(label)
                    for label in dict.fromkeys(
                        name for sample in family.samples for name in sample.labels
                    )
                ),
                text(family.documentation),
            )
            for family in families(example)
        ),
        ("`mimir_scrape_seconds`", "gauge", "", "Duration of the database queries of this scrape."),
        *_request_metrics(),
    ]
    return (
        "# Metrics\n\n"
        + _GENERATED
        + "`GET /metrics` on the orchestrator's port. How to scrape it, and two alerts: "
        "[Monitor an installation](../how-to/monitor.md).\n\n"
        + table(("metric", "type", "labels", "meaning"), rows)
    )


def failure_reasons() -> str:
    """Each failure reason with its origin, retry policy and remedy, from the registry."""
    from jobs.reasons import REASONS

    rows = [
        (code(name.value), reason.origin.value, reason.retry.value, text(reason.remedy))
        for name, reason in REASONS.items()
    ]
    return (
        "# Failure reasons\n\n"
        + _GENERATED
        + "The values of `reason` of a job and an attempt. Clients can match on them. What each "
        "retry policy means: [Retry](../explanation/jobs.md#retry).\n\n"
        + table(("reason", "origin", "retry", "what to do"), rows)
    )
