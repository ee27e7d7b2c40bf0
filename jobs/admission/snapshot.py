"""Read the input of an admission decision.

Runs inside the transaction that holds the admission lock, or without the lock for explanations.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypedDict
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    When,
)
from django.db.models.functions import Cast, Coalesce, Extract, JSONObject, Now

from jobs.admission.snapshot_types import Allocation, Candidate, ClusterCapacity, Limits, Snapshot
from jobs.admission.starts import bounds, with_starting
from jobs.contract import JobStatus, Priority
from jobs.core.compiled_query import CompiledQuery
from jobs.models import Attempt, Cluster, Job, Limit
from jobs.models.expressions import requested
from jobs.reasons import UNCOUNTED_REASONS
from projects.models import ProjectStatus


def snapshot(
    clusters: Sequence[Cluster] | None = None,
    *,
    waiting: Sequence[Candidate] | None = None,
    summed: bool = False,
) -> Snapshot:
    """Return capacities, allocations, waiting jobs, limits and the database's time.

    Three queries: one less with the `clusters` from `clusters_with_limits`, and one less with the
    `waiting` jobs to consider; None: read all of them. `summed`: allocations summed in the
    database, which is enough for decisions. Explanations need the times of each attempt.
    """
    rows = list(clusters_with_limits()) if clusters is None else clusters
    return Snapshot(
        now=_read_at(rows[0]) if rows else 0.0,
        capacities=tuple(_capacity(row) for row in rows),
        allocations=allocations_summed() if summed else allocations(),
        waiting=waiting_jobs() if waiting is None else tuple(waiting),
        limits=limits(getattr(rows[0], "limits") if rows else ()),  # noqa: B009
        ageing_seconds=settings.ENV.ageing_seconds,
        reserve_after_seconds=settings.ENV.reserve_after_seconds,
    )


def _read_at(cluster: Cluster) -> float:
    at: dt.datetime = getattr(cluster, "read_at")  # noqa: B009 - see `clusters_with_limits`
    return at.timestamp()


def clusters_with_limits() -> "QuerySet[Cluster, Cluster]":
    """Return all clusters by name, annotated with the database's time and the rows of all limits.

    One query reads all small values: `read_at`, `limits` and `start_size`.
    """
    rows = Limit.objects.order_by("id").values(
        row=JSONObject(scope="scope", key="key", max_jobs="max_jobs", paused="paused")
    )
    return Cluster.objects.annotate(
        read_at=Now(), limits=ArraySubquery(rows), start_size=F("start_window__size")
    ).order_by("name")


def waiting_and_free_slot(most: int) -> tuple[int, bool]:
    """Return the number of waiting jobs, at most `most`, and whether an open cluster has a slot.

    One statement, cheaper than a snapshot. Without a waiting job it does not check for a slot.
    """
    free_slot, parameters = _FREE_SLOT.statement
    with connection.cursor() as cursor:
        cursor.execute(
            _WAITING_AND_FREE_SLOT.format(free_slot=free_slot),
            [*parameters, JobStatus.QUEUED.value, most],
        )
        count, is_free = cursor.fetchone()
    return count, is_free


_WAITING_AND_FREE_SLOT = """
SELECT waiting.count, CASE WHEN waiting.count > 0 THEN EXISTS ({free_slot}) ELSE false END
FROM (
    SELECT count(*) AS count FROM (SELECT FROM jobs_job WHERE status = %s LIMIT %s) AS first
) AS waiting
"""


def _cluster_with_free_slot() -> "QuerySet[Cluster, Any]":
    used = Attempt.objects.filter(cluster=OuterRef("pk"), gone_at__isnull=True)
    counted = used.order_by().values("cluster").annotate(count=Count("pk")).values("count")
    return (
        Cluster.objects.filter(enabled=True, unreachable_since__isnull=True)
        .annotate(used=Coalesce(Subquery(counted), 0))
        .filter(used__lt=F("capacity_jobs"))
        .values_list("name")[:1]
    )


_FREE_SLOT = CompiledQuery(_cluster_with_free_slot)


def _capacity(row: Cluster) -> ClusterCapacity:
    """Return a cluster's capacity. Zero CPU or memory in the row means no limit."""
    return ClusterCapacity(
        cluster=row.name,
        jobs=row.capacity_jobs,
        cpu_millicores=row.capacity_cpu_millicores or None,
        memory_bytes=row.capacity_memory_bytes or None,
        gpus=row.capacity_gpus,
        open=row.enabled and row.unreachable_since is None,
        enabled=row.enabled,
        region=row.region,
        start_window=start_window(row),
    )


def start_window(row: Cluster) -> int:
    """Return the cluster's start window in workers; the first size before any start."""
    size: float | None = getattr(row, "start_size", None)
    limits = bounds()
    return max(limits.smallest, min(limits.largest, int(limits.first if size is None else size)))


def allocations() -> tuple[Allocation, ...]:
    """Return the capacity that attempts hold until their worker is observed gone.

    The status of their job does not matter.
    """
    rows = _holding_attempts().values_list(
        "cluster_id",
        "job__project__slug",
        "job__type",
        "cpu_millicores",
        "memory_bytes",
        "gpus",
        "job__exclusive_key",
        _epoch("created_at"),
        "job__status",
        _launch_fails(),
        "is_starting",
    )
    return tuple(
        Allocation(*[*row[:-3], row[-3] in (JobStatus.LAUNCHING, JobStatus.RUNNING), *row[-2:]])
        for row in rows
    )


