"""Present a project's summary: attention list, hourly bars, run bars. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import cast
from urllib.parse import quote, urlencode

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import Job
from mimir.frontend.api_types.project_shapes import (
    AttentionItem,
    HourCounts,
    Producer,
    ResultRow,
    Run,
)
from mimir.frontend.job_types import type_icon
from mimir.frontend.pages.job.result import thing_url
from mimir.frontend.pages.jobs.present import job_title
from mimir.frontend.template_context import Context

WIDTH, HEIGHT = 312, 92  # of the chart with a bar for each hour
_TOP, _FLOOR, _BAR = 14, 74, 9
_RUN_WIDTH, _RUN_STEP, _RUN_HEIGHT = 6, 9, 26
_ICONS = {"dataset": "dataset", "model": "model", "twin": "digital_twin_update"}
_TONES = {"succeeded": "ok", "failed": "failed", "cancelled": "stop"}


def attention_row(row: AttentionItem, slug: str) -> Context:
    """Present a failure with its best next step.

    `retry`: the button submits the same job again at once. `url`: the form with the change, or the
    page of the job.
    """
    job = cast(Job, row["job"])  # set for every item of kind `failed_job`, the only kind
    steps = row["next_steps"]
    best = steps[0] if steps else None
    patch = best["patch"] if best else None
    url = f"/jobs/{job['id']}/"
    if patch:
        url = f"/projects/{quote(slug, safe='')}/jobs/new/?{urlencode({'from': job['id'], 'patch': json.dumps(patch)})}"  # noqa: E501
    return {
        "id": job["id"],
        "title": job_title(job),
        "summary": row["summary"],
        "type": job["type"],
        "at": job["finished_at"] or job["created_at"],
        "retry": patch == {},
        "url": url,
        "label": best["label"] if best and patch is not None else "See why",
    }


def result_row(row: ResultRow, slug: str) -> Context:
    """Present a version or revision that a job created."""
    return {
        "icon": _ICONS.get(row["kind"], "file"),
        "name": row["name"],
        "url": thing_url(slug, row["kind"], row["name"], row["version"]),
        "tag": _tag(row),
        "kind": row["kind"],
        "job": row["job"],
        "at": row["at"],
    }


def _tag(row: ResultRow | Producer) -> str:
    return f"revision {row['version']:,}" if row["kind"] == "twin" else f"v{row['version']:,}"


def _count(hour: HourCounts, status: str) -> int:
    return {
        "succeeded": hour["succeeded"],
        "failed": hour["failed"],
        "cancelled": hour["cancelled"],
    }[status]


def hour_bars(hourly: Sequence[HourCounts]) -> Context:
    """Draw a bar for each hour: succeeded, cancelled and failed (with a cross); and the counts."""
    most = max([sum(_count(hour, name) for name in _TONES) for hour in hourly], default=0) or 1
    step = WIDTH / max(len(hourly), 1)
    bars, crosses = [], []
    for at, hour in enumerate(hourly):
        x, y = round(at * step, 1), float(_FLOOR)
        for name, tone in (("succeeded", "ok"), ("cancelled", "wait"), ("failed", "failed")):
            if not _count(hour, name):
                continue
            height = max(round(_count(hour, name) / most * (_FLOOR - _TOP), 1), 2.0)
            y = round(y - height, 1)
            bars.append({"x": x, "y": y, "height": height, "tone": tone})
        if hour["failed"]:
            crosses.append({"x": round(x + _BAR / 2, 1), "y": round(y - 5, 1)})
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "floor": _FLOOR,
        "bar": _BAR,
        "bars": bars,
        "crosses": crosses,
        "rows": [hour for hour in hourly if any(_count(hour, name) for name in _TONES)],
        "label": _describe_counts(
            {name: sum(_count(hour, name) for hour in hourly) for name in _TONES}
        )
        or "none",
    }


def _describe_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{formatting.number(count)} {word}" for word, count in counts.items() if count
    )


def producer_row(row: Producer, slug: str) -> Context:
    """Present the job series of a dataset, a model or a twin, with its last runs."""
    last = row["last"]
    return {
        "icon": type_icon(row["job_type"]),
        "title": f"Pipeline {row['title']}"
        if row["job_type"] == "pipeline_execution"
        else row["title"],
        "made_url": f"/jobs/{last[-1]['job']}/" if last else "",
        "name": row["name"],
        "url": thing_url(slug, row["kind"], row["name"], row["version"]),
        "tag": _tag(row),
        "runs": run_bars(last),
        "usual_seconds": row["usual_seconds"],
        "last_good_at": row["last_good_at"],
        "behind": bool(last) and last[-1]["status"] == "failed",
    }


def run_bars(last: Sequence[Run]) -> Context:
    """Draw a bar for each run, oldest first; the height is the duration.

    Failed has a cross, cancelled is hollow, an unfinished run is short.
    """
    longest = max([run["seconds"] or 0 for run in last], default=0) or 1
    counts: dict[str, int] = {}
    bars = []
    for at, run in enumerate(last):
        tone = _TONES.get(run["status"], "run")
        word = run["status"] if tone != "run" else "open"
        counts[word] = counts.get(word, 0) + 1
        height = 6 if tone == "run" else 8 + round((run["seconds"] or 0) / longest * 8)
        took = f", took {formatting.span(run['seconds'])}" if run["seconds"] is not None else ""
        x, y = at * _RUN_STEP, _RUN_HEIGHT - height
        bars.append(
            {
                "x": x,
                "y": y,
                "height": height,
                "tone": tone,
                "job": run["job"],
                "title": f"{word}{took}",
                "cross": (x + 1, y - 6),
            }
        )
    return {
        "width": max(len(last) * _RUN_STEP - (_RUN_STEP - _RUN_WIDTH), 1),
        "height": _RUN_HEIGHT,
        "bar": _RUN_WIDTH,
        "bars": bars,
        "label": _describe_runs(last, counts),
    }


def _describe_runs(last: Sequence[Run], counts: Mapping[str, int]) -> str:
    if len(last) < 2:
        return f"One run: {next(iter(counts))}" if last else "No run"
    if len(counts) == 1:
        return f"Last {len(last)} runs: all {next(iter(counts))}"
    return f"Last {len(last)} runs: {_describe_counts(counts)}; the last {last[-1]['status']}"
