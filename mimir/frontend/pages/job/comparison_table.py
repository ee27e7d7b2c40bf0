"""Present the comparison of two jobs: differences by group, and equal values. Pure."""

import datetime as dt
import json
import re
from collections.abc import Sequence
from urllib.parse import urlencode

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import ComparedValue, Job, JobComparison
from mimir.frontend.job_types import parameter_schema
from mimir.frontend.pages.job.time_bar import phase_label
from mimir.frontend.pages.jobs.present import job_summary, job_title
from mimir.frontend.pages.shell import project_path
from mimir.frontend.template_context import Context
from mimir.lib.json_types import Json
from mimir.lib.json_values import is_number

ITEMS_SHOWN, TEXT_MAX = 20, 600
_ITEM = re.compile(r"(dataset|step)s\[(.+)\]\.(\w+)")
MINUS = "\u2212"
GROUPS = {
    "parameters": "Parameters",
    "inputs": "Input versions",
    "request": "Request",
    "run": "Run",
    "time": "Time",
    "result": "Result",
}
LABELS = {
    ("request", "resources.cpu"): "CPU limit",
    ("request", "resources.memory"): "Memory limit",
    ("request", "resources.memory_max"): "Retried with up to",
    ("request", "resources.gpu"): "GPUs",
    ("request", "timeout_seconds"): "Time limit",
    ("request", "max_attempts"): "Attempts at most",
    ("request", "priority"): "Priority",
    ("request", "cluster"): "Requested cluster",
    ("request", "region"): "Requested region",
    ("run", "status"): "Status",
    ("run", "reason"): "Failure reason",
    ("run", "created_by"): "Submitted by",
    ("run", "attempts"): "Workers launched",
    ("run", "cluster"): "Ran on cluster",
    ("run", "peak_memory_bytes"): "Peak memory",
    ("time", "total"): "Submit to end",
}

QUANTITIES = ("resources.memory", "resources.memory_max")  # texts such as 4Gi


def compare_url(slug: str, one: str, two: str) -> str:
    """Address of the comparison of two jobs."""
    return f"/{project_path(slug, 'jobs', 'compare')}?{urlencode({'a': one, 'b': two})}"


def compared(found: JobComparison) -> Context:
    """Present the rows: {"groups": [{"title", "rows"}], "equal", "differing", "truncated"}."""
    job_type = found["a"]["type"]
    groups = []
    for name, title in GROUPS.items():
        rows = [
            _row(one, job_type) for one in found["rows"] if one["group"] == name and one["differs"]
        ]
        if rows:
            groups.append({"title": title, "rows": rows})
    return {
        "groups": groups,
        "equal": [
            {**_row(one, job_type), "group": GROUPS.get(one["group"], one["group"])}
            for one in found["rows"]
            if not one["differs"]
        ],
        "differing": found["differing"],
        "truncated": found["truncated"],
    }


def columns(found: JobComparison) -> list[Context]:
    """Present both jobs for the head of the table."""
    return [job_summary(found["a"]), job_summary(found["b"])]


def options(listed: Sequence[Job], chosen: Sequence[Job], now: dt.datetime) -> list[Context]:
    """List the options of a select: the listed and the chosen jobs, newest first."""
    jobs = {job["id"]: job for job in [*listed, *chosen]}
    newest = sorted(jobs.values(), key=lambda job: (job["created_at"], job["id"]), reverse=True)
    return [{"id": job["id"], "text": _option_text(job, now)} for job in newest]


def _option_text(job: Job, now: dt.datetime) -> str:
    at = formatting.parsed(job["created_at"])
    when = formatting.ago(at, now) if at is not None else ""
    title = formatting.visible(job_title(job))[:60]
    return f"{title} · {job['status_label']} · {when} · {formatting.short_id(job['id'])}"


def _row(one: ComparedValue, job_type: str) -> Context:
    return {
        "title": _title(one, job_type),
        "absent": "none" if one["group"] in ("time", "result") else "not set",
        "cells": [
            _cell(one, one["a"]) if one["in_a"] else "",
            _cell(one, one["b"]) if one["in_b"] else "",
        ],
        "change": _change(one) if one["differs"] else "",
    }


def _cell(one: ComparedValue, value: Json) -> str:
    if value and one["path"] in QUANTITIES and one["group"] == "request":
        return formatting.limit(value)
    return _text(value, one["unit"])


def _title(one: ComparedValue, job_type: str) -> str:
    group, path = one["group"], one["path"]
    if label := LABELS.get((group, path)):
        return label
    if group == "time":
        cause, _, detail = path.partition("[")
        return phase_label(cause, detail.removesuffix("]"))
    if group == "parameters":
        name, dot, rest = path.partition(".")
        schema = parameter_schema(job_type)["properties"].get(name, {})
        return f"{schema.get('title') or name}{dot and ': '}{rest}"
    if group == "inputs":
        return path.removesuffix(".version") + (" version" if path.endswith(".version") else "")
    if item := _ITEM.fullmatch(path):
        return f"{item[1].capitalize()} {item[2]}: {item[3]}"
    return path


def _text(value: Json, unit: str) -> str:
    """Format a value; empty for null."""
    if value is None or value == "":
        return ""
    if unit == "seconds":
        return formatting.span(value)
    if unit == "bytes":
        return formatting.memory(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_number(value):
        return formatting.number(value)
    if isinstance(value, list):
        more = f" and {len(value) - ITEMS_SHOWN} more" if len(value) > ITEMS_SHOWN else ""
        return (", ".join(str(item) for item in value[:ITEMS_SHOWN]) or "none") + more
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{text[:TEXT_MAX]}…" if len(text) > TEXT_MAX else text


def _change(one: ComparedValue) -> str:
    """Difference of the second value from the first; empty without one."""
    first, second = one["a"], one["b"]
    if is_number(first) and is_number(second):
        gap = second - first
        amount = _text(abs(gap), one["unit"])
        share = f" ({abs(gap) / abs(first) * 100:.0f}\u00a0%)" if first else ""
        return f"{'+' if gap > 0 else MINUS}{amount}{share}"
    if isinstance(first, list) and isinstance(second, list):
        return _list_change(first, second)
    return ""


def _list_change(first: list[Json], second: list[Json]) -> str:
    removed = [str(item) for item in first if item not in second]
    added = [str(item) for item in second if item not in first]
    parts = []
    if added:
        parts.append(f"added: {_text([*added], '')}")
    if removed:
        parts.append(f"removed: {_text([*removed], '')}")
    return "; ".join(parts) or "another order"
