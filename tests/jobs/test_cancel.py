"""Cancellation: immediate for waiting jobs, requested for running ones.

A success that is reported after it changes nothing.
"""

from uuid import UUID

import pytest

from jobs.clusters.rows import cluster_ensure
from jobs.contract import EventKind, FinishStatus, JobStatus
from jobs.lifecycle.cancel import job_cancel
from jobs.lifecycle.report import heartbeat_record
from jobs.models import Attempt, Job, JobEvent
from mimir.lib.errors import Conflict
from projects.models import DatasetVersion
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def _status(job_id: UUID) -> str:
    return Job.objects.values_list("status", flat=True).get(id=job_id)


def test_a_waiting_job_is_cancelled_at_once() -> None:
    job = make.job()
    job_cancel(job_id=job.id, actor="user:ada")
    assert _status(job.id) == JobStatus.CANCELLED
    event = JobEvent.objects.get(job=job, kind=EventKind.CANCELLED)
    assert event.actor == "user:ada"
    assert Job.objects.get(id=job.id).message == "Cancelled by ada."


def test_a_running_job_is_cancelled_through_its_heartbeat() -> None:
    attempt = make.claimed()
    job_cancel(job_id=attempt.job_id, actor="test")
    assert _status(attempt.job_id) == JobStatus.CANCELLING
    answer = heartbeat_record(
        attempt_id=attempt.id, memory_bytes=1, peak_memory_bytes=1, cpu_millicores=1
    )
    assert answer["cancel"] is True
    make.finish(attempt, FinishStatus.CANCELLED)
    assert _status(attempt.job_id) == JobStatus.CANCELLED
    assert Job.objects.get(id=attempt.job_id).message == "Cancelled by test."


def test_a_success_in_cancelling_changes_nothing_in_the_project() -> None:
    attempt = make.claimed()
    job_cancel(job_id=attempt.job_id, actor="test")
    status = make.finish(attempt, FinishStatus.SUCCEEDED, result={"outputs": [], "steps": []})
    assert status == JobStatus.CANCELLED
    assert _status(attempt.job_id) == JobStatus.CANCELLED
    assert Job.objects.get(id=attempt.job_id).result is None
    assert DatasetVersion.objects.count() == 0


def test_a_worker_lost_in_cancelling_is_cancelled_and_not_tried_again() -> None:
    attempt = make.claimed(max_attempts=3)
    job_cancel(job_id=attempt.job_id, actor="test")
    make.launcher().vanish(attempt.name)
    make.settle()
    assert _status(attempt.job_id) == JobStatus.CANCELLED
    assert Attempt.objects.filter(job_id=attempt.job_id).count() == 1


def test_a_worker_that_ignores_a_cancel_is_ended_after_the_grace_period(settings: object) -> None:
    attempt = make.claimed()
    job_cancel(job_id=attempt.job_id, actor="test")
    Job.objects.filter(id=attempt.job_id).update(cancel_requested_at="2020-01-01T00:00:00Z")
    make.settle()
    attempt.refresh_from_db()
    assert attempt.fenced_at is not None
    assert (
        make.launcher().workers == {} or not make.launcher().workers[attempt.name].observation.alive
    )
    make.settle()
    assert _status(attempt.job_id) == JobStatus.CANCELLED


def test_cancel_before_the_launch_lets_nothing_start() -> None:
    attempt = make.admitted()
    job_cancel(job_id=attempt.job_id, actor="test")
    from jobs.dispatch.launch import attempts_launch

    attempts_launch([attempt.id])
    assert make.launcher().workers == {}
    make.settle()
    assert _status(attempt.job_id) == JobStatus.CANCELLED


def test_cancel_is_idempotent() -> None:
    job = make.job()
    for _ in range(2):
        job_cancel(job_id=job.id, actor="test")
    assert JobEvent.objects.filter(job=job, kind=EventKind.CANCELLED).count() == 1


def test_cancel_is_refused_when_finished() -> None:
    attempt = make.claimed()
    make.finish(attempt)
    with pytest.raises(Conflict):
        job_cancel(job_id=attempt.job_id, actor="test")
    cluster_ensure()
    assert _status(attempt.job_id) == JobStatus.SUCCEEDED
