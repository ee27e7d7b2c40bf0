"""Present a job in lists and on its page: title, icon, progress, times. Pure.

The status texts come from the API.
"""

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import CreatedDataset, Job
from mimir.frontend.job_types import derived_title, type_icon, type_title
from mimir.frontend.template_context import Context

ENDED = ("succeeded", "failed", "cancelled")
MARKS = {  # status characters for the window title
    "queued": "\u2026",
    "launching": "\u2191",
    "running": "\u25b6",
    "cancelling": "\u25a0",
    "succeeded": "\u2713",
    "failed": "\u2717",
    "cancelled": "\u2298",
    "retrying": "\u21bb",
}


def job_summary(job: Job) -> Context:
    """Present a job as a row of a list."""
    progress = job.get("progress")
    fraction = progress["fraction"] if progress else None
    return {
        "id": job["id"],
        "title": job_title(job),
        "type": job["type"],
        "icon": type_icon(job["type"]),
        "type_word": type_title(job["type"]),
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
    return derived_title(job["type"], job.get("parameters") or {})


def status_shape(job: Job) -> str:
    """Status whose icon and colour are used: `retrying` for a job between two attempts."""
    return "retrying" if job["status"] == "queued" and job["attempt"] > 1 else str(job["status"])


def percent(job: Job, fraction: object) -> int | None:
    """Progress in percent, at most 99; None if unknown or unless the job runs or is cancelling."""
    if job["status"] not in ("running", "cancelling") or not isinstance(fraction, int | float):
        return None
    return min(99, max(0, int(fraction * 100)))


def _progress_text(job: Job) -> str:
    progress = job.get("progress")
    return progress["message"] if progress else ""


def empty_log(job: Job) -> str:
    """Text of the log panel while there is no line."""
    status = job["status"]
    if status == "queued":
        return "Waiting to start. Log lines appear here when a worker prints them."
    if status == "launching":
        return "The worker is starting. Log lines appear here when it prints them."
    if status == "running":
        now = (_progress_text(job) or "The worker is loading its program").removesuffix(".")
        return f"{now}. No output yet."
    return "No output."


def written_datasets(job: Job) -> list[CreatedDataset]:
    """List the dataset versions in the result."""
    rows = (job.get("result") or {}).get("datasets")
    return (
        [row for row in rows if isinstance(row, dict) and "name" in row and "version" in row]
        if isinstance(rows, list)
        else []
    )
