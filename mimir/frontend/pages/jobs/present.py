"""A job of the API as lists and its own page show it: words for its status, one sentence of why, times. Pure.

`static/js/joblist.js` says the same about a job that changed while its list is open.
"""

from collections.abc import Mapping
from typing import Any

from mimir.frontend import text
from mimir.frontend.job_types import derived_title, type_icon, type_title

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


def job_look(job: Job) -> dict[str, Any]:
    """What a row of a list shows of a job."""
    fraction = (job.get("progress") or {}).get("fraction")
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
        "why": why(job),
        "percent": percent(job, fraction),
        "created_at": job["created_at"],
        "started_at": job["started_at"],
        "finished_at": job["finished_at"],
        "seconds": text.seconds_between(job["started_at"], job["finished_at"]),
        "by": job["created_by"] or "the system",
        "labels": sorted((job.get("labels") or {}).items()),
        "project": job["project"],
    }


def job_title(job: Job) -> str:
    """Its name, or what it does."""
    if job["name"]:
        return str(job["name"])
    return derived_title(job["type"], job.get("parameters") or {})


def status_word(job: Job) -> str:
    """The word of its status, with the tries it took; empty where the status has a word of its own."""
    if job["status"] == "queued" and job["attempt"] > 1:
        return f"Retrying, attempt {job['attempt']}" + (
            f" of {job['max_attempts']}" if job["attempt"] <= job["max_attempts"] else ""
        )
    if job["status"] == "succeeded" and job["attempt"] > 1:
        return f"Succeeded, after {job['attempt']} tries"
    return ""


def status_shape(job: Job) -> str:
    """Whose icon and colour it has: a job that waits for another try does not look like one that never began."""
    return "retrying" if job["status"] == "queued" and job["attempt"] > 1 else str(job["status"])


def percent(job: Job, fraction: object) -> int | None:
    """How far it is, never 100 before it succeeded; None when nobody knows."""
    if job["status"] not in ("running", "cancelling") or not isinstance(fraction, int | float):
        return None
    return min(99, max(0, int(fraction * 100)))


def why(job: Job) -> str:
    """One sentence: where it is, what it waits for, why it failed, what it made."""
    status = job["status"]
    if (away := job.get("away")) and status not in ENDED:
        return str(away["detail"])
    if status == "queued":
        return _waiting(job.get("waiting") or {}) or str(job["message"])
    if status == "launching":
        return str(job["message"] or "The worker is starting.")
    if status == "running":
        return _waits(job) or str((job.get("progress") or {}).get("message") or job["message"])
    if status == "cancelling":
        return "Stopping. It is killed if it does not stop soon."
    if status == "failed":
        return str((job.get("diagnosis") or {}).get("summary") or job["message"] or job["reason"])
    if status == "succeeded":
        return made(job) or str(job["message"]) or "Done. It wrote nothing to the project."
    return f"{cancelled(job)}. Nothing was written."


def _waits(job: Job) -> str:
    """What keeps a running job from going on; empty when nothing does."""
    return str((job.get("diagnosis") or {}).get("summary") or "")


def empty_log(job: Job) -> str:
    """What the log panel says while there is no line."""
    status = job["status"]
    if status == "queued":
        return "Waiting to start. Log lines appear here when a worker prints them."
    if status == "launching":
        return "The worker is starting. Log lines appear here when it prints them."
    if status == "running":
        now = str(
            (job.get("progress") or {}).get("message")
            or "The worker runs and is loading its program"
        ).removesuffix(".")
        return f"{now}. It has not printed anything yet."
    return "No output."


def cancelled(job: Job) -> str:
    """Who cancelled it, and after how long."""
    who = str(job["message"]).removesuffix(".") or "Cancelled"
    seconds = text.seconds_between(job["started_at"], job["finished_at"])
    return f"{who} before it started" if seconds is None else f"{who} after {text.span(seconds)}"


def _waiting(waiting: Mapping[str, Any]) -> str:
    detail = str(waiting.get("detail") or "")
    estimate = waiting.get("estimate_seconds")
    told = waiting.get("blocked_by") == "back_off"  # its detail says when
    if detail and not told and isinstance(estimate, int | float) and estimate >= 1:
        return f"{detail} In about {text.about(estimate)}."
    return detail


def made(job: Job) -> str:
    """What a succeeded job wrote."""
    result = job.get("result") or {}
    if "model" in result and "version" in result:
        return f"Made model {result['model']} v{result['version']}."
    if "twin" in result:
        return _twin_made(result)
    datasets = datasets_made(job)
    if not datasets:
        return ""
    names = [f"{row['name']} v{row['version']}" for row in datasets[:3]]
    more = f" and {len(datasets) - 3} more" if len(datasets) > 3 else ""
    rows = f", {result['rows']:,} rows" if isinstance(result.get("rows"), int) else ""
    return f"Wrote {', '.join(names)}{more}{rows}."


def _twin_made(result: Job) -> str:
    """A revision with how many entities it touched, or that nothing differed."""
    counts = [
        (result.get("created"), "new"),
        (result.get("changed"), "changed"),
        (result.get("removed"), "removed"),
    ]
    told = ", ".join(
        f"{count:,} {word}" for count, word in counts if isinstance(count, int) and count
    )
    if not told:
        return f"Twin {result['twin']} is as it was: nothing differed."
    return f"Made revision {result.get('revision')} of twin {result['twin']}: {told}."


def datasets_made(job: Job) -> list[dict[str, Any]]:
    """{"name", "version"} of each dataset version in its result."""
    rows = (job.get("result") or {}).get("datasets")
    return (
        [row for row in rows if isinstance(row, dict) and "name" in row and "version" in row]
        if isinstance(rows, list)
        else []
    )
