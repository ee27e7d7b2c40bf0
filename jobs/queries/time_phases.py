"""Division of a job's time into phases with causes, from its events and attempts. Pure.

The phases cover the time from submit to end without gaps or overlaps, whatever the events contain.
A cause that is not recorded is not guessed: the time then belongs to the wider cause, such as
`queued` or `running`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jobs.contract import EventKind, FailureReason, WorkStage
from mimir.lib.json_types import Json

# Heartbeats come every 2 to 5 s, and a worker's request can hang for 30 s.
SILENT_AFTER = dt.timedelta(seconds=30)
DETAIL_MAX = 200


class Cause(StrEnum):
    """Cause of a phase. Stable: clients match on it."""

    EARLIER = "earlier"  # before the oldest event that is read
    QUEUED = "queued"  # in the queue; the rule that blocked it is not recorded over time
    BACK_OFF = "back_off"  # retry delay
    PREVIOUS_ATTEMPT = "previous_attempt"  # the previous attempt's worker was not gone yet
    LAUNCHING = "launching"  # admitted; the cluster has not confirmed the worker yet
    CLUSTER = "cluster"  # the cluster delayed the start; detail: the reason's category
    IMAGE_PULL = "image_pull"
    STARTING = "starting"  # the worker exists and has not claimed the job
    PREPARING = "preparing"  # the worker imports libraries and reads inputs; detail: the stage
    STEP = "step"  # detail: the step's id
    RUNNING = "running"  # outside steps; detail: the stage
    SAVING = "saving"  # the worker saves and uploads its results
    FINISHING = "finishing"  # after the last step: the rest of the log, and the report
    STORAGE = "storage"  # the artifact storage was not available
    SILENT = "silent"  # no heartbeat until the attempt was ended, or until now
    WORKER_ENDED = "worker_ended"  # the worker has reported; the cluster's reason is awaited
    CANCELLING = "cancelling"


_STAGES = {
    WorkStage.IMPORTING: Cause.PREPARING,
    WorkStage.READING: Cause.PREPARING,
    WorkStage.TRAINING: Cause.RUNNING,
    WorkStage.EVALUATING: Cause.RUNNING,
    WorkStage.PREDICTING: Cause.RUNNING,
    WorkStage.COMPARING: Cause.RUNNING,
    WorkStage.SAVING: Cause.SAVING,
}
_MOVES = frozenset(
    {
        EventKind.ADMITTED,
        EventKind.CLAIMED,
        EventKind.ATTEMPT_ENDED,
        EventKind.CANCEL_REQUESTED,
        EventKind.SUCCEEDED,
        EventKind.FAILED,
        EventKind.CANCELLED,
    }
)
WORK_KINDS = (
    EventKind.STEP_STARTED,
    EventKind.STEP_SUCCEEDED,
    EventKind.STEP_FAILED,
    EventKind.PROGRESS,
)


@dataclass(frozen=True, slots=True)
class TimeEvent:
    """Event that begins or ends a phase. `by_worker`: a worker caused it."""

    seq: int
    at: dt.datetime
    attempt: int
    kind: str
    by_worker: bool
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class AttemptTimes:
    """Times of an attempt. `has_reported`: its worker has sent events."""

    number: int
    heartbeat_at: dt.datetime | None
    gone_at: dt.datetime | None
    has_reported: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """Time with one cause. `detail` is a code or a step's id, `attempt` the current or next one."""

    cause: Cause
    start: dt.datetime
    end: dt.datetime
    attempt: int
    detail: str = ""

    @property
    def duration(self) -> dt.timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class JobHistory:
    """Rows that the division needs.

    `events` are in the order of `seq` and begin with a submit or an admission. `is_cut`: earlier
    events exist. `cut_attempt`: up to this attempt, events of workers are missing.
    """

    start: dt.datetime
    end: dt.datetime
    is_live: bool
    events: Sequence[TimeEvent]
    attempts: Mapping[int, AttemptTimes]
    is_cut: bool = False
    cut_attempt: int = 0


def time_phases(history: JobHistory) -> list[Phase]:
    """Return the phases in order. Together they are exactly the time from start to end."""
    division = _Division(history)
    for at, event in _ordered(history):
        division.apply(at, event)
    return division.phases()


def time_by_cause(phases: Iterable[Phase]) -> dict[Cause, dt.timedelta]:
    """Return the total time of each cause, in the order of `Cause`."""
    totals: dict[Cause, dt.timedelta] = {}
    for phase in phases:
        totals[phase.cause] = totals.get(phase.cause, dt.timedelta()) + phase.duration
    return {cause: totals[cause] for cause in Cause if cause in totals}


