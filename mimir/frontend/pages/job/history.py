"""History of a job from its events: steps, timeline with gaps, attempts, waiting rules. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from mimir.frontend import formatting
from mimir.frontend.api_types.job_shapes import Attempt, Event, Job, Waiting
from mimir.frontend.memory_advice import source_text
from mimir.frontend.pages.jobs.present import ENDED
from mimir.frontend.template_context import Context

_STEP_STATES = {
    "step.started": "running",
    "step.progress": "running",
    "step.succeeded": "succeeded",
    "step.failed": "failed",
    "step.skipped": "skipped",
}
_STEP_ENDS = ("step.succeeded", "step.failed", "step.skipped")
_QUIET = ("step.progress", "progress", "metric")  # too frequent to list; the page counts them
_SHOWN_MAX = 300
RULES = {
    "ready": "Ready",
    "back_off": "Retry delay is over",
    "previous_attempt": "Previous worker has stopped",
    "exclusive": "No other job updates the same twin",
    "jobs_global": "Concurrent jobs, all projects",
    "jobs_type": "Concurrent jobs of this type",
    "jobs_project": "Concurrent jobs of this project",
    "capacity": "Enough free capacity",
    "reserved": "No capacity reserved for a larger job",
    "cluster_starting": "The cluster can start one more worker",
    "never_fits": "Some cluster is large enough",
    "paused": "Starts are not paused",
    "project_paused": "Starts of this project are not paused",
    "project_archived": "The project is active",
    "cluster_unknown": "The requested cluster exists",
    "cluster_disabled": "A cluster is enabled",
    "cluster_unreachable": "A cluster is reachable",
    "dispatcher_away": "The dispatcher is running",
}
_ICONS = {
    "job.submitted": "clock",
    "job.admitted": "check",
    "job.launched": "bolt",
    "job.waits": "clock",
    "job.claimed": "key",
    "job.attempt_ended": "retrying",
    "job.cancel_requested": "cancelling",
    "job.cancelled": "cancelled",
    "job.succeeded": "succeeded",
    "job.failed": "failed",
    "job.worker_gone": "out",
    "job.log_closed": "file",
    "step.started": "right",
    "step.succeeded": "check",
    "step.failed": "failed",
    "step.skipped": "skipped",
    "notice": "info",
}
_LABELS = {
    "job.submitted": "Submitted",
    "job.admitted": "Admitted",
    "job.launched": "Worker created",
    "job.waits": "Worker waiting",
    "job.claimed": "Claimed",
    "job.attempt_ended": "Attempt ended, retrying",
    "job.cancel_requested": "Cancel requested",
    "job.cancelled": "Cancelled",
    "job.succeeded": "Succeeded",
    "job.failed": "Failed",
    "job.worker_gone": "Worker stopped, capacity released",
    "job.log_closed": "Log closed",
}


def steps_of(events: Iterable[Event], job: Job, order: Sequence[str] = ()) -> list[Context]:
    """State of each step of the current attempt: {"id", "status", "rows", "seconds", "message", …}.

    `order`: step IDs of the definition. A step without an event is `queued`, or `skipped` once the
    job has ended.
    """
    attempt = job["attempt"]
    steps: dict[str, dict[str, Any]] = {name: _step(name) for name in order}
    for event in events:
        state = _STEP_STATES.get(event["kind"])
        name = event["data"].get("step")
        if state is None or not isinstance(name, str) or event["attempt"] != attempt:
            continue
        step = steps.setdefault(name, _step(name))
        step["status"] = state
        if event["kind"] == "step.started":
            step["started_at"], step["ended_at"] = event["at"], None
        elif event["kind"] in _STEP_ENDS:
            step["ended_at"] = event["at"]
        for key in ("uses", "rows", "bytes", "seconds", "message", "fraction"):
            if event["data"].get(key) is not None:
                step[key] = event["data"][key]
    for step in steps.values():
        _close(step, str(job["status"]))
    return list(steps.values())


def _step(name: str) -> Context:
    empty: Context = dict.fromkeys(("rows", "seconds", "fraction", "started_at", "ended_at"))
    return {"id": name, "uses": "", "status": "queued", "message": "", **empty}


def _close(step: dict[str, Any], job_status: str) -> None:
    """Set the final status of a step of an ended job: a running or queued step has ended, too.

    If the job has not ended, set the step's progress in percent.
    """
    if job_status not in ENDED:
        step["percent"] = (
            int(100 * step["fraction"]) if isinstance(step["fraction"], int | float) else None
        )
        return
    if step["status"] == "running":
        step["status"] = (
            "cancelled"
            if job_status == "cancelled"
            else "failed"
            if job_status == "failed"
            else "succeeded"
        )
    elif step["status"] == "queued":
        step["status"] = "skipped"


def step_line(step: Mapping[str, Any]) -> str:
    """Second line of a step in the graph: rows and duration."""
    parts = []
    if isinstance(step["rows"], int):
        parts.append(f"{formatting.number(step['rows'])} rows")
    if isinstance(step["seconds"], int | float):
        parts.append(formatting.span(step["seconds"]))
    return " · ".join(parts)


def history(events: Sequence[Event], by: str = "") -> Context:
    """Build the timeline: {"rows", "quiet": number of hidden progress events, "cut": older rows}.

    The start of a step that has ended is hidden, too: the row of its end shows it. `by`: user who
    submitted the job.
    """
    rows: list[Context] = []
    before: object = None
    shown = [event for event in events if event["kind"] not in _QUIET]
    quiet = len(events) - len(shown)
    places = {
        _step_key(event): _place(event["data"])
        for event in shown
        if event["kind"] == "step.started"
    }
    ended = {_step_key(event) for event in shown if event["kind"] in _STEP_ENDS}
    shown = [
        event for event in shown if event["kind"] != "step.started" or _step_key(event) not in ended
    ]
    for event in shown:
        gap = formatting.seconds_between(before, event["at"])
        rows.append(
            {
                **_describe(event, by, places.get(_step_key(event), "")),
                "seq": event["seq"],
                "at": event["at"],
                "attempt": event["attempt"],
                "gap": "" if gap is None else f"+{formatting.span(gap)}",
            }
        )
        before = event["at"]
    return {
        "rows": rows[-_SHOWN_MAX:],
        "cut": max(0, len(rows) - _SHOWN_MAX),
        "quiet": quiet,
    }


def _step_key(event: Event) -> tuple[int, str]:
    return int(event["attempt"]), str(event["data"].get("step"))


def _place(data: Mapping[str, Any]) -> str:
    """Position of a step: `2 of 5`."""
    return (
        f"{data['index'] + 1} of {data['count']}"
        if isinstance(data.get("index"), int) and data.get("count")
        else ""
    )


def _describe(event: Event, by: str, place: str) -> Context:
    kind, data = str(event["kind"]), event["data"]
    label = _LABELS.get(kind, kind)
    detail = str(data.get("message") or "")
    if kind.startswith("step."):
        label, detail = _describe_step(kind, data)
        detail = ", ".join(part for part in (place, detail) if part)
    elif kind == "notice":
        label, detail = "Notice", detail
    elif kind == "job.launched":
        detail = "existing worker adopted" if data.get("adopted") else ""
    elif kind == "job.waits":
        label = "Worker starting" if data.get("category") == "starting" else label
        detail = str(data.get("summary") or "")
    elif kind == "job.worker_gone" and data.get("unseen"):
        label, detail = (
            "Worker considered lost, capacity released",
            f"{data.get('cluster') or 'its cluster'} does not answer",
        )
    elif kind in ("job.admitted", "job.claimed"):
        location = data.get("cluster") or data.get("host")
        detail = f"on {location}" if location else ""
    elif kind == "job.log_closed":
        whole = "complete" if data.get("complete") else "its last lines may be missing"
        detail = f"{formatting.size(data.get('end'))}, {whole}"
    elif kind == "job.attempt_ended" and data.get("next_attempt"):
        label = f"Attempt {event['attempt']} ended, {data['next_attempt']} follows"
    elif kind == "job.submitted":
        again = f"retry of {formatting.short_id(data['retry_of'])}" if data.get("retry_of") else ""
        source = source_text(data.get("recommended"))
        by_whom = f"by {by}" if by else ""
        detail = ", ".join(part for part in (by_whom, again, source, _memory_of_job(data)) if part)
    return {
        "icon": _ICONS.get(kind, "info"),
        "label": label,
        "detail": detail,
        "bad": kind in ("job.failed", "step.failed"),
        "kind": kind,
    }


def _memory_of_job(data: Mapping[str, Any]) -> str:
    """Text about raised memory that the job takes from an earlier run; empty without it."""
    if not data.get("memory_from_job"):
        return ""
    earlier = formatting.short_id(data["memory_from_job"])
    return f"with {formatting.memory(data.get('memory_bytes'))}, as in job {earlier}"


def _describe_step(kind: str, data: Mapping[str, Any]) -> tuple[str, str]:
    name = str(data.get("step") or "?")
    if kind == "step.started":
        return f"Step {name} started", ""
    if kind == "step.succeeded":
        rows = (
            f"{formatting.number(data['rows'])} rows" if isinstance(data.get("rows"), int) else ""
        )
        took = (
            f"took {formatting.span(data['seconds'])}"
            if isinstance(data.get("seconds"), int | float)
            else ""
        )
        return f"Step {name} done", ", ".join(part for part in (rows, took) if part)
    if kind == "step.skipped":
        return f"Step {name} skipped", ""
    return f"Step {name} failed", str(data.get("message") or "")


def attempts(rows: Iterable[Attempt], job: Job) -> list[Context]:
    """Present each attempt with its status and how it ended.

    "raised_from": the attempt before, if its end raised the memory of this one.
    """
    shown: list[Context] = []
    before: Attempt | None = None
    for row in rows:
        last = row["number"] == job["attempt"]
        running = last and job["status"] not in ENDED and row["ended_at"] is None
        ended = (
            "failed" if row["claimed_at"] else "retrying"
        )  # an attempt that never ran did not fail
        status = job["status"] if last and (running or job["status"] in ENDED) else ended
        shown.append(
            {
                **row,
                "status": status,
                "current": last,
                "ended": _ended(row),
                "raised_from": before if before and before.get("memory_raised_to_bytes") else None,
                "seconds": formatting.seconds_between(row["claimed_at"], row["ended_at"]),
                "start_seconds": formatting.seconds_between(row["created_at"], row["claimed_at"]),
            }
        )
        before = row
    return shown


class AttemptCounts(TypedDict):
    """Numbers of attempts.

    `counted`: those that count against the maximum, including one that has not ended.
    """

    counted: int
    others: int


def attempt_counts(tries: Sequence[Mapping[str, Any]], job: Job) -> AttemptCounts:
    """Count the attempts. Some, such as interrupted ones, do not count against the maximum."""
    made = max((one["number"] for one in tries), default=0)
    is_open = bool(tries) and tries[-1]["ended_at"] is None and job["status"] not in ENDED
    counted = job["attempts_used"] + is_open
    return {"counted": counted, "others": max(0, made - counted)}


def grouped(tries: Sequence[Mapping[str, Any]]) -> list[Context]:
    """Merge consecutive attempts that ended unclaimed for the same reason: "first" and "count"."""
    lines: list[Context] = []
    for one in tries:
        before = lines[-1] if lines else None
        alike = (
            before is not None
            and _idle(before)
            and _idle(one)
            and before["reason"] == one["reason"]
        )
        if before is not None and alike:
            lines[-1] = {**one, "first": before["first"], "count": before["count"] + 1}
        else:
            lines.append({**one, "first": one["number"], "count": 1})
    return lines


def _idle(one: Mapping[str, Any]) -> bool:
    """Whether the attempt ended before a worker claimed the job."""
    return not one["current"] and one["ended_at"] is not None and one["claimed_at"] is None


def _ended(row: Attempt) -> str:
    """Sentence about how the attempt ended; empty while it runs."""
    if row["ended_at"] is None:
        return ""
    if row.get("message"):
        return str(row["message"])
    if row.get("exit_signal"):
        return f"Ended by signal {row['exit_signal']}."
    reason = str(row.get("reason") or "")
    return f"Ended: {reason.replace('_', ' ')}." if reason else ""


def rules(waiting: Waiting) -> list[Context]:
    """List the admission rules of a waiting job, blocking ones first."""
    rows = [
        {
            **rule,
            "label": RULES.get(rule["rule"], rule["rule"]),
            "detail": str(rule.get("detail") or ""),
        }
        for rule in waiting.get("rules") or []
    ]
    return sorted(rows, key=lambda rule: bool(rule["passes"]))
