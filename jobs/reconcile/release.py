"""Orderly stop of a machine that runs its own workers: running jobs return to the queue."""

from django.db import transaction

from jobs.contract import FailureReason, JobStatus
from jobs.core.transition import attempt_lock
from jobs.lifecycle.ending import attempt_end
from jobs.reconcile.attempts import live_attempts


def attempts_release(*, actor: str) -> int:
    """Fence every live attempt and requeue its job without counting the attempt; return how many.

    A job that is being cancelled is not requeued: it is cancelled when its worker is gone.
    """
    released = 0
    for attempt_id in live_attempts().values_list("id", flat=True):
        with transaction.atomic():
            job, attempt = attempt_lock(attempt_id=attempt_id)
            if attempt.fenced_at or attempt.ended_at or job.attempt != attempt.number:
                continue
            if job.status in (JobStatus.LAUNCHING, JobStatus.RUNNING, JobStatus.CANCELLING):
                attempt_end(
                    job=job,
                    attempt=attempt,
                    reason=FailureReason.SHUTDOWN,
                    actor=actor,
                    message="Mimir was stopped. The job restarts with it.",
                )
                released += 1
    return released
