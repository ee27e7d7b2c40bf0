"""Results and request of a job, with links to versions and revisions. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import Job, JobResult
from mimir.frontend.job_types import parameter_schema, type_output, type_subject
from mimir.frontend.pages.jobs.present import written_datasets
from mimir.frontend.template_context import Context
from mimir.lib.json_values import is_number
from mimir.lib.schemas.metrics import METRICS

_SHOWN_ITEMS = 20
_PAGES = {"dataset": "datasets", "model": "models", "pipeline": "pipelines", "twin": "twins"}


def thing_url(slug: str, kind: str, name: str, version: object = None) -> str:
    """Page of a dataset, model or pipeline version, or of a twin revision."""
    base = f"/projects/{quote(slug, safe='')}/{_PAGES[kind]}/{quote(name, safe='')}/"
    if version is None:
        return base
    return f"{base}revisions/{version}/" if kind == "twin" else f"{base}?version={version}"


def outputs(job: Job) -> list[Context]:
    """List what the job wrote: {"icon", "name", "url", "description", "tag"}."""
    slug, result = str(job["project"]), job.get("result") or {}
    rows = [
        _output(
            "dataset",
            slug,
            row["name"],
            row["version"],
            f"dataset, version {row['version']}{_rows(result)}",
        )
        for row in written_datasets(job)
    ]
    if isinstance(result.get("model"), str) and result.get("version"):
        rows.append(
            _output(
                "model",
                slug,
                result["model"],
                result["version"],
                f"model, version {result['version']}",
            )
        )
    if isinstance(result.get("twin"), str):
        rows.append(_twin(slug, result))
    return rows


def _output(kind: str, slug: str, name: str, version: object, description: str) -> Context:
    return {
        "icon": kind,
        "name": name,
        "url": thing_url(slug, kind, name, version),
        "description": description,
        "tag": f"v{version}",
    }


def _rows(result: JobResult) -> str:
    return (
        f", {formatting.number(result['rows'])} rows" if isinstance(result.get("rows"), int) else ""
    )


def _twin(slug: str, result: JobResult) -> Context:
    """Present the twin revision with its changes; without changes, the twin itself."""
    counts = [
        (result.get("created"), "new"),
        (result.get("changed"), "changed"),
        (result.get("removed"), "removed"),
    ]
    description = ", ".join(
        f"{formatting.number(count)} {word}"
        for count, word in counts
        if isinstance(count, int) and count
    )
    return {
        "icon": "digital_twin_update",
        "name": result["twin"],
        "url": thing_url(
            slug, "twin", result["twin"], result.get("revision") if description else None
        ),
        "description": f"twin, entities: {description}" if description else "twin, no changes",
        "tag": f"revision {result['revision']}" if result.get("revision") is not None else "",
    }


def figures(job: Job) -> list[Context]:
    """List training metrics on held-out rows with the baseline's.

    Keys: {"title", "hint", "value", "baseline", "word"}.
    """
    result = job.get("result") or {}
    metrics, baseline = result.get("metrics"), result.get("baseline")
    if not isinstance(metrics, Mapping):
        return []
    before: Mapping[str, object] = baseline if isinstance(baseline, Mapping) else {}
    order = [name for name in METRICS if name in metrics] + sorted(
        name for name in metrics if name not in METRICS
    )
    return [_figure(name, metrics[name], before.get(name)) for name in order]


def _figure(name: str, value: Any, baseline: Any) -> Context:
    about = METRICS.get(name)
    both = is_number(value) and is_number(baseline)
    word = ""
    if about is not None and both and value != baseline:
        word = "better" if (value > baseline) == about.higher_is_better else "worse"
    return {
        "title": about.title if about else name,
        "hint": about.description if about else "",
        "value": _figure_text(value),
        "baseline": _figure_text(baseline),
        "word": word,
    }


def _figure_text(value: Any) -> str:
    return f"{value:,.4g}" if is_number(value) else ""


def request_rows(job: Job) -> list[Context]:
    """List parameters in schema order: {"title", "text", "url", "version"}.

    Names link to the version that was fixed at submit time.
    """
    slug, parameters = str(job["project"]), job.get("parameters") or {}
    properties = parameter_schema(job["type"])["properties"]
    fixed: dict[tuple[str, str], int | None] = {
        (one["kind"], one[one["kind"]]): one.get("version")
        for one in job.get("inputs") or []
        if one.get("kind") in _PAGES and one["kind"] in one
    }
    rows = []
    for name in [
        *(name for name in properties if name in parameters),
        *(name for name in parameters if name not in properties),
    ]:
        schema, value = properties.get(name, {}), parameters[name]
        kind = str(schema.get("format", ""))
        if kind == "version":
            continue  # shown with the name that it belongs to
        row = {
            "title": schema.get("title") or name,
            "text": _value(value),
            "url": "",
            "version": None,
        }
        if kind in _PAGES and isinstance(value, str):
            row |= {
                "url": thing_url(
                    slug, kind, value, fixed.get((kind, value)) if kind != "twin" else None
                ),
                "version": fixed.get((kind, value)),
            }
        rows.append(row)
    return rows


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        more = f" and {len(value) - _SHOWN_ITEMS} more" if len(value) > _SHOWN_ITEMS else ""
        return (", ".join(str(item) for item in value[:_SHOWN_ITEMS]) or "none") + more
    if isinstance(value, Mapping):
        shown = [
            (key, inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False))
            for key, inner in value.items()
        ]
        more = f" and {len(shown) - _SHOWN_ITEMS} more" if len(shown) > _SHOWN_ITEMS else ""
        return (
            ", ".join(f"{key} = {inner}" for key, inner in shown[:_SHOWN_ITEMS]) or "none"
        ) + more
    return json.dumps(value)


def input_rows(job: Job) -> list[Context]:
    """List input versions except the pipeline's: {"name", "version", "url", "kind"}."""
    slug = str(job["project"])
    return [
        {
            "name": one[one["kind"]],
            "version": one.get("version"),
            "kind": one["kind"],
            "url": thing_url(slug, one["kind"], one[one["kind"]], one.get("version")),
        }
        for one in job.get("inputs") or []
        if one.get("kind") in _PAGES and one["kind"] != "pipeline"
    ]


def subject(job: Job, output_rows: Sequence[Mapping[str, object]]) -> Context | None:
    """Present the main object of the job (pipeline, model or twin); None without one.

    `url` is empty while the job has not created the object.
    """
    kind = type_subject(job["type"])
    name = (job.get("parameters") or {}).get(kind) if kind else None
    if kind is None or not isinstance(name, str):
        return None
    version = next(
        (one.get("version") for one in job.get("inputs") or [] if one.get("kind") == kind), None
    )
    there = type_output(job["type"]) != (kind, kind) or bool(output_rows)
    return {
        "name": name,
        "version": version,
        "url": thing_url(str(job["project"]), kind, name, version) if there else "",
    }
