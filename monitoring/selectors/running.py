"""Queues, workers with their usage, capacity of clusters, limits.

Uses the partial indexes of live rows.
"""

from collections import Counter
from typing import Any, TypedDict

from django.db.models import Count, F, Min, OuterRef, Q, Subquery, Sum
from django.db.models.functions import JSONObject

from jobs.admission.snapshot import start_window
from jobs.admission.starts import with_starting
from jobs.clusters.listing import health_of
from jobs.clusters.machine import attempt_limits
from jobs.contract import JobStatus, Priority
from jobs.models import Attempt, Cluster, Job, Limit, UsageSample
from mimir.lib.clock import utc_now
from monitoring.state_types import CapacityState, LimitState, QueueState, WorkerState

WORKERS_MAX = 100


class _Held(TypedDict):
    """Capacity that the workers of a job type and a project hold on a cluster."""

    cluster_id: str
    type: str
    project: str
    jobs: int
    cpu: int
    memory: int
    gpu: int
    starting: int


def queues() -> list[QueueState]:
    """Return every priority class, the most urgent first, with its jobs and longest wait."""
    found = (
        Job.objects.filter(status=JobStatus.QUEUED)
        .order_by()
        .values("priority")
        .annotate(length=Count("id"), oldest=Min("queued_at"))
    )
    rows, now = {row["priority"]: row for row in found}, utc_now()
    return [
        {
            "priority": priority.value,
            "length": rows[priority]["length"] if priority in rows else 0,
            "oldest_seconds": max(0.0, round((now - rows[priority]["oldest"]).total_seconds(), 1))
            if priority in rows
            else None,
        }
        for priority in Priority
    ]


def workers() -> list[WorkerState]:
    """Return the workers that hold capacity, the longest running first, at most WORKERS_MAX.

    Each has its latest usage sample and its limits.
    """
    latest = UsageSample.objects.filter(attempt=OuterRef("pk")).order_by("-at")
    sample = Subquery(
        latest.values(use=JSONObject(memory="memory_bytes", cpu="cpu_millicores"))[:1]
    )
    rows = (
        Attempt.objects.filter(gone_at__isnull=True)
        .select_related("job__project", "cluster")
        .annotate(sample=sample)
        .order_by("created_at", "id")[:WORKERS_MAX]
    )
    return [_worker(row) for row in rows]


def _worker(row: Any) -> WorkerState:
    limits = attempt_limits(
        row.job.resources, row.memory_limit_bytes, launcher=row.cluster.launcher
    )
    use = row.sample or {"memory": None, "cpu": None}
    return {
        "job": str(row.job_id),
        "attempt": row.number,
        "project": row.job.project.slug,
        "type": row.job.type,
        "name": row.job.name,
        "cluster": row.cluster_id,
        "since": row.claimed_at or row.created_at,
        "memory_bytes": use["memory"],
        "memory_limit_bytes": limits.memory_bytes,
        "cpu_millicores": use["cpu"],
        "cpu_limit_millicores": limits.cpu_millicores,
    }


def usage() -> tuple[list[CapacityState], list[LimitState], int]:
    """Return clusters with used capacity, limits with usage, and the number of workers."""
    rows = (
        with_starting(Attempt.objects.filter(gone_at__isnull=True))
        .order_by()
        .values("cluster_id", type=F("job__type"), project=F("job__project__slug"))
        .annotate(
            jobs=Count("id"),
            cpu=Sum("cpu_millicores"),
            memory=Sum("memory_bytes"),
            gpu=Sum("gpus"),
            starting=Count("id", filter=Q(is_starting=True)),
        )
    )
    held = [_Held(**row) for row in rows]
    return _capacity(held), _limits(held), sum(row["jobs"] for row in held)


def _capacity(held: list[_Held]) -> list[CapacityState]:
    used: dict[str, Counter[str]] = {}
    for row in held:
        used.setdefault(row["cluster_id"], Counter()).update(
            jobs=row["jobs"],
            cpu=row["cpu"],
            memory=row["memory"],
            gpu=row["gpu"],
            starting=row["starting"],
        )
    return [
        {
            "cluster": row.name,
            "launcher": row.launcher,
            "region": row.region,
            "enabled": row.enabled,
            "state": health_of(row).value,
            "jobs": row.capacity_jobs,
            "used_jobs": used.get(row.name, Counter())["jobs"],
            "cpu_millicores": row.capacity_cpu_millicores or None,
            "used_cpu_millicores": used.get(row.name, Counter())["cpu"],
            "memory_bytes": row.capacity_memory_bytes or None,
            "used_memory_bytes": used.get(row.name, Counter())["memory"],
            "gpus": row.capacity_gpus,
            "used_gpus": used.get(row.name, Counter())["gpu"],
            "starting": used.get(row.name, Counter())["starting"],
            "start_window": start_window(row),
            "reached_at": row.reached_at,
            "unreachable_message": (row.unreachable_message or "no reason known")
            if row.unreachable_since
            else "",
        }
        for row in Cluster.objects.annotate(start_size=F("start_window__size")).order_by("name")
    ]


def _limits(held: list[_Held]) -> list[LimitState]:
    running = {("global", ""): sum(row["jobs"] for row in held)}
    for row in held:
        for key in (("type", row["type"]), ("project", row["project"])):
            running[key] = running.get(key, 0) + row["jobs"]
    return [
        {
            "scope": row.scope,
            "key": row.key,
            "max_jobs": row.max_jobs,
            "paused": row.paused,
            "running": running.get((row.scope, row.key), 0),
        }
        for row in Limit.objects.order_by("scope", "key")
    ]


def reconcile_lag_seconds() -> float | None:
    """Return the age of the oldest complete observation of a cluster; None before the first."""
    oldest = Cluster.objects.filter(enabled=True, reached_at__isnull=False).aggregate(
        oldest=Min("reached_at")
    )["oldest"]
    return None if oldest is None else max(0.0, round((utc_now() - oldest).total_seconds(), 1))
