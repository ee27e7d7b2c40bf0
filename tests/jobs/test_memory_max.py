"""Out-of-memory ends of attempts whose job has `memory_max`."""

from typing import Any

import pytest

from jobs.admission.admit import admit_once
from jobs.clusters.rows import cluster_ensure
from jobs.contract import EventKind, FailureReason, FinishStatus, JobStatus
from jobs.core.resources import GIB
from jobs.lifecycle import finish
from jobs.lifecycle.cancel import job_cancel
from jobs.lifecycle.claim import worker_limits
from jobs.models import Attempt, Cluster, Job, JobEvent
from mimir.lib.errors import Gone
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)

GROWS = {"memory": "1Gi", "memory_max": "3Gi"}


def _out_of_memory(attempt: Attempt, **facts: Any) -> str:
    """Finish the attempt like a worker that ran out of memory."""
    return make.finish(
        attempt, FinishStatus.FAILED, reason=FailureReason.OUT_OF_MEMORY, detail=facts
    )


def _job(attempt: Attempt) -> Job:
    return Job.objects.get(id=attempt.job_id)


def _limit(job: Job) -> float:
    return float(job.resources["limits"]["memory_bytes"]) / GIB


def test_the_job_returns_to_the_queue_with_twice_the_memory_and_is_not_counted() -> None:
    attempt = make.claimed(resources=GROWS)
    status = _out_of_memory(attempt, step="load", peak_bytes=GIB)
    job = _job(attempt)
    assert (status, job.attempt, job.attempts_used, job.infrastructure_failures) == (
        JobStatus.QUEUED,
        2,
        0,
        0,
    )
    assert (_limit(job), job.memory_raised_from_bytes) == (2, GIB)
    attempt.refresh_from_db()
    assert (attempt.memory_limit_bytes, attempt.memory_raised_to_bytes, attempt.counts) == (
        GIB,
        2 * GIB,
        False,
    )


def test_the_event_and_the_message_say_why_and_how_much_is_next() -> None:
    attempt = make.claimed(resources=GROWS)
    _out_of_memory(attempt, step="load", peak_bytes=GIB)
    event = JobEvent.objects.get(job=attempt.job_id, kind=EventKind.ATTEMPT_ENDED)
    assert event.data["memory"] == {
        "ran_with_bytes": GIB,
        "next_bytes": 2 * GIB,
        "max_bytes": 3 * GIB,
    }
    job = _job(attempt)
    assert job.message == (
        "Ran out of memory in step load. Its limit was 1 GiB, its peak 1 GiB."
        " The next attempt gets 2 GiB."
    )
    assert job.diagnosis is not None
    assert job.diagnosis["code"] == "out_of_memory.raised"
    assert [step["actor"] for step in job.diagnosis["next_steps"]] == ["nobody"]


def test_the_next_worker_gets_the_raised_memory_at_launch_and_at_its_claim() -> None:
    attempt = make.claimed(resources=GROWS)
    _out_of_memory(attempt)
    second = make.next_claimed(attempt)
    spec = make.launcher().workers[second.name].spec
    assert (spec.memory_bytes, second.memory_limit_bytes) == (2 * GIB, 2 * GIB)
    assert second.claim_id is not None
    assert make.claim(second, second.claim_id)["limits"]["memory_bytes"] == 2 * GIB


def test_the_memory_of_an_ended_attempt_is_that_which_it_ran_with() -> None:
    attempt = make.claimed(resources=GROWS)
    _out_of_memory(attempt)
    attempt.refresh_from_db()
    assert worker_limits(job=_job(attempt), attempt=attempt).memory_bytes == GIB


def test_at_the_maximum_it_fails_and_names_memory_max() -> None:
    attempt = make.claimed(resources=GROWS)
    limits = []
    for _ in range(2):
        assert _out_of_memory(attempt) == JobStatus.QUEUED
        attempt = make.next_claimed(attempt)
        limits.append(attempt.memory_limit_bytes)
    assert limits == [2 * GIB, 3 * GIB]
    assert _out_of_memory(attempt) == JobStatus.FAILED
    job = _job(attempt)
    assert (job.attempt, job.attempts_used, _limit(job)) == (3, 1, 3)
    assert "memory_max" in job.message
    assert job.diagnosis is not None
    assert job.diagnosis["next_steps"][0]["patch"] == {
        "resources": {"memory": "6Gi", "memory_max": "6Gi"}
    }


def test_at_the_maximum_the_attempts_that_the_user_allows_are_used() -> None:
    attempt = make.claimed(resources={"memory": "1Gi", "memory_max": "1Gi"}, max_attempts=2)
    assert _out_of_memory(attempt) == JobStatus.QUEUED
    job = _job(attempt)
    assert (job.attempts_used, _limit(job), job.memory_raised_from_bytes) == (1, 1, None)


def test_without_memory_max_it_fails_as_before() -> None:
    attempt = make.claimed(resources={"memory": "1Gi"})
    assert _out_of_memory(attempt) == JobStatus.FAILED
    job = _job(attempt)
    assert (_limit(job), job.diagnosis["code"]) == (1, "out_of_memory")  # type: ignore[index]


