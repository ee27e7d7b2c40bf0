"""End of an attempt without success: its job is cancelled, fails, or returns to the queue.

Only the orchestrator retries. Infrastructure failures are limited separately and do not use up the
user's attempts. An orderly shutdown, a capacity shortage and an out-of-memory end whose job gets
more memory count against neither limit.
"""

import datetime as dt

from django.conf import settings

from jobs.contract import EventKind, FailureReason, FinishStatus, JobStatus
from jobs.core.memory_policy import MemoryRaise
from jobs.core.transition import job_move
from jobs.diagnosis.failures import diagnose
from jobs.diagnosis.message import DiagnosisBody
from jobs.lifecycle.more_memory import memory_outcome, raise_record
from jobs.lifecycle.storagewait import storage_wait_message, storage_waits
from jobs.models import Attempt, Job
from jobs.reasons import FINAL_REASONS, SHORTAGE_REASONS, UNCOUNTED_REASONS
from mimir.lib.clock import utc_now
from mimir.lib.formatting import duration_text
from mimir.lib.json_types import JsonObject

MESSAGE_MAX = 2000


def attempt_end(
    *,
    job: Job,
    attempt: Attempt,
    reason: FailureReason,
    actor: str,
    message: str = "",
    detail: JsonObject | None = None,
    by_worker: FinishStatus | None = None,
    cluster_diagnosis: DiagnosisBody | None = None,
) -> JobStatus:
    """End a live attempt and move its job; return the job's status. The caller holds both locks.

    `by_worker`: the status in the worker's finish. Without it the attempt is fenced, and later
    requests of its worker are refused.
    `cluster_diagnosis`: diagnosis of the cluster for the same reason.
    """
    reason, message = _during_storage_wait(job, attempt, reason, message)
    clean = message.replace("\x00", "�")[:MESSAGE_MAX]
    memory, raised = memory_outcome(job=job, attempt=attempt, reason=reason)
    diagnosis = diagnose(
        reason,
        message=clean,
        detail=detail,
        resources=job.resources,
        timeout_seconds=job.timeout_seconds,
        cluster_diagnosis=cluster_diagnosis,
        memory=memory,
    )
    counts = raised is None and _counts(job, attempt, reason)
    _save_end(attempt, reason, diagnosis["summary"], by_worker, counts=counts)
    if job.status == JobStatus.CANCELLING:
        # A fence alone does not prove that the worker has stopped: its finish or its absence does.
        if by_worker is not None:
            job_finish_cancelled(job=job, actor=actor)
        return JobStatus(job.status)
    if raised is not None or _is_retried(job, reason, counts=counts):
        _requeue(job, attempt, reason, diagnosis, actor, counts=counts, raised=raised)
    else:
        _fail(job, reason, diagnosis, actor, counts=counts)
    return JobStatus(job.status)


def _counts(job: Job, attempt: Attempt, reason: FailureReason) -> bool:
    """Return whether the end uses up one of the user's attempts."""
    # An attempt that was never claimed has run no user code.
    return (
        reason not in UNCOUNTED_REASONS
        and attempt.claimed_at is not None
        and job.status != JobStatus.CANCELLING
    )


def _save_end(
    attempt: Attempt,
    reason: FailureReason,
    message: str,
    by_worker: FinishStatus | None,
    *,
    counts: bool,
) -> None:
    """Write the end of a locked attempt. Without `by_worker`, fence it."""
    now = utc_now()
    attempt.ended_at = now
    attempt.reason = reason
    attempt.message = message
    attempt.counts = counts
    attempt.end_status = by_worker or ""
    if by_worker is None:
        attempt.fenced_at = now
    attempt.save(
        update_fields=["ended_at", "reason", "message", "counts", "end_status", "fenced_at"]
    )


