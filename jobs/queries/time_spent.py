"""Time of a job by cause, read from its events and attempts."""

from jobs.contract import TERMINAL, EventKind
from jobs.lifecycle.storagewait import ACTOR as STORAGE_ACTOR
from jobs.models import Attempt, Job, JobEvent
from jobs.queries.shapes import JobTimeBody, TimePhaseBody
from jobs.queries.time_phases import (
    AttemptTimes,
    JobHistory,
    Phase,
    TimeEvent,
    time_by_cause,
    time_phases,
)
from mimir.lib.clock import utc_now

EVENTS_MAX = 2000  # for the orchestrator's events and for those of workers, separately
_KINDS = (
    EventKind.SUBMITTED,
    EventKind.ADMITTED,
    EventKind.LAUNCHED,
    EventKind.WAITS,
    EventKind.CLAIMED,
    EventKind.ATTEMPT_ENDED,
    EventKind.CANCEL_REQUESTED,
    EventKind.CANCELLED,
    EventKind.SUCCEEDED,
    EventKind.FAILED,
    EventKind.LOG_CLOSED,
)
_FIRST_KINDS = (EventKind.SUBMITTED, EventKind.ADMITTED)
_STEP_KINDS = (EventKind.STEP_STARTED, EventKind.STEP_SUCCEEDED, EventKind.STEP_FAILED)


def job_time(*, job: Job) -> JobTimeBody:
    """Return the phases of the job's time up to now, and the total of each cause."""
    history = job_history(job=job)
    phases = time_phases(history)
    start, end = history.start, max(history.start, history.end)
    return {
        "from": start.isoformat(),
        "to": end.isoformat(),
        "seconds": (end - start).total_seconds(),
        "is_live": history.is_live,
        "phases": [_phase_body(phase) for phase in phases],
        "causes": [
            {"cause": cause.value, "seconds": total.total_seconds()}
            for cause, total in time_by_cause(phases).items()
        ],
    }


def _phase_body(phase: Phase) -> TimePhaseBody:
    return {
        "cause": phase.cause.value,
        "from": phase.start.isoformat(),
        "to": phase.end.isoformat(),
        "seconds": phase.duration.total_seconds(),
        "attempt": phase.attempt,
        "detail": phase.detail,
    }


def job_history(*, job: Job) -> JobHistory:
    """Read the newest events that divide the job's time, with three queries.

    If the job ends after `job` was read, the history ends at the current time.
    """
    end = job.finished_at or utc_now()
    events, is_cut = _platform_events(job)
    work, work_is_cut = _work_events(job)
    first = events[0].attempt if events else 1
    return JobHistory(
        start=job.created_at,
        end=end,
        is_live=job.status not in TERMINAL,
        events=sorted([*events, *work], key=lambda event: event.seq),
        attempts=_attempts(job, first),
        is_cut=is_cut,
        cut_attempt=work[0].attempt if work and work_is_cut else 0,
    )


def _platform_events(job: Job) -> tuple[list[TimeEvent], bool]:
    """Return the orchestrator's events, and whether earlier ones exist.

    They begin with the submit or, if earlier ones exist, with an admission.
    """
    rows = JobEvent.objects.filter(job=job)
    own = rows.filter(kind__in=_KINDS) | rows.filter(kind=EventKind.NOTICE, actor=STORAGE_ACTOR)
    events = [_event(row) for row in own.order_by("-seq")[: EVENTS_MAX + 1]][::-1]
    if len(events) <= EVENTS_MAX:
        return events, False
    first = next((at for at, event in enumerate(events) if event.kind in _FIRST_KINDS), len(events))
    return events[first:], True


def _work_events(job: Job) -> tuple[list[TimeEvent], bool]:
    """Return the workers' events of steps and stages, and whether earlier ones exist."""
    rows = JobEvent.objects.filter(job=job)
    work = rows.filter(kind__in=_STEP_KINDS) | rows.filter(
        kind=EventKind.PROGRESS, data__has_key="stage"
    )
    events = [_event(row) for row in work.order_by("-seq")[: EVENTS_MAX + 1]][::-1]
    return events[-EVENTS_MAX:], len(events) > EVENTS_MAX


def _event(row: JobEvent) -> TimeEvent:
    return TimeEvent(
        seq=row.seq,
        at=row.at,
        attempt=row.attempt,
        kind=row.kind,
        by_worker=row.actor.startswith("worker:"),
        data=row.data,
    )


def _attempts(job: Job, first: int) -> dict[int, AttemptTimes]:
    rows = Attempt.objects.filter(job=job, number__gte=first).values_list(
        "number", "heartbeat_at", "gone_at", "event_n"
    )
    return {
        number: AttemptTimes(number, heartbeat_at, gone_at, event_n > 0)
        for number, heartbeat_at, gone_at, event_n in rows
    }
