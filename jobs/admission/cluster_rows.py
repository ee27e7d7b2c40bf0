"""Clusters as an admission pass reads them: columns of its decision, limits and start windows.

The SQL is built once. Django took longer to build this query than PostgreSQL to answer it.
"""

import json
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import QuerySet

from jobs.admission.snapshot import clusters_with_limits
from jobs.core.compiled_query import CompiledQuery
from jobs.models import Cluster, StartWindow

_COLUMNS = (
    "name",
    "enabled",
    "region",
    "capacity_jobs",
    "capacity_cpu_millicores",
    "capacity_memory_bytes",
    "capacity_gpus",
    "unreachable_since",
)
_ANNOTATIONS = ("read_at", "limits", "start_size")
_WINDOW = tuple(field.attname for field in StartWindow._meta.concrete_fields)


def clusters_with_windows() -> list[Cluster]:
    """Return the clusters of `clusters_with_limits` with their stored start windows.

    Only the columns that a decision needs are read. The others are deferred fields.
    """
    return [_cluster(row) for row in _CLUSTERS.rows()]


def _clusters() -> "QuerySet[Cluster, Any]":
    window = (f"start_window__{name}" for name in _WINDOW)
    return clusters_with_limits().values_list(*_COLUMNS, *_ANNOTATIONS, *window)


_CLUSTERS = CompiledQuery(_clusters)


def _cluster(row: tuple[Any, ...]) -> Cluster:
    columns = row[: len(_COLUMNS)]
    read_at, limits, start_size = row[len(_COLUMNS) : -len(_WINDOW)]
    window = row[-len(_WINDOW) :]
    cluster = Cluster.from_db(DEFAULT_DB_ALIAS, _COLUMNS, columns)
    annotations = {"read_at": read_at, "start_size": start_size, "limits": _parsed(limits)}
    for name, value in annotations.items():
        setattr(cluster, name, value)
    stored = None if window[0] is None else StartWindow.from_db(DEFAULT_DB_ALIAS, _WINDOW, window)
    Cluster._meta.get_field("start_window").set_cached_value(cluster, stored)  # type: ignore[union-attr]
    return cluster


def _parsed(limits: list[Any]) -> list[Any]:
    """Decode the JSON of limits, which Django's connections return as text."""
    return [json.loads(each) if isinstance(each, str) else each for each in limits]
