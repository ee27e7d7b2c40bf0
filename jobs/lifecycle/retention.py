"""Delete ended jobs, their events and usage after the configured retention. Off by default."""

import datetime as dt
import time
from collections.abc import Sequence
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q, RestrictedError

from jobs.logs.store import NO_OBJECT
from jobs.models import Artifact, Attempt, Job, JobEvent, JobOutput, UsageSample
from mimir.lib.clock import utc_now
from projects.storage import artifacts

log = structlog.get_logger(__name__)
BATCH = 200
SKIP_SECONDS = 3600.0
_skipped: dict[
    UUID, float
    # Jobs protected by other rows, and the monotonic time of the next attempt to delete them.
] = {}


def retention_apply() -> int:
    """Delete one batch; return the number of jobs deleted plus jobs whose events were deleted."""
    env = settings.ENV
    deleted = 0
    if env.retention_jobs_days:
        deleted += _jobs(utc_now() - dt.timedelta(days=env.retention_jobs_days))
    if env.retention_events_days:
        deleted += _events(utc_now() - dt.timedelta(days=env.retention_events_days))
    return deleted


def _jobs(before: dt.datetime) -> int:
    """Delete whole jobs, except those with output versions (lineage) or a remaining worker object.

    A worker on a cluster that stays unreachable does not protect its job: if the cluster returns,
    its object has no attempt and is removed as an orphan.

    Rows are deleted first: a file without a row is swept later, but a row without its file would be
    broken.
    """
    _forget_skipped()
    abandoned = Q(
        gone_at__lt=before, log_object__isnull=False, cluster__unreachable_since__lt=before
    )
    ids = list(
        Job.objects.filter(finished_at__lt=before)
        .exclude(id__in=JobOutput.objects.values("job_id"))
        .exclude(
            id__in=Attempt.objects.filter(~abandoned, cleaned_up_at__isnull=True).values("job_id")
        )
        .exclude(id__in=list(_skipped))
        .order_by("finished_at")
        .values_list("id", flat=True)[:BATCH]
    )
    try:
        _delete(ids)
    except (ProtectedError, RestrictedError, IntegrityError):
        ids = [job_id for job_id in ids if _deleted_alone(job_id)]
    if ids:
        log.info("ended jobs deleted by retention", jobs=len(ids))
    return len(ids)


def _delete(ids: Sequence[UUID]) -> None:
    """Delete jobs, then their files.

    Raises: ProtectedError, RestrictedError, IntegrityError if a row refers to one of them.
    """
    keys = list(
        Artifact.objects.filter(attempt__job_id__in=ids).values_list("storage_key", flat=True)
    )
    keys += [
        key
        for key in Attempt.objects.filter(job_id__in=ids).values_list("log_object", flat=True)
        if key is not None and key != NO_OBJECT
    ]
    with transaction.atomic():
        Job.objects.filter(id__in=ids).delete()
    for key in keys:
        artifacts.discard(key)


def _deleted_alone(job_id: UUID) -> bool:
    """Delete one job; return whether it was deleted. A protected job is skipped for a while."""
    try:
        _delete([job_id])
    except (ProtectedError, RestrictedError, IntegrityError) as error:
        log.warning(
            "ended job not deleted: other rows refer to it",
            job_id=str(job_id),
            error=type(error).__name__,
            detail=str(error)[:300],
        )
        _skipped[job_id] = time.monotonic() + SKIP_SECONDS
        return False
    return True


def _forget_skipped() -> None:
    now = time.monotonic()
    for job_id in [job_id for job_id, until in _skipped.items() if until < now]:
        del _skipped[job_id]


def _events(before: dt.datetime) -> int:
    ids = list(
        Job.objects.filter(finished_at__lt=before, events__isnull=False)
        .order_by("finished_at")
        .values_list("id", flat=True)
        .distinct()[:BATCH]
    )
    JobEvent.objects.filter(job_id__in=ids).delete()
    UsageSample.objects.filter(attempt__job_id__in=ids).delete()
    return len(ids)