def _during_storage_wait(
    job: Job, attempt: Attempt, reason: FailureReason, message: str
) -> tuple[FailureReason, str]:
    """Return reason and message, corrected if the attempt was waiting for the artifact storage.

    A timeout during such a wait is not the job's fault.
    """
    if not storage_waits(attempt):
        return reason, message
    if reason is FailureReason.DEADLINE_EXCEEDED:
        limit = f"Its time limit of {duration_text(job.timeout_seconds)} passed"
        return FailureReason.STORAGE_UNAVAILABLE, storage_wait_message(attempt, before=limit)
    if reason is FailureReason.WORKER_LOST:
        return reason, storage_wait_message(
            attempt, before=message.removesuffix(".") or "The worker vanished"
        )
    return reason, message


def job_finish_cancelled(*, job: Job, actor: str) -> None:
    """Move a locked job from cancelling to cancelled."""
    job_move(
        job=job,
        sources=[JobStatus.CANCELLING],
        target=JobStatus.CANCELLED,
        kind=EventKind.CANCELLED,
        actor=actor,
        reason=FailureReason.CANCELLED,
    )


def back_off_seconds(failures: int) -> float:
    """Return the seconds before the retry after `failures` (1 or more): exponential, bounded."""
    return float(
        min(settings.ENV.retry_back_off * 2 ** (failures - 1), settings.ENV.retry_back_off_max)
    )


def _is_retried(job: Job, reason: FailureReason, *, counts: bool) -> bool:
    if reason in FINAL_REASONS:
        return False
    if reason is FailureReason.SHUTDOWN or reason in SHORTAGE_REASONS:
        return True
    if not counts:
        return job.infrastructure_failures < settings.ENV.infrastructure_retries
    return job.attempts_used + 1 < job.max_attempts


def _requeue(
    job: Job,
    attempt: Attempt,
    reason: FailureReason,
    diagnosis: DiagnosisBody,
    actor: str,
    *,
    counts: bool,
    raised: MemoryRaise | None,
) -> None:
    at_once = raised is not None or reason is FailureReason.SHUTDOWN
    infrastructure = job.infrastructure_failures + (
        0 if counts or at_once or reason in SHORTAGE_REASONS else 1
    )
    used = job.attempts_used + (1 if counts else 0)
    wait = 0.0 if at_once else back_off_seconds(max(1, infrastructure + used))
    not_before = utc_now() + dt.timedelta(seconds=wait)
    columns = raise_record(job=job, attempt=attempt, raised=raised) if raised is not None else {}
    job_move(
        job=job,
        sources=[JobStatus.LAUNCHING, JobStatus.RUNNING],
        target=JobStatus.QUEUED,
        kind=EventKind.ATTEMPT_ENDED,
        actor=actor,
        next_attempt=True,
        data={
            "reason": reason,
            "message": diagnosis["summary"],
            "diagnosis": diagnosis,
            "counts": counts,
            "next_attempt": attempt.number + 1,
            "not_before": not_before.isoformat(),
            **_raised_data(raised),
        },
        reason=reason,
        message=diagnosis["summary"],
        diagnosis=diagnosis,
        not_before=not_before,
        infrastructure_failures=infrastructure,
        attempts_used=used,
        progress_fraction=None,
        progress_message="",
        **columns,
    )


def _raised_data(raised: MemoryRaise | None) -> dict[str, object]:
    """Return the part of the event's data about an increase of the memory."""
    if raised is None:
        return {}
    return {
        "memory": {
            "ran_with_bytes": raised.ran_with_bytes,
            "next_bytes": raised.next_bytes,
            "max_bytes": raised.max_bytes,
        }
    }


def _fail(
    job: Job, reason: FailureReason, diagnosis: DiagnosisBody, actor: str, *, counts: bool
) -> None:
    job_move(
        job=job,
        sources=[JobStatus.LAUNCHING, JobStatus.RUNNING],
        target=JobStatus.FAILED,
        kind=EventKind.FAILED,
        actor=actor,
        data={"reason": reason, "message": diagnosis["summary"]},
        reason=reason,
        message=diagnosis["summary"],
        diagnosis=diagnosis,
        attempts_used=job.attempts_used + (1 if counts else 0),
        infrastructure_failures=job.infrastructure_failures + (0 if counts else 1),
    )
