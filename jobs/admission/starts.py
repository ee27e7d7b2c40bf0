"""Starts of workers in the database: the start window of each cluster, read, judged and stored."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import BooleanField, Case, Q, QuerySet, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from jobs.admission.snapshot_types import Snapshot
from jobs.admission.start_window import Bounds, Start, StartWindow, judge
from jobs.contract import FailureReason
from jobs.core.compiled_instances import CompiledInstances
from jobs.core.compiled_query import CompiledQuery
from jobs.models import Attempt, Cluster
from jobs.models import StartWindow as StartWindowRow
from jobs.reasons import PLAIN_STARTS

# Waits of a worker that is being started now. One that waits for anything else, such as capacity
# of its cluster or a person, costs its node nothing.
_STARTING = (
    "",
    *PLAIN_STARTS,
    FailureReason.IMAGE_PULLING,
    FailureReason.CLUSTER_UNREACHABLE,  # its launch has no answer yet
)


def bounds() -> Bounds:
    """Return the bounds of start windows from the settings."""
    env = settings.ENV
    return Bounds(env.start_window_min, env.start_window, env.start_window_max)


def with_starting(attempts: "QuerySet[Attempt, Attempt]") -> "QuerySet[Attempt, Attempt]":
    """Annotate attempts with `is_starting`: the worker is being started and has not claimed.

    False for an attempt whose launches fail: it has no worker, and is retried with a back-off.
    """
    starting = When(
        Q(launch_failures=0) | ~Q(uid=""),
        claim_id=None,
        ended_at=None,
        fenced_at=None,
        wait_category__in=_STARTING,
        then=Value(True),
    )
    case = Case(starting, default=Value(False), output_field=BooleanField())
    return attempts.alias(wait_category=_wait("category")).annotate(is_starting=case)


def _wait(key: str) -> Coalesce:
    """Return a value of the stored wait as text; an empty text without one."""
    return Coalesce(KeyTextTransform(key, "waits_for"), Value(""), output_field=TextField())


def windows_judge(clusters: Sequence[Cluster]) -> dict[str, StartWindow]:
    """Return the window of each cluster by name, after the starts since the last pass.

    The caller holds the admission lock. `clusters`: from `clusters_with_limits`, with their stored
    windows. Sets their `start_size`.
    """
    windows = {row.name: _window(row) for row in clusters}
    starts = _starts(windows)
    for row in clusters:
        read_at: dt.datetime = getattr(row, "read_at")  # noqa: B009 - annotated by the query
        if found := starts.get(row.name):
            before, now = windows[row.name], read_at.timestamp()
            windows[row.name] = judge(before, found, now=now, bounds=bounds())
        setattr(row, "start_size", windows[row.name].size)  # noqa: B010 - an annotation
    return windows


def windows_store(
    clusters: Sequence[Cluster], windows: Mapping[str, StartWindow], full: Collection[str]
) -> None:
    """Store the windows that changed in a pass, with one statement.

    `full`: clusters for whose start window jobs may wait. A claim on one of them wakes admission.
    """
    changed = []
    for row in clusters:
        # `cluster_id`, because `cluster` would also set the stored window of `row`.
        values = asdict(windows[row.name]) | {"jobs_wait": row.name in full}
        stored: StartWindowRow | None = getattr(row, "start_window", None)
        if stored is None or any(getattr(stored, name) != values[name] for name in values):
            changed.append(StartWindowRow(cluster_id=row.name, **values))
    if changed:
        StartWindowRow.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["cluster"],
            update_fields=[*asdict(windows[changed[0].cluster_id]), "jobs_wait"],
        )


def _window(row: Cluster) -> StartWindow:
    """Return the stored window of a cluster, or a new one of the first size."""
    stored: StartWindowRow | None = getattr(row, "start_window", None)
    if stored is None:
        return StartWindow(size=float(bounds().first))
    return StartWindow(
        size=stored.size,
        usual_seconds=stored.usual_seconds,
        slow_share=stored.slow_share,
        cut_at=stored.cut_at,
        judged_at=stored.judged_at,
        claimed_at=stored.claimed_at,
    )


def _starts(windows: "dict[str, StartWindow]") -> dict[str, Sequence[Start]]:
    """Return the launched starts of each cluster: in progress, or claimed and not judged yet.

    Only of workers that still exist, and without those that waited for an image or for capacity.
    """
    first = min((each.claimed_at for each in windows.values()), default=0.0)
    found: dict[str, list[Start]] = defaultdict(list)
    rows = _LAUNCHED_STARTS.rows(dt.datetime.fromtimestamp(first, dt.UTC))
    for name, admitted_at, launched_at, claimed_at in rows:
        # A quick worker claims before the answer to its launch is stored.
        since = launched_at if claimed_at is None or launched_at <= claimed_at else admitted_at
        found[name].append(
            Start(
                admitted_at.timestamp(),
                since.timestamp(),
                claimed_at.timestamp() if claimed_at else None,
            )
        )
    return dict(found)


def _launched_starts() -> "QuerySet[Attempt, Any]":
    """Return the attempts that `_starts` reads: cluster, admission, launch and claim."""
    return (
        with_starting(Attempt.objects.filter(gone_at=None, launched_at__isnull=False))
        .alias(delayed=_wait("delayed"))
        .filter(Q(claimed_at__gt=_CLAIMED_AFTER) | Q(is_starting=True))
        .filter(wait_category__in=("", *PLAIN_STARTS))
        .exclude(delayed="true")
        .values_list("cluster_id", "created_at", "launched_at", "claimed_at")
    )


_CLAIMED_AFTER = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAUNCHED_STARTS = CompiledQuery(_launched_starts, varies=_CLAIMED_AFTER)


def full_windows(view: Snapshot, admitted: Sequence[tuple[UUID, str]]) -> set[str]:
    """Return the clusters whose start window is full after a pass. Pure."""
    starting = Counter[str]()
    for each in view.allocations:
        starting[each.cluster] += each.is_starting * each.workers
    starting.update(cluster for _job_id, cluster in admitted)
    return {
        capacity.cluster
        for capacity in view.capacities
        if capacity.start_window is not None and starting[capacity.cluster] >= capacity.start_window
    }


def cluster_with_window(name: str) -> Cluster:
    """Return a cluster and its stored start window, in one query."""
    return _WITH_WINDOW.get(name)


def _with_window() -> "QuerySet[Cluster, Cluster]":
    return Cluster.objects.select_related("start_window").filter(name=_ANY_NAME)


_ANY_NAME = "?"
_WITH_WINDOW = CompiledInstances(_with_window, varies=_ANY_NAME)


def has_waiting_jobs(cluster: Cluster) -> bool:
    """Return whether jobs wait for the start window of a cluster from `cluster_with_window`."""
    stored: StartWindowRow | None = getattr(cluster, "start_window", None)
    return stored is not None and stored.jobs_wait
