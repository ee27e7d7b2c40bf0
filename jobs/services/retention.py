"""What an administrator does not want to keep for ever: events and usage of ended jobs, and ended jobs whole. Off by default."""

import datetime as dt

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from jobs.models import Artifact, Attempt, Job, JobEvent, JobOutput, UsageSample
from mimir.lib.clock import utc_now
from projects import storage

log = structlog.get_logger(__name__)
BATCH = 200


def retention_apply() -> int:
    """Delete one batch of what is past its time; returns how many jobs or event lists went."""
    env = settings.ENV
    gone = 0
    if env.retention_jobs_days:
        gone += _jobs(utc_now() - dt.timedelta(days=env.retention_jobs_days))
    if env.retention_events_days:
        gone += _events(utc_now() - dt.timedelta(days=env.retention_events_days))
    return gone


def _jobs(before: dt.datetime) -> int:
    """Whole jobs, but not those that made a version of anything (lineage) nor those a worker object is left of.

    A worker that counts as gone since its cluster stays away is no reason to keep its job: where the cluster comes back after all, its object
    has no attempt any more, and is removed as that.

    Rows first: a file without a row is swept later, a row without its file would be a broken promise.
    """
    given_up = Q(gone_at__lt=before, log_object__isnull=False, cluster__unreachable_since__lt=before)
    ids = list(
        Job.objects.filter(finished_at__lt=before)
        .exclude(id__in=JobOutput.objects.values("job_id"))
        .exclude(id__in=Attempt.objects.filter(~given_up, cleaned_up_at__isnull=True).values("job_id"))
        .order_by("finished_at")
        .values_list("id", flat=True)[:BATCH]
    )
    keys = list(Artifact.objects.filter(attempt__job_id__in=ids).values_list("storage_key", flat=True))
    keys += [
        key for key in Attempt.objects.filter(job_id__in=ids).values_list("log_object", flat=True) if key is not None
    ]
    with transaction.atomic():
        Job.objects.filter(id__in=ids).delete()
    for key in keys:
        storage.object_discard(key)
    if ids:
        log.info("ended jobs deleted by retention", jobs=len(ids))
    return len(ids)


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
