"""Present a job in lists and on its page: title, icon, progress, times. Pure.

The status texts come from the API.
"""

from collections.abc import Mapping
from typing import Any

from mimir.frontend import formatting

TYPES = {
    "pipeline_execution": "Pipeline",
    "ml_training": "Training",
    "ml_inference": "Prediction",
    "digital_twin_update": "Twin update",
}
_DOES = {  # what a job without a name is called; in braces, a parameter
    "pipeline_execution": "Pipeline {pipeline}",
    "ml_training": "Train {model} on {dataset}",
    "ml_inference": "Predict with {model} for {dataset}",
    "digital_twin_update": "Update {twin} from {dataset}",
}
ENDED = ("succeeded", "failed", "cancelled")
MARKS = {  # of a window's title, beside the icon of the same status
    "queued": "\u2026",
    "launching": "\u2191",
    "running": "\u25b6",
    "cancelling": "\u25a0",
    "succeeded": "\u2713",
    "failed": "\u2717",
    "cancelled": "\u2298",
    "retrying": "\u21bb",
}
Job = Mapping[str, Any]


def job_summary(job: Job) -> dict[str, Any]:
    """Present a job as a row of a list."""
    fraction = (job.get("progress") or {}).get("fraction")
    return {
        "id": job["id"],
        "title": job_title(job),
        "type": job["type"],
        "type_word": TYPES.get(job["type"], job["type"]),
        "status": job["status"],
        "word": job["status_label"],
        "shape": status_shape(job),
        "mark": MARKS.get(status_shape(job), ""),
        "why": job["status_text"],
        "percent": percent(job, fraction),
        "created_at": job["created_at"],
        "started_at": job["started_at"],
        "finished_at": job["finished_at"],
        "seconds": formatting.seconds_between(job["started_at"], job["finished_at"]),
        "by": job["created_by"] or "the system",
        "labels": sorted((job.get("labels") or {}).items()),
        "project": job["project"],
    }


def job_title(job: Job) -> str:
    """Name of the job, else a name made from its request."""
    if job["name"]:
        return str(job["name"])
    parameters = {
        name: value
        for name, value in (job.get("parameters") or {}).items()
        if isinstance(value, str)
    }
    try:
        return _DOES[str(job["type"])].format_map(parameters)
    except KeyError:  # a job type or request that this release does not know
        return TYPES.get(job["type"], str(job["type"]))


def status_shape(job: Job) -> str:
    """Status whose icon and colour are used: `retrying` for a job between two attempts."""
    return "retrying" if job["status"] == "queued" and job["attempt"] > 1 else str(job["status"])


def percent(job: Job, fraction: object) -> int | None:
    """Progress in percent, at most 99 before success; None if unknown."""
    if job["status"] not in ("running", "cancelling") or not isinstance(fraction, int | float):
        return None
    return min(99, max(0, int(fraction * 100)))


def empty_log(job: Job) -> str:
    """Text of the log panel while there is no line."""
    status = job["status"]
    if status == "queued":
        return "Waiting to start. Log lines appear here when a worker prints them."
    if status == "launching":
        return "The worker is starting. Log lines appear here when it prints them."
    if status == "running":
        now = str(
            (job.get("progress") or {}).get("message") or "The worker is loading its program"
        ).removesuffix(".")
        return f"{now}. It has not printed anything yet."
    return "No output."


def written_datasets(job: Job) -> list[dict[str, Any]]:
    """List the dataset versions in the result: {"name", "version"}."""
    rows = (job.get("result") or {}).get("datasets")
    return (
        [row for row in rows if isinstance(row, dict) and "name" in row and "version" in row]
        if isinstance(rows, list)
        else []
    )