def test_another_failure_raises_nothing() -> None:
    attempt = make.claimed(resources=GROWS, max_attempts=2)
    make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.EXIT_CODE)
    job = _job(attempt)
    assert (job.attempts_used, _limit(job)) == (1, 1)


def test_a_killed_container_raises_the_memory_too() -> None:
    """The worker was killed with its command, so the cluster reports the end."""
    attempt = make.claimed(resources=GROWS)
    make.launcher().end(
        attempt.name, exit_code=137, reason=FailureReason.OUT_OF_MEMORY, message="OOMKilled"
    )
    make.reconcile()
    job = _job(attempt)
    assert (job.status, job.attempt, job.attempts_used, _limit(job)) == (
        JobStatus.QUEUED,
        2,
        0,
        2,
    )


def test_memory_that_is_too_small_for_the_start_is_raised() -> None:
    attempt = make.launched(resources=GROWS)
    make.launcher().end(attempt.name, exit_code=128, reason=FailureReason.OUT_OF_MEMORY)
    make.reconcile()
    job = _job(attempt)
    assert (job.status, _limit(job), job.infrastructure_failures) == (JobStatus.QUEUED, 2, 0)


def test_a_finish_before_the_observation_raises_once() -> None:
    attempt = make.claimed(resources=GROWS)
    report = make.report(attempt, FinishStatus.FAILED, reason=FailureReason.OUT_OF_MEMORY)
    finish.attempt_finish(attempt_id=attempt.id, report=report)
    make.launcher().end(attempt.name, exit_code=137, reason=FailureReason.OUT_OF_MEMORY)
    make.reconcile(2)
    finish.attempt_finish(attempt_id=attempt.id, report=report)
    job = _job(attempt)
    assert (job.status, job.attempt, _limit(job)) == (JobStatus.QUEUED, 2, 2)


def test_a_finish_after_the_observation_raises_nothing_more() -> None:
    attempt = make.claimed(resources=GROWS)
    report = make.report(attempt, FinishStatus.FAILED, reason=FailureReason.OUT_OF_MEMORY)
    make.launcher().end(attempt.name, exit_code=137, reason=FailureReason.OUT_OF_MEMORY)
    make.reconcile()
    refused = None
    try:
        finish.attempt_finish(attempt_id=attempt.id, report=report)
    except Gone as gone:
        refused = gone.code
    job = _job(attempt)
    assert (refused, job.attempt, _limit(job)) == ("fenced", 2, 2)


def test_the_increase_and_the_end_are_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = make.claimed(resources=GROWS)

    def broken(name: str) -> None:
        if name == "finish.before_commit":
            raise ConnectionError("the process died here")

    monkeypatch.setattr(finish, "crash_point", broken)
    with pytest.raises(ConnectionError):
        _out_of_memory(attempt)
    attempt.refresh_from_db()
    job = _job(attempt)
    assert (job.status, _limit(job), attempt.memory_raised_to_bytes) == (JobStatus.RUNNING, 1, None)
    monkeypatch.undo()
    assert _out_of_memory(attempt) == JobStatus.QUEUED
    assert _limit(_job(attempt)) == 2


def test_a_cancel_wins_over_the_retry() -> None:
    attempt = make.claimed(resources=GROWS)
    job_cancel(job_id=attempt.job_id, actor="user:ada")
    assert _out_of_memory(attempt) == JobStatus.CANCELLED
    assert _limit(_job(attempt)) == 1


def test_an_attempt_of_an_older_release_keeps_the_memory_it_ran_with() -> None:
    attempt = make.claimed(resources=GROWS)
    Attempt.objects.filter(id=attempt.id).update(memory_limit_bytes=None)
    _out_of_memory(attempt)
    attempt.refresh_from_db()
    assert (attempt.memory_limit_bytes, attempt.memory_raised_to_bytes) == (GIB, 2 * GIB)


def test_a_raised_request_that_no_cluster_can_hold_ends_the_job_and_names_the_attempt() -> None:
    cluster_ensure()
    Cluster.objects.update(capacity_memory_bytes=5 * GIB)
    attempt = make.claimed(resources={"memory": "4Gi", "memory_max": "16Gi"})
    assert _out_of_memory(attempt) == JobStatus.QUEUED
    make.launcher().end(attempt.name)
    make.settle()
    admit_once()
    job = _job(attempt)
    assert (job.status, job.reason) == (JobStatus.FAILED, FailureReason.NEVER_FITS)
    assert job.message.endswith("more than any cluster has. Attempt 1 ran out of 4 GiB.")
    assert job.diagnosis is not None
    assert "up to 16 GiB (memory_max)" in job.diagnosis["detail"]


def test_a_job_of_an_unknown_type_is_raised_without_defaults() -> None:
    """The type belongs to a newer release, so its default limits are unknown."""
    attempt = make.claimed(resources=GROWS)
    Job.objects.filter(id=attempt.job_id).update(type="of_tomorrow")
    assert _out_of_memory(attempt) == JobStatus.QUEUED
    assert _limit(_job(attempt)) == 2
