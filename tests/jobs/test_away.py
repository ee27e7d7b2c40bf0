"""Lost workers of unreachable clusters.

The decision uses the rows under their locks, and is applied once.
"""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from jobs.clusters.rows import cluster_ensure, cluster_reached, cluster_unreachable
from jobs.contract import FailureReason, JobStatus
from jobs.contract.protocol import HeartbeatResponse
from jobs.core.transition import attempt_lock
from jobs.lifecycle.claim import attempt_claim
from jobs.lifecycle.report import heartbeat_record
from jobs.models import Attempt, Cluster, Job, JobEvent, WebUptime
from jobs.reconcile import away
from jobs.reconcile.apply import times
from jobs.reconcile.silence import due_away, job_away
from mimir.lib.clock import utc_now
from mimir.lib.errors import Gone
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def _silent(attempt: Attempt, seconds: float = 700.0) -> None:
    """Make the cluster unreachable and the worker silent for `seconds`."""
    heard_at = utc_now() - dt.timedelta(seconds=seconds)
    Attempt.objects.filter(id=attempt.id).update(
        heartbeat_at=heard_at, unheard_heartbeat_at=heard_at, unheard_from_seconds=0.0
    )
    Cluster.objects.update(
        unreachable_since=heard_at, unreachable_message="10.0.0.1 refused", away_seconds=seconds
    )
    _web_counts(seconds)


def _web_counts(seconds: float) -> None:
    WebUptime.objects.update_or_create(
        name="web",
        defaults={"beat_at": utc_now(), "up_since": utc_now(), "counted_seconds": seconds},
    )


def _beat(attempt: Attempt) -> HeartbeatResponse:
    return heartbeat_record(
        attempt_id=attempt.id, memory_bytes=1, peak_memory_bytes=1, cpu_millicores=1
    )


def _due() -> list[Any]:
    return due_away(cluster=cluster_ensure(), times=times())


