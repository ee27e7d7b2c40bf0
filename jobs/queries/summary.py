"""Summary of a project: failures that need attention, the last 24 hours, results, usage.

A constant number of indexed queries, whatever the number of jobs.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict
from uuid import UUID

from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Extract, Floor

from jobs.contract import LIVE, JobStatus
from jobs.diagnosis.stored import read_diagnosis
from jobs.models import Attempt, DismissedFailure, Job, JobOutput, Limit, producer
from jobs.queries.jobs import jobs_as_dicts
from jobs.queries.producers import Producer, latest_results, producer_title
from jobs.queries.shapes import (
    AttentionBody,
    CountsBody,
    HourBody,
    JobBody,
    ResultBody,
    SummaryBody,
    UsageBody,
)
from mimir.lib.clock import utc_now
from projects.models import Project

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ATTENTION_MAX, ATTENTION_DAYS = 5, 7
FAILURES_LOOKED_AT, PRODUCERS_LOOKED_AT = 1000, 20
RESULTS_MAX, SUCCESSES_LOOKED_AT = 8, 200
HOURS = 24


class _Failure(TypedDict):
    id: UUID
    type: str
    producer: str
    created_at: dt.datetime


def project_summary(*, project: Project, user: "User") -> SummaryBody:
    """Return the body of `GET …/summary/`, without failures that `user` has dismissed."""
    now = utc_now()
    hourly = _hourly(project, now)
    return {
        "counts": _counts(project, hourly),
        "attention": _attention(project, user, now),
        "hourly": hourly,
        "results": _results(project),
        "usage": _usage(project),
        "producers": latest_results(project=project),
    }


def _hourly(project: Project, now: dt.datetime) -> list[HourBody]:
    """Count the jobs that ended in each of the last 24 hours.

    The last hour ends now, not at a full hour, so the hours add up to the last 24 hours.
    """
    began = now - dt.timedelta(hours=HOURS)
    ended = Job.objects.filter(project=project, finished_at__gt=began, finished_at__lte=now)
    hours = ended.annotate(
        hour=Floor((Extract("finished_at", "epoch") - began.timestamp()) / 3600.0)
    )
    found = {
        (int(hour), status): count
        for hour, status, count in hours.values_list("hour", "status")
        .annotate(Count("id"))
        .order_by()
    }
    return [
        {
            "at": began + dt.timedelta(hours=hour),
            "succeeded": found.get((hour, JobStatus.SUCCEEDED.value), 0),
            "failed": found.get((hour, JobStatus.FAILED.value), 0),
            "cancelled": found.get((hour, JobStatus.CANCELLED.value), 0),
        }
        for hour in range(HOURS)
    ]


def _counts(project: Project, hourly: Sequence[HourBody]) -> CountsBody:
    """Count jobs that ended in the last 24 hours, and running and waiting ones."""
    rows = (
        Job.objects.filter(project=project, status__in=[JobStatus.QUEUED, *LIVE])
        .values_list("status")
        .annotate(Count("id"))
        .order_by()
    )
    found = Counter(dict(rows))
    return {
        "succeeded": sum(hour["succeeded"] for hour in hourly),
        "failed": sum(hour["failed"] for hour in hourly),
        "cancelled": sum(hour["cancelled"] for hour in hourly),
        "running": sum(found[status] for status in LIVE),
        "waiting": found[JobStatus.QUEUED],
    }


def _attention(project: Project, user: "User", now: dt.datetime) -> list[AttentionBody]:
    """Return the newest failure of each producer without a later success, unless dismissed."""
    failures = _failures(project, now)
    dismissed = DismissedFailure.objects.filter(
        user=user, job__in=[failure["id"] for failure in failures]
    )
    dismissed_ids = set(dismissed.values_list("job_id", flat=True)) if failures else set()
    failures = [failure for failure in failures if failure["id"] not in dismissed_ids]
    resolved = _resolved(project, failures)
    left = [failure for failure in failures if _producer(failure) not in resolved][:ATTENTION_MAX]
    rows = Job.objects.select_related("project", "created_by").in_bulk(
        [failure["id"] for failure in left]
    )
    jobs = [rows[failure["id"]] for failure in left if failure["id"] in rows]
    return [_attention_item(job, body) for job, body in zip(jobs, jobs_as_dicts(jobs), strict=True)]


def _attention_item(job: Job, body: JobBody) -> AttentionBody:
    diagnosis = read_diagnosis(job.diagnosis)
    return {
        "kind": "failed_job",
        "job": body,
        "title": job.name or producer_title(job.type, job.parameters),
        "summary": (diagnosis and diagnosis["summary"]) or job.message,
        "next_steps": diagnosis["next_steps"] if diagnosis else [],
    }


def _failures(project: Project, now: dt.datetime) -> list[_Failure]:
    """Return the newest recent failure of each producer, newest first."""
    since = now - dt.timedelta(days=ATTENTION_DAYS)
    jobs = Job.objects.filter(
        project=project, status=JobStatus.FAILED, created_at__gt=since
    ).annotate(producer=producer())
    newest: dict[Producer, _Failure] = {}
    rows: Iterable[Any] = jobs.order_by("-created_at").values(
        "id", "type", "producer", "created_at"
    )[:FAILURES_LOOKED_AT]
    for row in rows:
        newest.setdefault(_producer(row), row)
    return list(newest.values())[:PRODUCERS_LOOKED_AT]


def _producer(row: _Failure) -> Producer:
    return row["type"], row["producer"]


def _resolved(project: Project, failures: Sequence[_Failure]) -> set[Producer]:
    """Return the producers that succeeded after their failure."""
    if not failures:
        return set()
    first, *others = (_successes(project, failure) for failure in failures)
    return set(first.union(*others, all=True) if others else first)


def _successes(project: Project, failure: _Failure) -> "QuerySet[Job, Any]":
    jobs = (
        Job.objects.filter(project=project, type=failure["type"])
        .annotate(producer=producer())
        .filter(producer=failure["producer"])
    )
    later = jobs.filter(created_at__gt=failure["created_at"], status=JobStatus.SUCCEEDED)
    return later.order_by("-created_at").values_list("type", "producer")[:1]


def _results(project: Project) -> list[ResultBody]:
    """Return the versions made by the latest successful jobs, newest first."""
    latest = (
        Job.objects.filter(project=project, status=JobStatus.SUCCEEDED)
        .order_by("-created_at")
        .values("id")[:SUCCESSES_LOOKED_AT]
    )
    named = {
        f"its_{kind}_{field}": F(f"{column}__{path}")
        for kind, column, owner in _OUTPUTS
        for field, path in (("name", f"{owner}__name"), ("version", "number"), ("at", "created_at"))
    }
    rows: Iterable[Any] = (
        JobOutput.objects.filter(job__in=latest)
        .order_by("-id")
        .values("job_id", **named)[:RESULTS_MAX]
    )
    return [_result(row) for row in rows]


_OUTPUTS = (
    ("dataset", "dataset_version", "dataset"),
    ("model", "model_version", "model"),
    ("twin", "twin_revision", "twin"),
)


def _result(row: Mapping[str, Any]) -> ResultBody:
    kind = next(kind for kind, _, _ in _OUTPUTS if row[f"its_{kind}_name"] is not None)
    return {
        "kind": kind,
        "name": row[f"its_{kind}_name"],
        "version": row[f"its_{kind}_version"],
        "at": row[f"its_{kind}_at"],
        "job": row["job_id"],
    }


def _usage(project: Project) -> UsageBody:
    """Return resources held by the project's workers and its limit of running jobs."""
    held = Attempt.objects.filter(gone_at__isnull=True, job__project=project).aggregate(
        running=Count("id"),
        cpu_millicores=Sum("cpu_millicores", default=0),
        memory_bytes=Sum("memory_bytes", default=0),
    )
    limit = (
        Limit.objects.filter(scope=Limit.Scope.PROJECT, key=project.slug)
        .values_list("max_jobs", flat=True)
        .first()
    )
    return {
        "running": held["running"],
        "limit": limit,
        "cpu_millicores": held["cpu_millicores"],
        "memory_bytes": held["memory_bytes"],
    }