def allocations_summed() -> tuple[Allocation, ...]:
    """Return `allocations` summed in the database, without times and statuses."""
    return tuple(
        Allocation(
            cluster=cluster,
            project=project,
            type=kind,
            cpu_millicores=cpu,
            memory_bytes=memory,
            gpus=gpus,
            exclusive_key=key,
            launch_fails=launch_fails,
            is_starting=is_starting,
            workers=workers,
        )
        for (
            cluster,
            project,
            kind,
            key,
            launch_fails,
            is_starting,
            cpu,
            memory,
            gpus,
            workers,
        ) in _SUMS.rows()
    )


def _sums() -> "QuerySet[Attempt, Any]":
    return (
        _holding_attempts()
        .annotate(launch_fails=_launch_fails())
        .order_by()
        .values_list(
            "cluster_id",
            "job__project__slug",
            "job__type",
            "job__exclusive_key",
            "launch_fails",
            "is_starting",
        )
        .annotate(
            cpu=Cast(Sum("cpu_millicores"), BigIntegerField()),
            memory=Cast(Sum("memory_bytes"), BigIntegerField()),
            gpu_count=Cast(Sum("gpus"), BigIntegerField()),
            workers=Count("pk"),
        )
    )


_SUMS = CompiledQuery(_sums)


def _holding_attempts() -> "QuerySet[Attempt, Attempt]":
    """Return the attempts that hold capacity, whatever the status of their job."""
    return with_starting(Attempt.objects.filter(gone_at__isnull=True))


def _launch_fails() -> "ExpressionWrapper[Q]":
    """Return whether a launch of the attempt failed and none has succeeded since."""
    return ExpressionWrapper(
        Q(launch_failures__gt=0, uid="", claim_id=None, ended_at=None), output_field=BooleanField()
    )


class LimitRow(TypedDict):
    """Columns of a limit that `clusters_with_limits` reads. `max_jobs` None: no limit."""

    scope: str
    key: str
    max_jobs: int | None
    paused: bool


def limits(rows: Iterable[LimitRow]) -> Limits:
    """Build the limits from their rows."""
    by_type: dict[str, int] = {}
    by_project: dict[str, int] = {}
    paused_types: set[str] = set()
    paused_projects: set[str] = set()
    jobs_global, paused = None, False
    for row in rows:
        if row["scope"] == Limit.Scope.GLOBAL:
            jobs_global, paused = row["max_jobs"], row["paused"]
            continue
        amounts, pauses = (
            (by_type, paused_types)
            if row["scope"] == Limit.Scope.TYPE
            else (by_project, paused_projects)
        )
        if row["max_jobs"] is not None:
            amounts[row["key"]] = row["max_jobs"]
        if row["paused"]:
            pauses.add(row["key"])
    return Limits(
        jobs_global,
        by_type,
        by_project,
        paused,
        frozenset(paused_types),
        frozenset(paused_projects),
    )


def queued_count(*, project_id: UUID) -> int:
    """Count the waiting jobs of a project, for the limit at submit."""
    return Job.objects.filter(project_id=project_id, status=JobStatus.QUEUED).count()


def waiting_jobs(ids: Collection[UUID] | None = None) -> tuple[Candidate, ...]:
    """Return all waiting jobs, or those with these ids. Costs about 20 µs a job."""
    rows = _WAITING.rows() if ids is None else _waiting().filter(id__in=ids)
    return tuple(map(candidate, rows))


def _waiting() -> "QuerySet[Job, Any]":
    """Return the columns that `candidate` reads, for all waiting jobs."""
    alive = Attempt.objects.filter(job_id=OuterRef("id"), gone_at__isnull=True)
    lost = Attempt.objects.filter(
        job_id=OuterRef("id"), number=OuterRef("attempt") - 1, reason__in=UNCOUNTED_REASONS
    )
    # Read only for retried jobs: it costs nothing for thousands that wait for their first worker.
    lost_on = Case(
        When(attempt__gt=1, then=Subquery(lost.values("cluster_id")[:1])), output_field=CharField()
    )
    return (
        Job.objects.filter(status=JobStatus.QUEUED)
        .annotate(
            since=_epoch("queued_at"), until=_epoch("not_before"), previous_alive=Exists(alive)
        )
        .annotate(
            lost_on=lost_on,
            cpu=requested("cpu_millicores"),
            memory=requested("memory_bytes"),
            gpus=requested("gpus"),
        )
        .values_list(
            "id",
            "project__slug",
            "type",
            "priority",
            "since",
            "cpu",
            "memory",
            "gpus",
            "exclusive_key",
            "until",
            "previous_alive",
            "project__status",
            "cluster",
            "region",
            "lost_on",
        )
        .order_by()
    )


_WAITING = CompiledQuery(_waiting)


def candidate(row: Sequence[Any]) -> Candidate:
    """Build a candidate from the columns that `waiting_jobs` reads, in their order."""
    job_id, project, kind, priority, queued_at, cpu, memory, gpus, key, not_before, *more = row
    previous_alive, status, cluster, region, lost_on = more
    return Candidate(
        job_id=job_id,
        project=project,
        type=kind,
        priority=Priority(priority),
        queued_at=queued_at,
        cpu_millicores=cpu,
        memory_bytes=memory,
        gpus=gpus,
        exclusive_key=key,
        not_before=not_before or 0.0,
        previous_alive=previous_alive,
        archived=status == ProjectStatus.ARCHIVED,
        cluster=cluster,
        region=region,
        lost_on=lost_on or "",
    )


# PostgreSQL returns amounts and times as numbers: with thousands waiting, parsing JSON and dates in
# Python took half of a pass.


def _epoch(field: str) -> Cast:
    """Return a time field as Unix seconds."""
    return Cast(Extract(field, "epoch"), FloatField())
