"""Measured use of the last runs of a producer: one indexed query. Sustained CPU of an attempt."""

from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet

from jobs.contract import FailureReason, JobStatus
from jobs.core.resources import from_dict
from jobs.core.sizing import RUNS_MAX, MeasuredRun, Sizing, sizing_of
from jobs.models import Attempt, Job, producer

# With fewer samples an attempt has no sustained use; of more samples the newest ones are read.
SAMPLES_MIN, SAMPLES_MAX = 5, 20_000


def producer_sizing(*, project_id: UUID, job_type: str, name: str) -> Sizing:
    """Return the limits that fit the producer's last ended runs."""
    if not name:
        return Sizing()
    return sizing_of(_measured_runs(project_id, job_type, name))


def _measured_runs(project_id: UUID, job_type: str, name: str) -> list[MeasuredRun]:
    """Return the last attempts of the last ended runs, oldest first.

    A worker's figures are untrusted: they are capped to the limits of its run.
    """
    rows = (
        Attempt.objects.filter(job__in=_ended(project_id, job_type, name), number=F("job__attempt"))
        .order_by("job__created_at", "job_id")
        .values_list(
            "job__status",
            "job__reason",
            "job__resources",
            "peak_memory_bytes",
            "cpu_sustained_millicores",
        )
    )
    runs = []
    for status, reason, resources, peak, cpu in rows:
        limits = from_dict(resources).limits
        runs.append(
            MeasuredRun(
                limits=limits,
                succeeded=status == JobStatus.SUCCEEDED,
                out_of_memory=status == JobStatus.FAILED and reason == FailureReason.OUT_OF_MEMORY,
                memory_peak_bytes=None if peak is None else min(peak, limits.memory_bytes),
                cpu_millicores=None if cpu is None else min(cpu, limits.cpu_millicores),
            )
        )
    return runs


def _ended(project_id: UUID, job_type: str, name: str) -> "QuerySet[Job, Any]":
    jobs = Job.objects.filter(project=project_id, type=job_type, finished_at__isnull=False)
    newest = jobs.annotate(producer=producer()).filter(producer=name).order_by("-created_at")
    return newest.values("id")[:RUNS_MAX]


def cpu_sustained(*, attempt_id: UUID) -> int | None:
    """Return the 95th percentile of the attempt's CPU samples; None with too few samples."""
    with connection.cursor() as cursor:
        cursor.execute(_SUSTAINED, {"id": attempt_id, "most": SAMPLES_MAX, "least": SAMPLES_MIN})
        row = cursor.fetchone()
    return None if row is None else row[0]


_SUSTAINED = """
SELECT CASE WHEN count(*) >= %(least)s
    THEN percentile_disc(0.95) WITHIN GROUP (ORDER BY cpu_millicores) END
FROM (
    SELECT cpu_millicores FROM jobs_usagesample WHERE attempt_id = %(id)s
    ORDER BY at DESC LIMIT %(most)s
) AS samples
"""
