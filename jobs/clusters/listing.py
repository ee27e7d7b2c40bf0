"""Clusters: as administrators see them, with health and room, and the names and regions that anybody's job may ask for."""

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from django.db.models import Count, QuerySet, Sum

from jobs.core.resources import format_cpu, format_memory
from jobs.models import Attempt, Cluster
from mimir.lib.clock import utc_now
from mimir.lib.errors import NotFound

OWN = "local"  # the installation's own, which its first start makes
NOT_YET = "not looked at yet"  # of a row that is new, or that points elsewhere now: it gets no work before it has answered
SHOWN_MAX = 20
STALE_SECONDS = 60.0  # without a look for so long nobody knows


class Health(StrEnum):
    """How a cluster stands."""

    OK = "ok"
    UNREACHABLE = "unreachable"  # it gets no new work; what runs there goes on
    DISABLED = "disabled"  # an administrator has switched it off; what runs there goes on
    UNKNOWN = "unknown"  # the reconciler has not looked at it lately, or not yet


def place_faults(*, cluster: str, region: str) -> dict[str, str]:
    """What is wrong with a place that a job asks for, by field; empty where nothing is.

    A cluster that is switched off may be asked for: it is there, the job waits for it and says so.
    """
    if not (cluster or region):
        return {}
    rows = list(Cluster.objects.order_by("name").values_list("name", "region"))
    names, regions = (
        [name for name, _region in rows],
        sorted({where for _name, where in rows if where}),
    )
    if cluster and cluster not in names:
        return {"cluster": f"there is no cluster of that name: {_told(names)}"}
    if region and region not in regions:
        return {"region": f"no cluster is in that region: {_told(regions)}"}
    if cluster and region and (cluster, region) not in rows:
        where = dict(rows)[cluster]
        return {
            "region": f"the cluster {cluster} is in {where}"
            if where
            else f"the cluster {cluster} is in no region"
        }
    return {}


def _told(names: list[str]) -> str:
    """The names there are, so that a person can choose one."""
    if not names:
        return "there is none; leave it out"
    more = f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    return f"use {', '.join(names[:SHOWN_MAX])}{more}, or leave it out"


def cluster_list() -> "QuerySet[Cluster, Cluster]":
    """Every row, to be ordered by name."""
    return Cluster.objects.all()


def cluster_get(*, name: str, lock: bool = False) -> Cluster:
    """One row, locked for a change if asked. Raises: NotFound."""
    rows = Cluster.objects.select_for_update() if lock else Cluster.objects
    row = rows.filter(name=name).first()
    if row is None:
        raise NotFound(f"There is no cluster {name[:63]}.")
    return row


def cluster_is_free(*, name: str) -> bool:
    """Whether no attempt refers to it, so that it may be taken away. The installation's own, made at each start, never is."""
    return name != OWN and not Attempt.objects.filter(cluster=name).exists()


def clusters_as_dicts(rows: Sequence[Cluster]) -> list[dict[str, Any]]:
    """Clusters as administrators see them, with the room that attempts hold: one query for all."""
    held = (
        Attempt.objects.filter(cluster__in=[row.name for row in rows], gone_at__isnull=True)
        .order_by()
        .values("cluster_id")
        .annotate(
            jobs=Count("id"), cpu=Sum("cpu_millicores"), memory=Sum("memory_bytes"), gpu=Sum("gpus")
        )
    )
    used: dict[str, dict[str, Any]] = {row["cluster_id"]: {**row} for row in held}
    return [_shape(row, used.get(row.name, {})) for row in rows]


def health_of(row: Cluster) -> Health:
    """How it stands now."""
    if not row.enabled:
        return Health.DISABLED
    if row.unreachable_since is not None:
        return Health.UNKNOWN if row.unreachable_message == NOT_YET else Health.UNREACHABLE
    stale = row.reached_at is None or row.reached_at < utc_now() - dt.timedelta(
        seconds=STALE_SECONDS
    )
    return Health.UNKNOWN if stale else Health.OK


def _shape(row: Cluster, used: dict[str, Any]) -> dict[str, Any]:
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
        "used": {
            "jobs": used.get("jobs", 0),
            "cpu": format_cpu(used.get("cpu", 0)),
            "memory": format_memory(used.get("memory", 0)),
            "gpu": used.get("gpu", 0),
        },
        "health": {
            "state": health_of(row).value,
            "reached_at": row.reached_at,
            "unreachable_since": row.unreachable_since,
            "message": (row.unreachable_message or "no reason known")
            if row.unreachable_since
            else "",
        },
    }
