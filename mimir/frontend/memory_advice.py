"""Present recommended limits: on the submit form, and on the page of a job. Pure.

During an update the API of the previous release answers without them.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import (
    Basis,
    DryRun,
    Job,
    Recommendation,
    Recommended,
    UsageSeries,
)
from mimir.frontend.template_context import Context

# Shares of the memory limit between which an ended job's page recommends nothing.
USED_LITTLE, USED_NEARLY_ALL = 0.5, 0.85


def source_text(recommended: object) -> str:
    """Describe limits from earlier runs: `memory 2 GiB: recommended from 12 runs`.

    `recommended`: this field of a job's resources or of its first event. For anything else, the
    text is empty.
    """
    if not isinstance(recommended, Mapping):
        return ""
    return f"{_limits_text(recommended)}: recommended from {_runs(recommended['runs'])}"


def _limits_text(recommended: Mapping[str, Any]) -> str:
    memory, cpu = recommended["memory"], recommended["cpu"]
    parts = [f"memory {formatting.limit(memory)}"] if memory else []
    return " and ".join([*parts, f"{cpu} CPU"] if cpu else parts)


def memory_text(basis: Basis) -> str:
    """Describe the measured memory: `8 of 8 runs used at most 1.2 GiB.`"""
    runs, short = basis["runs"], basis["out_of_memory_runs"]
    limit = formatting.memory(basis["out_of_memory_limit_bytes"])
    if short == runs:
        return f"{short} of {_runs(runs)} ran out of memory, the largest with {limit}."
    peak = formatting.memory(basis["memory_peak_bytes"])
    used = f"{runs - short} of {_runs(runs)} used at most {peak}"
    return f"{used}, {short} ran out of {limit}." if short else f"{used}."


def cpu_text(basis: Basis) -> str:
    """Describe the measured CPU use. A use at the limit could be higher with more CPU."""
    used = formatting.cores(basis["cpu_millicores"] or 0)
    text = f"{_runs(basis['cpu_runs'])} used at most {used} CPU for 95 % of their time"
    return f"{text}, which was the limit." if basis["cpu_at_limit"] else f"{text}."


def form_recommendation(answer: DryRun | None) -> Context | None:
    """Present the recommendation below the resources of the form; None without one.

    `automatic`: limits that the job gets without a value. `rows`: limits to fill in.
    """
    found = answer.get("recommendation") if answer else None
    if answer is None or found is None:
        return None
    applied = answer["resources"].get("recommended")
    rows = _rows(found)
    if applied is None and not rows:
        return None
    return {"automatic": _automatic(applied, found["basis"]) if applied else "", "rows": rows}


def _automatic(applied: Recommended, basis: Basis) -> str:
    measured = memory_text(basis) if applied["memory"] else cpu_text(basis)
    return f"Automatic: {_limits_text(applied)}. {measured}"


def _rows(found: Recommendation) -> list[Context]:
    rows = []
    memory, cpu = found["memory"], found["cpu"]
    if memory:
        button = f"Use {formatting.limit(memory)}"
        text = memory_text(found["basis"])
        rows.append({"text": text, "button": button, "field": "memory", "value": memory})
    if cpu:
        text = cpu_text(found["basis"])
        rows.append({"text": text, "button": f"Use {cpu} CPU", "field": "cpu", "value": cpu})
    return rows


def memory_advice(job: Job, series: UsageSeries, peak_bytes: int, form_path: str) -> Context | None:
    """Present the recommendation for an ended job that used little or nearly all of its memory.

    None without such a recommendation. `form_path`: path of the submit form. The URL opens it with
    the recommended limits.
    """
    found, limit = series.get("recommendation"), series["limit_bytes"]
    if found is None or found["memory"] is None or not limit:
        return None
    recommended, share = formatting.quantity(found["memory"]) or 0, peak_bytes / limit
    little = share < USED_LITTLE and recommended < limit
    if not little and not (share > USED_NEARLY_ALL and recommended > limit):
        return None
    resources = {"memory": found["memory"]}
    most = formatting.quantity(job["resources"].get("memory_max") or "")
    if most and most < recommended:  # `memory_max` must not be below `memory`
        resources["memory_max"] = found["memory"]
    patch = json.dumps({"resources": resources})
    return {
        "text": memory_text(found["basis"]),
        "label": f"Run again with {formatting.limit(found['memory'])}",
        "url": f"{form_path}?{urlencode({'from': job['id'], 'patch': patch})}",
    }


def used_value(given: str) -> tuple[str, str] | None:
    """Return field and value of a pressed `Use` button, such as `memory=1536Mi`."""
    name, separator, value = given.partition("=")
    if not separator or name not in ("memory", "cpu"):
        return None
    return f"resources.{name}", value


def _runs(count: int) -> str:
    return f"{formatting.number(count)} {'run' if count == 1 else 'runs'}"
