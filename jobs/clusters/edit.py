"""Administrators' changes of clusters: create, change and remove.

Each change holds the admission lock: an admission pass cannot place a worker on a cluster while
the cluster is moved or removed. Each change wakes admission, and takes effect at once.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import IntegrityError, connection, transaction

from jobs.clusters.check import COLUMNS, column_faults, launcher_fault, name_fault
from jobs.clusters.launchers.base import LauncherKind
from jobs.clusters.listing import NOT_OBSERVED, OWN, cluster_get, cluster_is_free
from jobs.core import queue
from jobs.core.locks import ADMISSION_LOCK
from jobs.models import Attempt, Cluster
from mimir.api.etags import Preconditions, check_etag
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Invalid

log = structlog.get_logger(__name__)
WHERE = ("context", "namespace")  # location of the workers; cannot change while workers exist


def cluster_faults(
    *, values: Mapping[str, object], cluster: Cluster | None = None
) -> dict[str, str]:
    """Return the errors of `values` by column. Writes nothing.

    `cluster`: the row to change; None for a new one.
    """
    launcher = (
        cluster.launcher
        if cluster is not None
        else str(values.get("launcher", LauncherKind.KUBERNETES))
    )
    faults = column_faults(values, launcher=launcher)
    if cluster is None:
        faults |= {"name": name_fault(values.get("name")), "launcher": launcher_fault(launcher)}
    return {name: fault for name, fault in faults.items() if fault}


def cluster_create(
    *, name: str, actor: str, launcher: str = LauncherKind.KUBERNETES, **values: Any
) -> Cluster:
    """Create a cluster. It gets work once the reconciler has reached it.

    `values`: its columns, all optional except `capacity_jobs`. A missing CPU or memory means
    no limit of that amount.

    Raises: Invalid; Conflict when the name is taken.
    """
    columns = {"capacity_cpu_millicores": 0, "capacity_memory_bytes": 0, **_cut(values)}
    faults = cluster_faults(values={"name": name, "launcher": launcher, **columns})
    if "capacity_jobs" not in columns:
        faults["capacity_jobs"] = "is required: the maximum number of concurrent workers"
    if faults:
        raise Invalid("The cluster cannot be added: see the fields.", detail=faults)
    try:
        with transaction.atomic():
            _hold_admission()
            row = Cluster.objects.create(
                name=name,
                launcher=launcher,
                unreachable_since=utc_now(),
                unreachable_message=NOT_OBSERVED,
                **columns,
            )
            transaction.on_commit(queue.wake_all, robust=True)
    except IntegrityError as error:
        taken = "is taken, choose another one"
        raise Conflict(
            f"The name {name} is taken. Choose another one.",
            code="name_taken",
            detail={"name": taken},
        ) from error
    log.info("cluster added", cluster=name, actor=actor)
    return row


def cluster_change(
    *, name: str, changes: Mapping[str, object], actor: str, etags: Preconditions | None = None
) -> Cluster:
    """Change the given columns of a cluster; columns written by the loops stay.

    Raises: NotFound, Invalid; PreconditionFailed when `etags` is given and lacks the current one;
    Conflict for another context or namespace while workers exist at the current one.
    """
    with transaction.atomic():
        _hold_admission()
        row = cluster_get(name=name, lock=True)
        check_etag(cluster_etag(row), etags)
        columns = {
            column: value
            for column, value in _cut(changes).items()
            if getattr(row, column) != value
        }
        faults = cluster_faults(values=columns, cluster=row)
        if faults:
            raise Invalid("The cluster cannot be changed: see the fields.", detail=faults)
        moved = {
            column: "cannot change while workers run there" for column in WHERE if column in columns
        }
        if moved and Attempt.objects.filter(cluster=row, cleaned_up_at__isnull=True).exists():
            message = (
                f"Workers run at the current context and namespace of {name}. "
                "Disable it and wait until they have ended, or add another cluster."
            )
            raise Conflict(message, code="cluster_in_use", detail=moved)
        written = columns | (
            {
                "reached_at": None,
                "unreachable_since": utc_now(),
                "unreachable_message": NOT_OBSERVED,
                "away_seconds": 0.0,
                "away_web_seconds": None,
            }
            if moved
            else {}
        )
        for column, value in written.items():
            setattr(row, column, value)
        if written:
            row.save(update_fields=sorted(written))
        transaction.on_commit(queue.wake_all, robust=True)
    log.info("cluster changed", cluster=name, actor=actor, columns=sorted(columns))
    return row


def cluster_delete(*, name: str, actor: str, etags: Preconditions | None = None) -> None:
    """Remove a cluster that no attempt refers to. A job that requests it waits and shows why.

    Raises: NotFound, PreconditionFailed; Conflict while an attempt refers to it, and for the
    installation's own cluster.
    """
    with transaction.atomic():
        _hold_admission()
        row = cluster_get(name=name, lock=True)
        check_etag(cluster_etag(row), etags)
        if not cluster_is_free(name=name):
            why = (
                "is the installation's own cluster, created at each start"
                if name == OWN
                else "has attempts that refer to it"
            )
            raise Conflict(f"The cluster {name} {why}. Disable it instead.", code="cluster_in_use")
        row.delete()
        transaction.on_commit(queue.wake_all, robust=True)
    log.info("cluster removed", cluster=name, actor=actor)


def cluster_etag(cluster: Cluster) -> str:
    """Return the ETag of the editable columns; columns written by the loops do not change it."""
    state = json.dumps([getattr(cluster, column) for column in COLUMNS], sort_keys=True)
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:32]}"'


def _cut(values: Mapping[str, object]) -> dict[str, object]:
    """Return the known columns of `values`, with stripped texts and no slash at a URL's end."""
    cut = {
        name: value.strip() if isinstance(value, str) else value
        for name, value in values.items()
        if name in COLUMNS
    }
    if isinstance(url := cut.get("orchestrator_url"), str):
        cut["orchestrator_url"] = url.rstrip("/")
    return cut


def _hold_admission() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
