"""Launch timeout: time in which web or the node was slow does not count against a worker."""

import dataclasses
import datetime as dt

import pytest

from jobs.contract import FailureReason, JobStatus
from jobs.liveness.paused import Pause
from jobs.liveness.uptime import GAP_SECONDS, web_beat
from jobs.models import Attempt, Job, WebPause, WebUptime
from jobs.reconcile.decide import (
    CALLED_SECONDS,
    EXCUSED_SECONDS_MAX,
    Action,
    Verb,
    WorkerState,
    decide,
)
from mimir.lib.clock import utc_now
from tests.jobs.attempt_examples import (
    ALIVE,
    DEAD,
    LAUNCHED,
    NO_CAPACITY,
    TIMES,
    at,
)
from tests.support import make

NEVER_CALLED = WorkerState(
    alive=True,
    reason="never_claimed",
    message="The container runs and did not call.",
    placed_at=at(100),
    started_at=at(250),
)


def _decide(
    state: WorkerState | None = ALIVE,
    *,
    seconds: float,
    pauses: tuple[tuple[float, float], ...] = (),
    called_at: float | None = None,
) -> Action:
    row = dataclasses.replace(LAUNCHED, called_at=None if called_at is None else at(called_at))
    times = dataclasses.replace(
        TIMES, web_pauses=tuple(Pause(at(begin), at(end)) for begin, end in pauses)
    )
    return decide(row, state, now=at(seconds), times=times)


def test_time_in_which_web_served_no_claim_does_not_count() -> None:
    assert _decide(seconds=301).reason is FailureReason.LAUNCH_TIMEOUT
    assert _decide(seconds=301, pauses=((100, 120),)).verb is Verb.NOTHING
    late = _decide(seconds=321, pauses=((100, 120),))
    assert late.reason is FailureReason.LAUNCH_TIMEOUT
    assert late.text.endswith(
        "did not report within 300 s of its admission, not counting 20 s of overload."
    )


def test_pauses_that_overlap_count_once_and_earlier_ones_not_at_all() -> None:
    pauses = ((-50, 10), (5, 20), (15, 18))
    assert _decide(seconds=319, pauses=pauses).verb is Verb.NOTHING
    assert _decide(seconds=321, pauses=pauses).verb is Verb.END


def test_a_pause_without_end_prolongs_a_start_only_so_far() -> None:
    always = ((0.0, 10**6),)
    assert _decide(seconds=300 + EXCUSED_SECONDS_MAX - 1, pauses=always).verb is Verb.NOTHING
    assert _decide(seconds=300 + EXCUSED_SECONDS_MAX + 1, pauses=always).verb is Verb.END


def test_a_worker_that_calls_and_is_refused_is_not_ended() -> None:
    assert _decide(seconds=1000, called_at=1000 - CALLED_SECONDS).verb is Verb.NOTHING
    assert _decide(seconds=1000, called_at=999 - CALLED_SECONDS).verb is Verb.END


def test_time_without_a_cpu_does_not_count() -> None:
    starved = dataclasses.replace(ALIVE, starved_seconds=60.0)
    assert _decide(starved, seconds=359).verb is Verb.NOTHING
    assert _decide(starved, seconds=361).reason is FailureReason.LAUNCH_TIMEOUT


def test_a_container_has_the_whole_time_from_its_start() -> None:
    """Pulling the image and creating the sandbox took 250 s on a busy node."""
    assert _decide(NEVER_CALLED, seconds=549).verb is Verb.NOTHING
    ended = _decide(NEVER_CALLED, seconds=551)
    assert ended.reason is FailureReason.NEVER_CLAIMED
    assert ended.limit == "It did not report within 300 s of the start of its container."


@pytest.mark.parametrize("state", [DEAD, None])
def test_a_worker_that_is_gone_is_ended_at_once_whatever_web_did(
    state: WorkerState | None,
) -> None:
    ended = _decide(state, seconds=30, pauses=((0, 30),), called_at=29)
    assert ended.verb is Verb.END


def test_a_wait_for_capacity_is_not_prolonged_by_web() -> None:
    ended = _decide(NO_CAPACITY, seconds=301, pauses=((0, 300),))
    assert ended.reason is FailureReason.UNSCHEDULABLE_CPU


@pytest.mark.django_db(transaction=True)
class TestStored:
    """Launch timeout computed from stored rows, as in a pass of the reconciler."""

    def _late(self) -> Attempt:
        attempt = make.launched()
        began = utc_now() - dt.timedelta(seconds=320)
        Attempt.objects.filter(id=attempt.id).update(created_at=began, launched_at=began)
        return attempt

    def _status(self, attempt: Attempt) -> str:
        return str(Job.objects.get(id=attempt.job_id).status)

    def test_a_stored_pause_delays_the_end_and_a_shorter_one_does_not(self) -> None:
        attempt, now = self._late(), utc_now()
        pause = WebPause.objects.create(
            cause="overloaded",
            from_at=now - dt.timedelta(seconds=60),
            to_at=now - dt.timedelta(seconds=30),
        )
        make.reconcile()
        assert self._status(attempt) == JobStatus.LAUNCHING
        WebPause.objects.filter(id=pause.id).update(to_at=now - dt.timedelta(seconds=50))
        make.reconcile()
        assert self._status(attempt) == JobStatus.QUEUED
        attempt.refresh_from_db()
        assert attempt.reason == FailureReason.LAUNCH_TIMEOUT
        assert "not counting 10 s of overload" in attempt.message

    def test_a_refused_claim_delays_the_end(self) -> None:
        attempt = self._late()
        Attempt.objects.filter(id=attempt.id).update(called_at=utc_now())
        make.reconcile()
        assert self._status(attempt) == JobStatus.LAUNCHING

    def test_while_web_is_down_nobody_is_late(self) -> None:
        """No process has recorded the pause yet. The last heartbeat of web shows it."""
        attempt = self._late()
        web_beat()
        since = utc_now() - dt.timedelta(seconds=GAP_SECONDS + 30)
        WebUptime.objects.update(beat_at=since)
        make.reconcile()
        assert self._status(attempt) == JobStatus.LAUNCHING
