"""Administrators' clusters: made, changed, taken away. Each wakes admission: what it allows starts at once.

All of it holds the admission lock, so that no pass places a worker on a cluster while it is moved or taken away.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import IntegrityError, connection, transaction

from jobs.clusters.check import COLUMNS, column_faults, launcher_fault, name_fault
from jobs.clusters.launchers.base import LauncherKind
from jobs.clusters.listing import NOT_YET, OWN, cluster_get, cluster_is_free
from jobs.core import queue
from jobs.core.locks import ADMISSION_LOCK
from jobs.models import Attempt, Cluster
from mimir.api.etags import Preconditions, check_etag
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Invalid

log = structlog.get_logger(__name__)
WHERE = ("context", "namespace")  # where its workers are: may not move while some are there


def cluster_faults(*, values: Mapping[str, Any], cluster: Cluster | None = None) -> dict[str, str]:
    """What is wrong with `values`, by column. `cluster`: the row they change, None for a new one. Writes nothing."""
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
    """A new row, which gets work once the reconciler has reached it.

    `values`: its columns, each optional but `capacity_jobs`; no CPU or no memory: not limited there.

    Raises: Invalid, Conflict for a name that is taken.
    """
    asked = {"capacity_cpu_millicores": 0, "capacity_memory_bytes": 0, **_cut(values)}
    faults = cluster_faults(values={"name": name, "launcher": launcher, **asked})
    if "capacity_jobs" not in asked:
        faults["capacity_jobs"] = "has to be given: how many workers may be there at once"
    if faults:
        raise Invalid("The cluster cannot be added: see the fields.", detail=faults)
    try:
        with transaction.atomic():
            _hold_admission()
            row = Cluster.objects.create(
                name=name,
                launcher=launcher,
                unreachable_since=utc_now(),
                unreachable_message=NOT_YET,
                **asked,
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
    *, name: str, changes: Mapping[str, Any], actor: str, etags: Preconditions | None = None
) -> Cluster:
    """Change the given columns of a row; what the loops write is left alone.

    Raises: NotFound, Invalid; PreconditionFailed when `etags` is given and lacks the present one; Conflict for another context or
    namespace while workers are where it points now.
    """
    with transaction.atomic():
        _hold_admission()
        row = cluster_get(name=name, lock=True)
        check_etag(cluster_etag(row), etags)
        asked = {
            column: value
            for column, value in _cut(changes).items()
            if getattr(row, column) != value
        }
        faults = cluster_faults(values=asked, cluster=row)
        if faults:
            raise Invalid("The cluster cannot be changed: see the fields.", detail=faults)
        moved = {
            column: "may not change while workers are there" for column in WHERE if column in asked
        }
        if moved and Attempt.objects.filter(cluster=row, cleaned_up_at__isnull=True).exists():
            message = f"Workers are on {name}, where it points now: switch it off and wait until they have ended, or add another cluster."
            raise Conflict(message, code="cluster_in_use", detail=moved)
        written = asked | (
            {"reached_at": None, "unreachable_since": utc_now(), "unreachable_message": NOT_YET}
            if moved
            else {}
        )
        for column, value in written.items():
            setattr(row, column, value)
        if written:
            row.save(update_fields=sorted(written))
        transaction.on_commit(queue.wake_all, robust=True)
    log.info("cluster changed", cluster=name, actor=actor, columns=sorted(asked))
    return row


def cluster_delete(*, name: str, actor: str, etags: Preconditions | None = None) -> None:
    """Take a row away that no attempt refers to. A job that asks for it waits and says so.

    Raises: NotFound, PreconditionFailed; Conflict while an attempt refers to it, and for the installation's own.
    """
    with transaction.atomic():
        _hold_admission()
        row = cluster_get(name=name, lock=True)
        check_etag(cluster_etag(row), etags)
        if not cluster_is_free(name=name):
            why = (
                "is the installation's own cluster, made anew at each start"
                if name == OWN
                else "has attempts of jobs that refer to it"
            )
            raise Conflict(
                f"The cluster {name} {why}: switch it off instead.", code="cluster_in_use"
            )
        row.delete()
        transaction.on_commit(queue.wake_all, robust=True)
    log.info("cluster taken away", cluster=name, actor=actor)


def cluster_etag(cluster: Cluster) -> str:
    """Changes with every change that somebody makes, not with what the loops write."""
    told = json.dumps([getattr(cluster, column) for column in COLUMNS], sort_keys=True)
    return f'"{hashlib.sha256(told.encode()).hexdigest()[:32]}"'


def _cut(values: Mapping[str, Any]) -> dict[str, Any]:
    """The columns among `values`, without the spaces around texts and the slash behind a URL."""
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
