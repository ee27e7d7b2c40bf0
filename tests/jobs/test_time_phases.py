"""Phases of a job's time cover it exactly, and each has a recorded cause."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import EventKind, FailureReason, WorkStage
from jobs.queries.time_phases import (
    _STAGES,
    AttemptTimes,
    Cause,
    JobHistory,
    TimeEvent,
    time_phases,
)
from tests.support.time_cover import cover_fault

START = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)


def _at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def _event(
    seq: int,
    seconds: float,
    kind: EventKind,
    attempt: int = 1,
    *,
    worker: bool = False,
    **data: Any,
) -> TimeEvent:
    return TimeEvent(seq, _at(seconds), attempt, kind, worker, data)


def _history(
    events: list[TimeEvent], end: float, *attempts: AttemptTimes, **fields: Any
) -> JobHistory:
    by_number = {each.number: each for each in attempts}
    return JobHistory(START, _at(end), fields.pop("is_live", False), events, by_number, **fields)


def _attempt(
    number: int = 1,
    *,
    heartbeat: float | None = None,
    gone: float | None = None,
    has_reported: bool = True,
) -> AttemptTimes:
    return AttemptTimes(
        number,
        None if heartbeat is None else _at(heartbeat),
        None if gone is None else _at(gone),
        has_reported,
    )


def _rows(history: JobHistory) -> list[tuple[str, str, float]]:
    """Return (cause, detail, seconds) of each phase."""
    return [
        (each.cause.value, each.detail, each.duration.total_seconds())
        for each in time_phases(history)
    ]


BEGUN = [
    _event(1, 0, EventKind.SUBMITTED),
    _event(2, 5, EventKind.ADMITTED),
    _event(3, 6, EventKind.LAUNCHED),
    _event(4, 9, EventKind.CLAIMED),
]


def test_a_run_with_steps_is_divided_by_its_steps() -> None:
    events = [
        *BEGUN,
        _event(5, 10, EventKind.STEP_STARTED, worker=True, step="read", index=0, count=2),
        _event(6, 14, EventKind.STEP_SUCCEEDED, worker=True, step="read"),
        _event(7, 14, EventKind.STEP_STARTED, worker=True, step="train", index=1, count=2),
        _event(8, 20, EventKind.STEP_SUCCEEDED, worker=True, step="train"),
        _event(9, 20.999, EventKind.LOG_CLOSED, worker=True),
        _event(10, 21, EventKind.SUCCEEDED, worker=True),
    ]
    assert _rows(_history(events, 21, _attempt())) == [
        ("queued", "", 5.0),
        ("launching", "", 1.0),
        ("starting", "", 3.0),
        ("preparing", "", 1.0),
        ("step", "read", 4.0),
        ("step", "train", 6.0),
        ("finishing", "", 1.0),
    ]


def test_a_run_without_steps_is_divided_by_its_stages() -> None:
    events = [
        *BEGUN,
        _event(5, 10, EventKind.PROGRESS, worker=True, stage="importing"),
        _event(6, 12, EventKind.PROGRESS, worker=True, stage="training", message="x"),
        _event(7, 13, EventKind.PROGRESS, worker=True, message="training"),
        _event(8, 18, EventKind.PROGRESS, worker=True, stage="saving"),
        _event(9, 19, EventKind.SUCCEEDED, worker=True),
    ]
    assert _rows(_history(events, 19, _attempt()))[3:] == [
        ("preparing", "", 1.0),
        ("preparing", "importing", 2.0),
        ("running", "training", 6.0),
        ("saving", "saving", 1.0),
    ]


def test_a_worker_without_stages_runs_from_its_claim() -> None:
    events = [*BEGUN, _event(5, 19, EventKind.SUCCEEDED, worker=True)]
    assert _rows(_history(events, 19, _attempt()))[3:] == [("running", "", 10.0)]


def test_a_worker_that_has_reported_nothing_is_preparing() -> None:
    assert _rows(_history(BEGUN, 19, _attempt(has_reported=False), is_live=True))[3:] == [
        ("preparing", "", 10.0)
    ]


def test_between_two_attempts_are_the_delay_the_previous_worker_and_the_queue() -> None:
    events = [
        *BEGUN,
        _event(5, 20, EventKind.ATTEMPT_ENDED, not_before=_at(24).isoformat(), next_attempt=2),
        _event(6, 22, EventKind.LOG_CLOSED),
        _event(7, 40, EventKind.ADMITTED, 2),
    ]
    attempts = (_attempt(has_reported=False, gone=30),)
    phases = time_phases(_history(events, 41, *attempts, is_live=True))
    assert [(each.cause, each.duration.total_seconds(), each.attempt) for each in phases[4:]] == [
        (Cause.BACK_OFF, 4.0, 2),
        (Cause.PREVIOUS_ATTEMPT, 6.0, 2),
        (Cause.QUEUED, 10.0, 2),
        (Cause.LAUNCHING, 1.0, 2),
    ]


def test_a_worker_that_is_not_gone_delays_until_now() -> None:
    events = [*BEGUN, _event(5, 20, EventKind.ATTEMPT_ENDED, not_before=_at(24).isoformat())]
    rows = _rows(_history(events, 60, _attempt(has_reported=False), is_live=True))
    assert rows[4:] == [("back_off", "", 4.0), ("previous_attempt", "", 36.0)]


def test_a_retry_delay_that_is_not_over_lasts_until_now() -> None:
    events = [*BEGUN, _event(5, 20, EventKind.ATTEMPT_ENDED, not_before=_at(90).isoformat())]
    rows = _rows(_history(events, 60, _attempt(gone=25), is_live=True))
    assert rows[4:] == [("back_off", "", 40.0)]


def test_waits_of_a_launch_have_the_cause_that_the_cluster_reported() -> None:
    events = [
        *BEGUN[:3],
        _event(4, 8, EventKind.WAITS, category="unschedulable_memory"),
        _event(5, 20, EventKind.WAITS, category="image_pulling"),
        _event(6, 50, EventKind.WAITS, category="starting"),
        _event(7, 52, EventKind.CLAIMED),
        _event(8, 53, EventKind.FAILED, worker=True),
    ]
    assert _rows(_history(events, 53, _attempt(has_reported=False)))[2:] == [
        ("starting", "", 2.0),
        ("cluster", "unschedulable_memory", 12.0),
        ("image_pull", "", 30.0),
        ("starting", "", 2.0),
        ("preparing", "", 1.0),
    ]


def test_a_wait_for_the_storage_interrupts_a_step() -> None:
    events = [
        *BEGUN,
        _event(5, 10, EventKind.STEP_STARTED, worker=True, step="save"),
        _event(6, 12, EventKind.WAITS, category=FailureReason.STORAGE_UNAVAILABLE.value),
        _event(7, 15, EventKind.NOTICE, worker=True),
        _event(8, 32, EventKind.NOTICE),
        _event(9, 34, EventKind.SUCCEEDED, worker=True),
    ]
    assert _rows(_history(events, 34, _attempt()))[4:] == [
        ("step", "save", 2.0),
        ("storage", "", 20.0),
        ("step", "save", 2.0),
    ]


def test_a_lost_worker_was_silent_from_its_last_heartbeat() -> None:
    events = [
        *BEGUN,
        _event(5, 10, EventKind.STEP_STARTED, worker=True, step="load"),
        _event(6, 200, EventKind.FAILED),
    ]
    rows = _rows(_history(events, 200, _attempt(heartbeat=40)))
    assert rows[4:] == [("step", "load", 30.0), ("silent", "", 160.0)]


def test_a_running_worker_without_heartbeats_is_silent_until_now() -> None:
    events = [*BEGUN, _event(5, 10, EventKind.STEP_STARTED, worker=True, step="load")]
    live = _history(events, 100, _attempt(heartbeat=40), is_live=True)
    assert _rows(live)[4:] == [("step", "load", 30.0), ("silent", "", 60.0)]
    fresh = _history(events, 60, _attempt(heartbeat=40), is_live=True)
    assert _rows(fresh)[4:] == [("step", "load", 50.0)]


def test_a_worker_that_reports_its_end_late_was_not_silent() -> None:
    events = [
        *BEGUN,
        _event(5, 10, EventKind.STEP_STARTED, worker=True, step="load"),
        _event(6, 200, EventKind.SUCCEEDED, worker=True),
    ]
    assert _rows(_history(events, 200, _attempt(heartbeat=40)))[4:] == [("step", "load", 190.0)]


def test_an_interrupted_worker_waits_for_the_reason_of_its_cluster() -> None:
    events = [
        *BEGUN,
        _event(5, 10, EventKind.STEP_STARTED, worker=True, step="load"),
        _event(6, 20, EventKind.LOG_CLOSED, worker=True),
        _event(7, 100, EventKind.FAILED),
    ]
    rows = _rows(_history(events, 100, _attempt(heartbeat=19)))
    assert rows[4:] == [("step", "load", 10.0), ("worker_ended", "", 80.0)]


def test_a_cancelled_run_ends_with_the_time_of_its_cancellation() -> None:
    events = [
        *BEGUN,
        _event(5, 20, EventKind.CANCEL_REQUESTED),
        _event(6, 22, EventKind.STEP_STARTED, worker=True, step="late"),
        _event(7, 26, EventKind.CANCELLED),
    ]
    rows = _rows(_history(events, 26, _attempt(has_reported=False, heartbeat=25)))
    assert rows[3:] == [("preparing", "", 11.0), ("cancelling", "", 6.0)]


def test_events_of_a_worker_that_are_stored_late_keep_their_time() -> None:
    events = [
        *BEGUN,
        _event(5, 20, EventKind.CANCEL_REQUESTED),
        _event(6, 12, EventKind.STEP_STARTED, worker=True, step="read"),
        _event(7, 26, EventKind.CANCELLED),
    ]
    assert _rows(_history(events, 26, _attempt()))[3:] == [
        ("preparing", "", 3.0),
        ("step", "read", 8.0),
        ("cancelling", "", 6.0),
    ]


def test_clocks_of_two_processes_that_differ_reorder_nothing() -> None:
    events = [
        _event(1, 0, EventKind.SUBMITTED),
        _event(2, 5.5, EventKind.ADMITTED),
        _event(3, 5.2, EventKind.CLAIMED),
        _event(4, 5.1, EventKind.STEP_STARTED, worker=True, step="a"),
        _event(5, 9, EventKind.SUCCEEDED, worker=True),
    ]
    assert _rows(_history(events, 9, _attempt())) == [("queued", "", 5.5), ("step", "a", 3.5)]


def test_the_time_before_the_oldest_event_that_is_read_is_not_divided() -> None:
    events = [_event(900, 50, EventKind.ADMITTED, 31), _event(901, 60, EventKind.CLAIMED, 31)]
    history = _history(events, 70, _attempt(31), is_live=True, is_cut=True, cut_attempt=31)
    assert _rows(history) == [
        ("earlier", "", 50.0),
        ("launching", "", 10.0),
        ("running", "", 10.0),
    ]
    assert _rows(_history([], 70, is_cut=True)) == [("earlier", "", 70.0)]


def test_every_stage_has_a_cause() -> None:
    assert set(_STAGES) == set(WorkStage)


_SECONDS = st.floats(-50, 500).map(lambda seconds: round(seconds, 6))
_TIMES = st.one_of(
    st.none(), st.text(max_size=3), st.sampled_from(["2026-11-30T12:01:00+00:00", "2026-11-30"])
)
_DATA = st.fixed_dictionaries(
    {},
    optional={
        "step": st.one_of(st.text(max_size=3), st.integers(), st.none()),
        "index": st.one_of(st.integers(0, 3), st.text(max_size=1)),
        "count": st.integers(0, 3),
        "stage": st.sampled_from([*(stage.value for stage in WorkStage), "other", None]),
        "category": st.sampled_from(["storage_unavailable", "starting", "image_pulling", "x", 3]),
        "not_before": _TIMES,
    },
)
_EVENTS = st.lists(
    st.tuples(_SECONDS, st.sampled_from(list(EventKind)), st.integers(1, 3), st.booleans(), _DATA),
    max_size=25,
)
_ATTEMPTS = st.dictionaries(
    st.integers(1, 4), st.tuples(st.none() | _SECONDS, st.none() | _SECONDS, st.booleans())
)


@given(_EVENTS, _ATTEMPTS, _SECONDS, st.booleans(), st.booleans(), st.integers(0, 3))
def test_any_history_is_covered_without_gaps_or_overlaps(
    rows: Any, attempts: Any, end: float, is_live: bool, is_cut: bool, cut_attempt: int
) -> None:
    events = [
        TimeEvent(seq, _at(seconds), attempt, kind, by_worker, data)
        for seq, (seconds, kind, attempt, by_worker, data) in enumerate(rows, start=1)
    ]
    times = [
        _attempt(number, heartbeat=heartbeat, gone=gone, has_reported=has_reported)
        for number, (heartbeat, gone, has_reported) in attempts.items()
    ]
    history = _history(events, end, *times, is_live=is_live, is_cut=is_cut, cut_attempt=cut_attempt)
    assert cover_fault(time_phases(history), START, _at(end)) == ""


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_documented(cause: Cause) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "find-out-why-a-job-was-slow.md"
    assert f"`{cause}`" in page.read_text()