class _While:
    """Thread with its own connection that runs `act`.

    `act` waits for a lock that the test's thread holds.
    """

    def __init__(self, act: Callable[[], Any]) -> None:
        self.result: Any = None
        self._act = act
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._act()
        except Exception as error:
            self.result = error
        finally:
            connection.close()

    def waits(self) -> None:
        """Wait until the thread waits for a lock."""
        with connection.cursor() as cursor:
            for _ in range(1000):
                cursor.execute("SELECT count(*), pg_sleep(0.01) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone()[0]:
                    return
        raise AssertionError("it never waited")

    def end(self) -> Any:
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()
        return self.result


def test_a_worker_silent_for_the_grace_period_is_lost_with_a_reason() -> None:
    attempt = make.claimed(max_attempts=1, timeout_seconds=3600)
    _silent(attempt, 500)
    assert _due() == []
    _silent(attempt)
    assert _due() == [attempt.id]
    assert away.away_step(attempt_id=attempt.id)
    job = Job.objects.get(id=attempt.job_id)
    assert (job.status, job.attempt, job.attempts_used, job.reason) == (
        JobStatus.QUEUED,
        2,
        0,
        FailureReason.HEARTBEAT_LOST,
    )
    assert job.diagnosis is not None
    assert job.diagnosis["category"] == FailureReason.HEARTBEAT_LOST
    assert job.diagnosis["summary"] == job.message
    assert "The cluster local has not answered since" in job.message
    assert "the worker's last heartbeat was at" in job.message
    assert "10.0.0.1" not in str(job.diagnosis)
    with pytest.raises(Gone):
        _beat(attempt)
    assert away.away_step(attempt_id=attempt.id), "and then it counts as gone"
    attempt.refresh_from_db()
    assert (
        attempt.gone_at is not None,
        attempt.log_closed_at is not None,
        attempt.log_complete,
    ) == (True, True, False)
    assert not away.away_step(attempt_id=attempt.id)
    assert JobEvent.objects.filter(job=job, kind="job.worker_gone").count() == 1


def test_a_heartbeat_between_the_read_and_the_step_keeps_it() -> None:
    attempt = make.claimed()
    _silent(attempt)
    assert _due() == [attempt.id]
    _beat(attempt)
    assert not away.away_step(attempt_id=attempt.id)
    assert Job.objects.get(id=attempt.job_id).status == JobStatus.RUNNING


def test_a_concurrent_heartbeat_is_counted_or_refused() -> None:
    """The first to lock the row wins: here the heartbeat, uncommitted when the step runs."""
    attempt = make.claimed()
    _silent(attempt)
    with transaction.atomic():
        _beat(attempt)
        step = _While(lambda: away.away_step(attempt_id=attempt.id))
        step.waits()
    assert step.end() is False
    _silent(attempt)
    with transaction.atomic():
        assert away.away_step(attempt_id=attempt.id)
        beat = _While(lambda: _beat(attempt))
        beat.waits()
    assert isinstance(beat.end(), Gone)


def test_a_finish_in_the_same_moment_wins_or_is_refused() -> None:
    attempt, other = make.claimed(), make.claimed()
    _silent(attempt)
    with transaction.atomic():
        make.finish(attempt)
        step = _While(lambda: away.away_step(attempt_id=attempt.id))
        step.waits()
    step.end()
    job = Job.objects.get(id=attempt.job_id)
    assert (job.status, job.attempt) == (JobStatus.SUCCEEDED, 1)
    _silent(other)
    with transaction.atomic():
        assert away.away_step(attempt_id=other.id)
        finish = _While(lambda: make.finish(other))
        finish.waits()
    assert isinstance(finish.end(), Gone)
    assert Job.objects.get(id=other.job_id).status == JobStatus.QUEUED


def test_a_claim_in_the_same_moment_wins_or_is_refused() -> None:
    attempt, other = make.launched(), make.launched()
    _silent(attempt)
    Attempt.objects.update(heartbeat_at=None, created_at=utc_now() - dt.timedelta(hours=1))
    with transaction.atomic():
        make.claim(attempt)
        step = _While(lambda: away.away_step(attempt_id=attempt.id))
        step.waits()
    assert step.end() is False
    with transaction.atomic():
        assert away.away_step(attempt_id=other.id)
        claim = _While(lambda: attempt_claim(attempt_id=other.id, claim_id=other.id, host="late"))
        claim.waits()
    assert isinstance(claim.end(), Gone)


def test_two_reconcilers_give_up_once() -> None:
    attempt = make.claimed()
    _silent(attempt)
    with transaction.atomic():
        attempt_lock(attempt_id=attempt.id)
        steps = [_While(lambda: away.away_step(attempt_id=attempt.id)) for _ in range(2)]
        for step in steps:
            step.waits()
    assert [step.end() for step in steps] == [True, True], (
        "the end, and then that it counts as gone"
    )
    job = Job.objects.get(id=attempt.job_id)
    assert (job.status, job.attempt, job.infrastructure_failures) == (JobStatus.QUEUED, 2, 1)


def test_a_cluster_that_answered_another_request_loses_no_worker() -> None:
    attempt = make.claimed()
    _silent(attempt)
    assert _due() == [attempt.id]
    assert cluster_reached(cluster=cluster_ensure())
    assert not away.away_step(attempt_id=attempt.id)
    assert Job.objects.get(id=attempt.job_id).status == JobStatus.RUNNING


def _reconcile_unreachable(*, web_seconds: float) -> float:
    _web_counts(web_seconds)
    cluster_unreachable(cluster=cluster_ensure(), message="refused")
    return Cluster.objects.get().away_seconds


def test_a_cluster_counts_as_away_while_web_is_up_and_somebody_asks_it() -> None:
    cluster_ensure()
    events = [
        _reconcile_unreachable(web_seconds=seconds)
        for seconds in (1000, 1030, 1030, 1090, 5000, 5010, 100, 130)
    ]
    assert events == [0, 30, 30, 90, 90, 100, 100, 130]
    assert cluster_reached(cluster=cluster_ensure())
    assert not cluster_reached(cluster=cluster_ensure())
    assert _reconcile_unreachable(web_seconds=200) == 0


def test_silence_and_the_next_heartbeat_of_a_worker_are_recorded() -> None:
    cluster, attempt = cluster_ensure(), make.claimed()
    cluster_unreachable(cluster=cluster, message="refused")
    assert away.silence_mark(cluster=cluster) == 0, "it was heard of just now"
    assert job_away([attempt.job]) == {}
    old = utc_now() - dt.timedelta(seconds=60)
    Attempt.objects.update(heartbeat_at=old)
    assert [away.silence_mark(cluster=cluster) for _ in range(2)] == [1, 0]
    events = job_away([Job.objects.get()])[attempt.job_id]
    assert (events["cluster"], events["heard_at"]) == ("local", old.isoformat())
    _beat(attempt)
    assert [away.silence_mark(cluster=cluster) for _ in range(2)] == [1, 0]
    assert job_away([Job.objects.get()]) == {}
    Attempt.objects.update(heartbeat_at=old)
    away.silence_mark(cluster=cluster)
    assert cluster_reached(cluster=cluster)
    assert [away.silence_forget(cluster=cluster) for _ in range(2)] == [1, 0]
    assert job_away([Job.objects.get()]) == {}


def test_a_job_pinned_to_the_cluster_is_offered_another() -> None:
    cluster_ensure()
    attempt = make.claimed(cluster="local")
    Job.objects.update(infrastructure_failures=5)
    _silent(attempt)
    away.away_step(attempt_id=attempt.id)
    job = Job.objects.get()
    assert job.diagnosis is not None
    assert job.status == JobStatus.FAILED
    assert [step["label"] for step in job.diagnosis["next_steps"]] == [
        "Run again",
        "Run on any cluster",
        "Check the cluster",
    ]
    assert job.diagnosis["next_steps"][1]["patch"] == {"cluster": None, "region": None}
