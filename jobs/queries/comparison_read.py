"""Comparison of two jobs of one project, and the job to compare with by default."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Count, Max

from jobs.contract import JobStatus
from jobs.models import Attempt, Job, producer
from jobs.queries.comparison import (
    ROWS_MAX,
    LastAttempt,
    compare,
    count_values,
    job_facts,
)
from jobs.queries.jobs import jobs_as_dicts
from jobs.queries.producers import producer_of
from jobs.queries.shapes import JobComparisonBody
from jobs.queries.time_phases import time_phases
from jobs.queries.time_spent import job_history
from mimir.lib.errors import NotFound


def jobs_compare(*, one: Job, two: Job) -> JobComparisonBody:
    """Return the values of two jobs side by side. Raises: NotFound for jobs of two projects."""
    if one.project_id != two.project_id:
        raise NotFound()
    bodies = jobs_as_dicts([one, two])
    last = _last_attempts([one, two])
    facts = [
        job_facts(body, time_phases(job_history(job=job)), last.get(job.id))
        for job, body in zip((one, two), bodies, strict=True)
    ]
    rows = compare(*facts)
    return {
        "a": bodies[0],
        "b": bodies[1],
        "rows": rows,
        "differing": sum(row["differs"] for row in rows),
        "truncated": count_values(*facts) > ROWS_MAX,
    }


def last_success(*, job: Job) -> Job | None:
    """Return the newest successful run of the same producer that was submitted before `job`."""
    return (
        Job.objects.filter(
            project_id=job.project_id,
            type=job.type,
            status=JobStatus.SUCCEEDED,
            created_at__lt=job.created_at,
        )
        .annotate(producer=producer())
        .filter(producer=producer_of(job.type, job.parameters)[1])
        .select_related("project", "created_by")
        .order_by("-created_at")
        .first()
    )


def _last_attempts(jobs: Sequence[Job]) -> dict[UUID, LastAttempt]:
    counted = (
        Attempt.objects.filter(job__in=jobs)
        .order_by()
        .values("job_id")
        .annotate(launched=Count("id"), last=Max("number"))
    )
    found: dict[UUID, LastAttempt] = {}
    for row in counted:
        last = Attempt.objects.get(job_id=row["job_id"], number=row["last"])
        found[row["job_id"]] = LastAttempt(
            cluster=last.cluster_id,
            peak_memory_bytes=last.peak_memory_bytes,
            launched=row["launched"],
        )
    return found
