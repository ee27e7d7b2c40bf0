"""Increase of a job's memory after an attempt that ran out of memory."""

from typing import Any

from jobs.clusters.machine import attempt_limits
from jobs.contract import FailureReason, JobStatus
from jobs.core.memory_policy import MemoryRaise, memory_raise
from jobs.core.recommended import without_recommended_memory
from jobs.core.resources import as_dict, from_dict
from jobs.diagnosis.failures import MemoryOutcome
from jobs.lifecycle.amounts import profiles
from jobs.models import Attempt, Job
from jobs.types.registry import SPECS


def memory_outcome(
    *, job: Job, attempt: Attempt, reason: FailureReason
) -> tuple[MemoryOutcome | None, MemoryRaise | None]:
    """Return the memory policy's outcome for the end of a locked attempt, and the increase, if any.

    (None, None) for a job without `memory_max`, for another reason and during a cancel.
    """
    if (
        reason is not FailureReason.OUT_OF_MEMORY
        or job.memory_max_bytes is None
        or job.status == JobStatus.CANCELLING
    ):
        return None, None
    current = from_dict(job.resources)
    ran_with = attempt_limits(
        job.resources, attempt.memory_limit_bytes, launcher=attempt.cluster.launcher
    )
    raised = memory_raise(
        current,
        profiles()[job.type] if job.type in SPECS else current,
        ran_with_bytes=ran_with.memory_bytes,
        memory_max_bytes=job.memory_max_bytes,
    )
    next_bytes = raised.next_bytes if raised is not None else None
    return MemoryOutcome(ran_with.memory_bytes, next_bytes, job.memory_max_bytes), raised


def raise_record(*, job: Job, attempt: Attempt, raised: MemoryRaise) -> dict[str, Any]:
    """Store the increase with the locked attempt; return the job's columns for `job_move`."""
    before = from_dict(job.resources).limits.memory_bytes
    # Attempts admitted by an older release have no limit of their own: they had the job's.
    Attempt.objects.filter(job=job, memory_limit_bytes__isnull=True).update(
        memory_limit_bytes=before
    )
    attempt.memory_limit_bytes = attempt.memory_limit_bytes or before
    attempt.memory_raised_to_bytes = raised.next_bytes
    attempt.save(update_fields=["memory_raised_to_bytes"])
    return {
        "resources": {**without_recommended_memory(job.resources), **as_dict(raised.amounts)},
        "memory_raised_from_bytes": job.memory_raised_from_bytes or before,
    }