def _ordered(history: JobHistory) -> list[tuple[dt.datetime, TimeEvent]]:
    """Return the events in the order in which they happened, with corrected times.

    The orchestrator's events happened in the order of `seq`, although clocks of its processes
    differ. A worker's events can be stored late; they have the time of the worker's clock.
    """
    last = history.start
    claimed: dict[int, dt.datetime] = {}
    placed = []
    for event in history.events:
        if event.kind in WORK_KINDS:
            at = max(event.at, claimed.get(event.attempt, history.start))
        else:
            at = last = max(event.at, last)
            if event.kind == EventKind.CLAIMED:
                claimed[event.attempt] = at
        placed.append((at, event))
    return sorted(placed, key=lambda each: (each[0], each[1].seq))


class _State(StrEnum):
    QUEUED = "queued"
    LAUNCHING = "launching"
    RUNNING = "running"
    CANCELLING = "cancelling"
    ENDED = "ended"


class _Division:
    """State machine that turns events into marks. A mark begins a cause; the next one ends it."""

    def __init__(self, history: JobHistory) -> None:
        self._history = history
        self._end = max(history.start, history.end)
        first = history.events[0].attempt if history.events else 1
        cause = Cause.EARLIER if history.is_cut else Cause.QUEUED
        self._state, self._attempt = _State.QUEUED, first
        self._marks: list[tuple[dt.datetime, Cause, int, str]] = [(history.start, cause, first, "")]
        self._pending: list[tuple[dt.datetime, Cause]] = []
        self._claimed = 0  # index of the mark of the current claim
        self._work: tuple[Cause, str] = (Cause.RUNNING, "")
        self._is_last_step = self._waits_storage = False
        self._working = {each.attempt for each in history.events if _is_work(each)}

    def apply(self, at: dt.datetime, event: TimeEvent) -> None:
        """Continue with the next event."""
        if event.kind in WORK_KINDS:
            if self._state is _State.RUNNING and event.attempt == self._attempt:
                self._apply_work(at, event)
            return
        if self._state is _State.ENDED:
            return
        self._flush(at)
        if event.kind in _MOVES:
            self._pending = []
        if event.kind == EventKind.SUBMITTED and self._state is _State.QUEUED:
            self._mark(at, Cause.QUEUED)
        elif event.kind == EventKind.ADMITTED:
            self._state, self._attempt = _State.LAUNCHING, event.attempt
            self._mark(at, Cause.LAUNCHING)
        elif event.kind == EventKind.CLAIMED:
            self._claim(at, event.attempt)
        elif event.kind == EventKind.ATTEMPT_ENDED:
            self._leave_running(at, event)
            self._requeue(at, event)
        elif event.kind == EventKind.CANCEL_REQUESTED:
            self._leave_running(at, event)
            self._state = _State.CANCELLING
            self._mark(at, Cause.CANCELLING)
        elif event.kind in (EventKind.SUCCEEDED, EventKind.FAILED, EventKind.CANCELLED):
            self._leave_running(at, event)
            self._state = _State.ENDED
        elif event.attempt == self._attempt:
            self._apply_other(at, event)

    def phases(self) -> list[Phase]:
        """Return the phases up to the end."""
        self._flush(self._end)
        if self._state is _State.RUNNING and self._history.is_live:
            self._silence(self._end)
        phases: list[Phase] = []
        ends = [mark[0] for mark in self._marks[1:]] + [self._end]
        for (start, cause, attempt, detail), end in zip(self._marks, ends, strict=True):
            before = phases[-1] if phases else None
            if start == end:
                continue
            if before and (before.cause, before.attempt, before.detail) == (cause, attempt, detail):
                phases[-1] = Phase(cause, before.start, end, attempt, detail)
            else:
                phases.append(Phase(cause, start, end, attempt, detail))
        return phases

    def _mark(self, at: dt.datetime, cause: Cause, detail: str = "") -> None:
        at = min(max(at, self._marks[-1][0]), self._end)
        self._marks.append((at, cause, self._attempt, detail))

    def _flush(self, until: dt.datetime) -> None:
        """Add the pending marks of a queued job that are before `until`."""
        while self._pending and self._pending[0][0] < until:
            self._mark(*self._pending.pop(0))

    def _claim(self, at: dt.datetime, attempt: int) -> None:
        self._state, self._attempt = _State.RUNNING, attempt
        self._is_last_step = self._waits_storage = False
        times = self._history.attempts.get(attempt)
        # A worker of an earlier release reports neither steps nor stages of this job type.
        unknown = attempt not in self._working and times is not None and times.has_reported
        is_cut = attempt <= self._history.cut_attempt
        self._work = (Cause.RUNNING if unknown or is_cut else Cause.PREPARING, "")
        self._mark(at, *self._work)
        self._claimed = len(self._marks) - 1

    def _requeue(self, at: dt.datetime, event: TimeEvent) -> None:
        """Divide the wait for a retry: retry delay, end of the previous worker, then the queue."""
        times = self._history.attempts.get(event.attempt)
        self._state, self._attempt = _State.QUEUED, event.attempt + 1
        self._mark(at, Cause.BACK_OFF)
        over = _time(event.data.get("not_before")) or at
        if times is None:
            self._pending = [(over, Cause.QUEUED)]
            return
        self._pending = [(over, Cause.PREVIOUS_ATTEMPT)]
        if times.gone_at is not None:
            self._pending.append((max(over, times.gone_at), Cause.QUEUED))

    def _apply_other(self, at: dt.datetime, event: TimeEvent) -> None:
        """Apply an event of the current attempt that changes no status."""
        category = _text(event.data.get("category"))
        if self._state is _State.LAUNCHING and event.kind == EventKind.LAUNCHED:
            self._mark(at, Cause.STARTING)
        elif self._state is _State.LAUNCHING and event.kind == EventKind.WAITS:
            self._mark(at, *_START_CAUSES.get(category, (Cause.CLUSTER, category)))
        elif self._state is not _State.RUNNING:
            return
        elif event.kind == EventKind.WAITS and category == FailureReason.STORAGE_UNAVAILABLE:
            self._waits_storage = True
            self._mark(at, Cause.STORAGE)
        elif event.kind == EventKind.NOTICE and not event.by_worker and self._waits_storage:
            self._waits_storage = False
            self._mark(at, *self._work)
        elif event.kind == EventKind.LOG_CLOSED and event.by_worker:
            self._mark(at, Cause.WORKER_ENDED)

    def _apply_work(self, at: dt.datetime, event: TimeEvent) -> None:
        data = event.data
        if event.kind == EventKind.STEP_STARTED:
            index, count = data.get("index"), data.get("count")
            self._is_last_step = isinstance(index, int) and index + 1 == count
            self._work = (Cause.STEP, _text(data.get("step")))
        elif event.kind == EventKind.STEP_FAILED:
            self._work = (Cause.FINISHING, "")
        elif event.kind == EventKind.STEP_SUCCEEDED:
            self._work = (Cause.FINISHING if self._is_last_step else Cause.RUNNING, "")
        elif stage := _stage(event):
            self._work = (_STAGES[stage], stage.value)
        else:
            return
        if not self._waits_storage and self._marks[-1][1] is not Cause.WORKER_ENDED:
            self._mark(at, *self._work)

    def _leave_running(self, at: dt.datetime, event: TimeEvent) -> None:
        if self._state is _State.RUNNING and not event.by_worker:
            self._silence(at)
        elif event.by_worker and self._marks[-1][1] is Cause.WORKER_ENDED:
            self._marks.pop()  # one transaction closed the log and ended the attempt

    def _silence(self, at: dt.datetime) -> None:
        """Replace the marks since the last heartbeat if it is too old at `at`."""
        times = self._history.attempts.get(self._attempt)
        if times is None or times.heartbeat_at is None:
            return
        if at - times.heartbeat_at <= SILENT_AFTER or self._marks[-1][1] is Cause.WORKER_ENDED:
            return
        since = max(times.heartbeat_at, self._marks[self._claimed][0])
        while len(self._marks) - 1 > self._claimed and self._marks[-1][0] >= since:
            self._marks.pop()
        self._mark(since, Cause.SILENT)


_START_CAUSES = {
    FailureReason.STARTING.value: (Cause.STARTING, ""),
    FailureReason.IMAGE_PULLING.value: (Cause.IMAGE_PULL, ""),
}


def _is_work(event: TimeEvent) -> bool:
    return event.kind in WORK_KINDS and (
        event.kind != EventKind.PROGRESS or _stage(event) is not None
    )


def _stage(event: TimeEvent) -> WorkStage | None:
    try:
        return WorkStage(_text(event.data.get("stage")))
    except ValueError:
        return None  # no stage, or a stage of another release


def _text(value: Json) -> str:
    return value[:DETAIL_MAX] if isinstance(value, str) else ""


def _time(value: Json) -> dt.datetime | None:
    """Parse an ISO 8601 time with a time zone; return None for anything else."""
    try:
        at = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
