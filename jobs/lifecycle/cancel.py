"""Cancellation: immediate for a waiting job; a worker gets a stop request and a grace period.

The reconciler ends an attempt whose grace period is over.
"""

from uuid import UUID

from django.db import transaction

from jobs.contract import EventKind, FailureReason, JobStatus
from jobs.core.transition import job_lock, job_move
from jobs.models import Attempt, Job
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict


def job_cancel(*, job_id: UUID, actor: str) -> Job:
    """Cancel a job. Does nothing if it is already cancelled or being cancelled.

    Raises: Conflict if it has succeeded or failed.
    """
    with transaction.atomic():
        job = job_lock(job_id=job_id)
        status = JobStatus(job.status)
        if status in (JobStatus.SUCCEEDED, JobStatus.FAILED):
            raise Conflict(f"The job has already {status.value} and cannot be cancelled.")
        if status is JobStatus.QUEUED:
            _cancel_waiting(job, actor)
        elif status in (JobStatus.LAUNCHING, JobStatus.RUNNING):
            _request_stop(job, actor)
    return job


def _by(actor: str) -> str:
    """Return the message with the actor's name; actors are `user:ada` or `admin:ada`."""
    kind, _, name = actor.partition(":")
    return f"Cancelled by {name or kind}."


def _cancel_waiting(job: Job, actor: str) -> None:
    now = utc_now()
    job_move(
        job=job,
        sources=[JobStatus.QUEUED],
        target=JobStatus.CANCELLED,
        kind=EventKind.CANCELLED,
        actor=actor,
        data={"before": "start"},
        reason=FailureReason.CANCELLED,
        message=_by(actor),
        diagnosis=None,
        cancel_requested_at=now,
    )


def _request_stop(job: Job, actor: str) -> None:
    """Request the stop of a worker; fence a worker that has not claimed yet."""
    now = utc_now()
    claimed = job.status == JobStatus.RUNNING
    job_move(
        job=job,
        sources=[JobStatus.LAUNCHING, JobStatus.RUNNING],
        target=JobStatus.CANCELLING,
        kind=EventKind.CANCEL_REQUESTED,
        actor=actor,
        message=_by(actor),
        diagnosis=None,
        cancel_requested_at=now,
    )
    if not claimed:
        Attempt.objects.filter(
            job=job, number=job.attempt, claim_id__isnull=True, fenced_at__isnull=True
        ).update(fenced_at=now, ended_at=now, reason=FailureReason.CANCELLED)
