"""Delete ended jobs, their events and usage after the configured retention. Off by default."""

import datetime as dt
import time
from collections.abc import Iterator, Sequence
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
PASS_SECONDS = 2.0  # time limit of a pass; the next pass continues
AGAIN_SECONDS = 3600.0  # between two reads of expired jobs that cannot be deleted


class Retention:
    """Retention of one process.

    It reads each expired job once, in the order of their ends, and starts again with the oldest
    after AGAIN_SECONDS. So old jobs that are kept do not slow down every pass.
    """

    def __init__(self) -> None:
        self._jobs, self._events = _Expired(), _Expired()

    def apply(self) -> int:
        """Delete batches for PASS_SECONDS; return the count of deleted jobs, events and samples."""
        env, now = settings.ENV, utc_now()
        until, deleted = time.monotonic() + PASS_SECONDS, 0
        if env.retention_jobs_days:
            before = now - dt.timedelta(days=env.retention_jobs_days)
            for ids in self._jobs.batches(before, until):
                deleted += _jobs_delete(ids, before)
        if env.retention_events_days:
            before = now - dt.timedelta(days=env.retention_events_days)
            for ids in self._events.batches(before, until):
                deleted += _events_delete(ids)
        return deleted


class _Expired:
    """Reads the jobs that ended before a time, in batches. Keeps its position between passes."""

    def __init__(self) -> None:
        self._last: tuple[dt.datetime, UUID] | None = None
        self._again_at = 0.0

    def batches(self, before: dt.datetime, until: float) -> Iterator[list[UUID]]:
        """Yield batches of ids until all are read, or `until` (monotonic) after the first batch."""
        if time.monotonic() >= self._again_at:
            self._last, self._again_at = None, time.monotonic() + AGAIN_SECONDS
        while rows := self._read(before):
            self._last = rows[-1]
            yield [job_id for _, job_id in rows]
            if len(rows) < BATCH or time.monotonic() >= until:
                return

    def _read(self, before: dt.datetime) -> list[tuple[dt.datetime, UUID]]:
        jobs = Job.objects.filter(finished_at__lt=before)
        if self._last is not None:
            at, job_id = self._last
            jobs = jobs.filter(Q(finished_at__gt=at) | Q(id__gt=job_id), finished_at__gte=at)
        rows = jobs.order_by("finished_at", "id").values_list("finished_at", "id")
        return [(at, job_id) for at, job_id in rows[:BATCH] if at is not None]


def _jobs_delete(expired: Sequence[UUID], before: dt.datetime) -> int:
    """Delete whole jobs, except those with output versions (lineage) or a remaining worker object.

    A worker on a cluster that stays unreachable does not protect its job: if the cluster returns,
    its object has no attempt and is removed as an orphan.

    Rows are deleted first: a file without a row is swept later, but a row without its file would be
    broken.
    """
    abandoned = Q(
        gone_at__lt=before, log_object__isnull=False, cluster__unreachable_since__lt=before
    )
    outputs = JobOutput.objects.filter(job_id__in=expired)
    remaining = Attempt.objects.filter(~abandoned, job_id__in=expired, cleaned_up_at__isnull=True)
    kept = {*outputs.values_list("job_id", flat=True), *remaining.values_list("job_id", flat=True)}
    ids = [job_id for job_id in expired if job_id not in kept]
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
    if not ids:
        return
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
    """Delete one job; return whether it was deleted."""
    try:
        _delete([job_id])
    except (ProtectedError, RestrictedError, IntegrityError) as error:
        log.warning(
            "ended job not deleted: other rows refer to it",
            job_id=str(job_id),
            error=type(error).__name__,
            detail=str(error)[:300],
        )
        return False
    return True


def _events_delete(ids: Sequence[UUID]) -> int:
    """Delete events and usage of jobs; return the number of rows."""
    events, _ = JobEvent.objects.filter(job_id__in=ids).delete()
    samples, _ = UsageSample.objects.filter(attempt__job_id__in=ids).delete()
    return events + samples
