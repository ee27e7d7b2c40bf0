"""Reads of clusters: health and used capacity for administrators, names and regions for jobs."""

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from typing import TypedDict

from django.db.models import Count, QuerySet, Sum

from jobs.core.resources import format_cpu, format_memory
from jobs.models import Attempt, Cluster
from mimir.lib.clock import utc_now
from mimir.lib.errors import NotFound
from mimir.lib.json_types import JsonObject

OWN = "local"  # the installation's own cluster, created at its first start
# Message of a row that is new or was moved; it gets no jobs before it answers.
NOT_OBSERVED = "not checked yet"
SHOWN_MAX = 20
STALE_SECONDS = 60.0  # age of the last observation from which the health is unknown


class Health(StrEnum):
    """Health of a cluster."""

    OK = "ok"
    UNREACHABLE = "unreachable"  # it gets no new jobs; running workers continue
    DISABLED = "disabled"  # disabled by an administrator; running workers continue
    UNKNOWN = "unknown"  # not observed yet, or not recently


class CapacityBody(TypedDict):
    """Used or total capacity; `cpu` and `memory` are Kubernetes quantities. None: no limit."""

    jobs: int
    cpu: str | None
    memory: str | None
    gpu: int


class HealthBody(TypedDict):
    """Health of a cluster. `message` is empty unless it is unreachable."""

    state: str
    reached_at: dt.datetime | None
    unreachable_since: dt.datetime | None
    message: str


class ClusterBody(TypedDict):
    """A cluster, as the administrators' API returns it."""

    name: str
    launcher: str
    enabled: bool
    region: str
    context: str
    namespace: str
    orchestrator_url: str
    model_cache: str
    node_selector: JsonObject
    tolerations: list[JsonObject]
    gpu_node_selector: JsonObject
    gpu_tolerations: list[JsonObject]
    away_grace_seconds: int
    capacity: CapacityBody
    used: CapacityBody
    health: HealthBody


def place_faults(*, cluster: str, region: str) -> dict[str, str]:
    """Return the errors of the placement that a job requests, by field; empty if it is valid.

    A job may request a disabled cluster: the cluster exists, and the job waits and shows why.
    """
    if not (cluster or region):
        return {}
    rows = list(Cluster.objects.order_by("name").values_list("name", "region"))
    names, regions = (
        [name for name, _region in rows],
        sorted({where for _name, where in rows if where}),
    )
    if cluster and cluster not in names:
        return {"cluster": f"no cluster has that name: {_choices(names)}"}
    if region and region not in regions:
        return {"region": f"no cluster is in that region: {_choices(regions)}"}
    if cluster and region and (cluster, region) not in rows:
        where = dict(rows)[cluster]
        return {
            "region": f"the cluster {cluster} is in {where}"
            if where
            else f"the cluster {cluster} is in no region"
        }
    return {}


def _choices(names: list[str]) -> str:
    """Return the hint that lists the existing names, at most SHOWN_MAX of them."""
    if not names:
        return "there is none: leave it empty"
    more = f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    return f"use {', '.join(names[:SHOWN_MAX])}{more}, or leave it empty"


def cluster_list() -> "QuerySet[Cluster, Cluster]":
    """Return all clusters; the caller orders them by name."""
    return Cluster.objects.all()


def cluster_get(*, name: str, lock: bool = False) -> Cluster:
    """Return one cluster; with `lock`, its row is locked for a change. Raises: NotFound."""
    rows = Cluster.objects.select_for_update() if lock else Cluster.objects
    row = rows.filter(name=name).first()
    if row is None:
        raise NotFound(f"There is no cluster {name[:63]}.")
    return row


def cluster_is_free(*, name: str) -> bool:
    """Return whether the cluster can be removed: no attempt refers to it.

    The installation's own cluster cannot be removed: each start creates it.
    """
    return name != OWN and not Attempt.objects.filter(cluster=name).exists()


def clusters_as_dicts(rows: Sequence[Cluster]) -> list[ClusterBody]:
    """Return clusters for the administrators' API, with the used capacity from one query."""
    held = (
        Attempt.objects.filter(cluster__in=[row.name for row in rows], gone_at__isnull=True)
        .order_by()
        .values("cluster_id")
        .annotate(
            jobs=Count("id"), cpu=Sum("cpu_millicores"), memory=Sum("memory_bytes"), gpu=Sum("gpus")
        )
    )
    used: dict[str, CapacityBody] = {
        each["cluster_id"]: {
            "jobs": each["jobs"],
            "cpu": format_cpu(each["cpu"]),
            "memory": format_memory(each["memory"]),
            "gpu": each["gpu"],
        }
        for each in held
    }
    nothing: CapacityBody = {"jobs": 0, "cpu": format_cpu(0), "memory": format_memory(0), "gpu": 0}
    return [_shape(row, used.get(row.name, nothing)) for row in rows]


def health_of(row: Cluster) -> Health:
    """Return the current health of a cluster."""
    if not row.enabled:
        return Health.DISABLED
    if row.unreachable_since is not None:
        return Health.UNKNOWN if row.is_unobserved else Health.UNREACHABLE
    stale = row.reached_at is None or row.reached_at < utc_now() - dt.timedelta(
        seconds=STALE_SECONDS
    )
    return Health.UNKNOWN if stale else Health.OK


def _shape(row: Cluster, used: CapacityBody) -> ClusterBody:
    return {
        "name": row.name,
        "launcher": row.launcher,
        "enabled": row.enabled,
        "region": row.region,
        "context": row.context,
        "namespace": row.namespace,
        "orchestrator_url": row.orchestrator_url,
        "model_cache": row.model_cache,
        "node_selector": row.node_selector,
        "tolerations": row.tolerations,
        "gpu_node_selector": row.gpu_node_selector,
        "gpu_tolerations": row.gpu_tolerations,
        "away_grace_seconds": row.away_grace_seconds,
        "capacity": {
            "jobs": row.capacity_jobs,
            "cpu": format_cpu(row.capacity_cpu_millicores) if row.capacity_cpu_millicores else None,
            "memory": format_memory(row.capacity_memory_bytes)
            if row.capacity_memory_bytes
            else None,
            "gpu": row.capacity_gpus,
        },
        "used": used,
        "health": {
            "state": health_of(row).value,
            "reached_at": row.reached_at,
            "unreachable_since": row.unreachable_since,
            "message": (row.unreachable_message or "no reason known")
            if row.unreachable_since
            else "",
        },
    }
