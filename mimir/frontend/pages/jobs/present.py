"""Present a job in lists and on its page: status, reason, times. Pure.

`static/js/joblist.js` builds the same text for a job that changes while its list is open.
"""

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import Job, Waiting
from mimir.frontend.api_types.json_types import JsonObject
from mimir.frontend.job_types import derived_title, type_icon, type_title
from mimir.frontend.template_context import Context

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
        "word": status_word(job),
        "shape": status_shape(job),
        "mark": MARKS.get(status_shape(job), ""),
        "why": reason_text(job),
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


def status_word(job: Job) -> str:
    """Status label with the number of attempts; empty if the default label fits."""
    if job["status"] == "queued" and job["attempt"] > 1:
        return f"Retrying, attempt {job['attempt']}" + (
            f" of {job['max_attempts']}" if job["attempt"] <= job["max_attempts"] else ""
        )
    if job["status"] == "succeeded" and job["attempt"] > 1:
        return f"Succeeded on attempt {job['attempt']}"
    return ""


def status_shape(job: Job) -> str:
    """Status whose icon and colour are used: `retrying` for a job between two attempts."""
    return "retrying" if job["status"] == "queued" and job["attempt"] > 1 else str(job["status"])


def percent(job: Job, fraction: object) -> int | None:
    """Progress in percent, at most 99 before success; None if unknown."""
    if job["status"] not in ("running", "cancelling") or not isinstance(fraction, int | float):
        return None
    return min(99, max(0, int(fraction * 100)))


def reason_text(job: Job) -> str:
    """One sentence: progress, waiting reason, failure or result."""
    status = job["status"]
    if (away := job.get("away")) and status not in ENDED:
        return str(away["detail"])
    if status == "queued":
        return _waiting(job.get("waiting")) or str(job["message"])
    if status == "launching":
        return str(job["message"] or "The worker is starting.")
    if status == "running":
        return _diagnosis_text(job) or _progress_text(job) or job["message"]
    if status == "cancelling":
        return "Stopping. It is killed if it does not stop soon."
    if status == "failed":
        return _diagnosis_text(job) or job["message"] or job["reason"]
    if status == "succeeded":
        return (
            output_text(job) or str(job["message"]) or "Done. Nothing was written to the project."
        )
    return f"{cancelled(job)}. Nothing was written."


def _progress_text(job: Job) -> str:
    progress = job.get("progress")
    return progress["message"] if progress else ""


def _diagnosis_text(job: Job) -> str:
    """Summary of the diagnosis of a failed or blocked job; empty without one."""
    diagnosis = job.get("diagnosis")
    return diagnosis["summary"] if diagnosis else ""


def empty_log(job: Job) -> str:
    """Text of the log panel while there is no line."""
    status = job["status"]
    if status == "queued":
        return "Waiting to start. Log lines appear here when a worker prints them."
    if status == "launching":
        return "The worker is starting. Log lines appear here when it prints them."
    if status == "running":
        now = (_progress_text(job) or "The worker is loading its program").removesuffix(".")
        return f"{now}. It has not printed anything yet."
    return "No output."


def cancelled(job: Job) -> str:
    """Name the user who cancelled the job, and after how long."""
    who = str(job["message"]).removesuffix(".") or "Cancelled"
    seconds = formatting.seconds_between(job["started_at"], job["finished_at"])
    return (
        f"{who} before it started" if seconds is None else f"{who} after {formatting.span(seconds)}"
    )


def _waiting(waiting: Waiting | None) -> str:
    if waiting is None:
        return ""
    detail = str(waiting.get("detail") or "")
    estimate = waiting.get("estimate_seconds")
    has_time = waiting.get("blocked_by") == "back_off"  # its detail says when
    if detail and not has_time and isinstance(estimate, int | float) and estimate >= 1:
        return f"{detail} In about {formatting.about(estimate)}."
    return detail


def output_text(job: Job) -> str:
    """Sentence about the results of a succeeded job."""
    result = job.get("result") or {}
    if "model" in result and "version" in result:
        return f"Created model {result['model']} v{result['version']}."
    if "twin" in result:
        return _twin_text(result)
    datasets = written_datasets(job)
    if not datasets:
        return ""
    names = [f"{row['name']} v{row['version']}" for row in datasets[:3]]
    more = f" and {len(datasets) - 3} more" if len(datasets) > 3 else ""
    rows = f", {result['rows']:,} rows" if isinstance(result.get("rows"), int) else ""
    return f"Wrote {', '.join(names)}{more}{rows}."


def _twin_text(result: JsonObject) -> str:
    """Name the new revision and its number of changed entities."""
    counts = [
        (result.get("created"), "new"),
        (result.get("changed"), "changed"),
        (result.get("removed"), "removed"),
    ]
    counts_text = ", ".join(
        f"{count:,} {word}" for count, word in counts if isinstance(count, int) and count
    )
    if not counts_text:
        return f"Twin {result['twin']} is unchanged: no values differ."
    return f"Created revision {result.get('revision')} of twin {result['twin']}: {counts_text}."


def written_datasets(job: Job) -> list[Context]:
    """List the dataset versions in the result: {"name", "version"}."""
    rows = (job.get("result") or {}).get("datasets")
    return (
        [row for row in rows if isinstance(row, dict) and "name" in row and "version" in row]
        if isinstance(rows, list)
        else []
    )
