"""Status label and status sentence of a job, for API, sockets and pages. Pure.

Clients show these texts instead of building their own from the job's fields.
"""

import datetime as dt

from jobs.admission.shapes import WaitingBody
from jobs.contract import JobStatus
from jobs.queries.shapes import JobBody
from jobs.types.outcome import JobResult
from mimir.lib.formatting import duration_text

LABELS = {
    JobStatus.QUEUED: "Waiting",
    JobStatus.LAUNCHING: "Starting",
    JobStatus.RUNNING: "Running",
    JobStatus.CANCELLING: "Cancelling",
    JobStatus.SUCCEEDED: "Succeeded",
    JobStatus.FAILED: "Failed",
    JobStatus.CANCELLED: "Cancelled",
}
ENDED = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED)
DATASETS_NAMED = 3


def status_label(job: JobBody) -> str:
    """Return the label of the status, with the attempt number from the second attempt on."""
    status, attempt, most = job["status"], job["attempt"], job["max_attempts"]
    if status == JobStatus.QUEUED and attempt > 1:
        return f"Retrying, attempt {attempt}" + (f" of {most}" if attempt <= most else "")
    if status == JobStatus.SUCCEEDED and attempt > 1:
        return f"Succeeded on attempt {attempt}"
    return LABELS[JobStatus(status)]


def status_text(job: JobBody) -> str:
    """Return one sentence: progress, waiting reason, failure or result. Empty if none is known."""
    status = JobStatus(job["status"])
    if job["away"] and status not in ENDED:
        return str(job["away"]["detail"])
    summary = job["diagnosis"]["summary"] if job["diagnosis"] else ""
    message = job["message"]
    match status:
        case JobStatus.QUEUED:
            return _waiting_text(job["waiting"]) or message
        case JobStatus.LAUNCHING:
            return message or "The worker is starting."
        case JobStatus.RUNNING:
            return summary or job["progress"]["message"] or message
        case JobStatus.CANCELLING:
            return "Stopping. It is killed if it does not stop soon."
        case JobStatus.FAILED:
            return summary or message or job["reason"]
        case JobStatus.SUCCEEDED:
            return _output_text(job) or message or "Done. Nothing was written to the project."
        case JobStatus.CANCELLED:
            return f"{_cancelled_text(job)}. Nothing was written to the project."


def _waiting_text(waiting: WaitingBody | None) -> str:
    if waiting is None:
        return ""
    detail, estimate = waiting["detail"], waiting["estimate_seconds"]
    has_time = waiting["blocked_by"] == "back_off"  # the detail says when
    if not detail or has_time or estimate is None or estimate < 1:
        return detail
    return f"{detail} In about {_estimate_text(estimate)}."


def _estimate_text(seconds: float) -> str:
    """Format an estimate with one unit: it has no higher precision."""
    if seconds < 60:
        return f"{round(seconds)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.0f} h"


def _cancelled_text(job: JobBody) -> str:
    cancelled = job["message"].removesuffix(".") or "Cancelled"
    if not job["started_at"] or not job["finished_at"]:
        return f"{cancelled} before it started"
    lasted = _time(job["finished_at"]) - _time(job["started_at"])
    return f"{cancelled} after {duration_text(max(lasted.total_seconds(), 0))}"


def _time(at: str) -> dt.datetime:
    return dt.datetime.fromisoformat(at)


def _output_text(job: JobBody) -> str:
    """Return a sentence about the results of a succeeded job; empty if it has none."""
    result: JobResult = job["result"] or {}
    if "model" in result and "version" in result:
        return f"Created model {result['model']} v{result['version']}."
    if "twin" in result:
        return _twin_text(result)
    datasets = result.get("datasets") or []
    if not datasets:
        return ""
    names = [f"{row['name']} v{row['version']}" for row in datasets[:DATASETS_NAMED]]
    more = len(datasets) - DATASETS_NAMED
    others = f" and {more} more" if more > 0 else ""
    rows = f", {result['rows']:,} rows" if isinstance(result.get("rows"), int) else ""
    return f"Wrote {', '.join(names)}{others}{rows}."


def _twin_text(result: JobResult) -> str:
    numbers = {
        "new": result.get("created"),
        "changed": result.get("changed"),
        "removed": result.get("removed"),
    }
    counts = [f"{number:,} {name}" for name, number in numbers.items() if number]
    if not counts:
        return f"Twin {result['twin']} is unchanged: no values differ."
    return f"Created revision {result['revision']} of twin {result['twin']}: {', '.join(counts)}."
