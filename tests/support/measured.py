"""Ended jobs with measured resource usage, as rows only: no worker runs."""

from typing import Any
from uuid import uuid4

from jobs.clusters.rows import cluster_ensure
from jobs.contract import JobStatus
from jobs.models import Attempt, Job
from mimir.lib.clock import utc_now
from projects.models import Project
from tests.support import make

GIB = 2**30


def measured_run(
    project: Project,
    peak: int | None,
    *,
    cpu: int | None = None,
    status: JobStatus = JobStatus.SUCCEEDED,
    limit: int = 4 * GIB,
    **fields: Any,
) -> Job:
    """Insert an ended job of the pipeline `echo` with memory `limit` and one measured attempt."""
    job, now = make.job(project, resources={"cpu": "2", "memory": str(limit)}), utc_now()
    Job.objects.filter(id=job.id).update(status=status, started_at=now, finished_at=now, **fields)
    Attempt.objects.create(
        job=job,
        number=1,
        cluster=cluster_ensure(),
        name=f"measured-{uuid4()}",
        cpu_millicores=1000,
        memory_bytes=limit,
        created_at=now,
        launched_at=now,
        claimed_at=now,
        ended_at=now,
        gone_at=now,
        cleaned_up_at=now,
        peak_memory_bytes=peak,
        cpu_sustained_millicores=cpu,
    )
    job.refresh_from_db()
    return job
