"""Reads of attempts for the reconciler: those whose worker can exist or is not cleaned up."""

import datetime as dt
from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import DurationField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now

from jobs.contract import JobStatus
from jobs.diagnosis.failures import Resources
from jobs.diagnosis.kubernetes.objects import Object
from jobs.models import Attempt, Cluster
from jobs.reconcile.decide import AttemptView
from mimir.lib.clock import utc_now

Fence = tuple[object, ...]  # of an attempt, see `AttemptView.fence`
_COLUMNS = (
    "id",
    "job_id",
    "number",
    "name",
    "job__status",
    "job__attempt",
    "job__timeout_seconds",
    "created_at",
    "uid",
    "claim_id",
    "launched_at",
    "claimed_at",
    "heartbeat_at",
    "fenced_at",
    "ended_at",
    "gone_at",
    "terminate_asked_at",
    "job__cancel_requested_at",
    "log_object",
    "waits_for",
    "end_status",
    "log_closed_at",
    "called_at",
)
_STATUSES = {status.value: status for status in JobStatus}


def open_attempts(*, cluster: Cluster) -> dict[UUID, AttemptView]:
    """Return the attempts of a cluster that are not cleaned up, by id.

    Columns, not model instances: a pass can read thousands.
    """
    rows = Attempt.objects.filter(cluster=cluster, cleaned_up_at__isnull=True)
    found = rows.values_list(*_COLUMNS).iterator(chunk_size=1000)
    return {row[0]: _view_of_columns(row) for row in found}


def open_fences(*, cluster: Cluster) -> dict[UUID, Fence]:
    """Return `AttemptView.fence` of the attempts that `open_attempts` returns, by id."""
    rows = Attempt.objects.filter(cluster=cluster, cleaned_up_at__isnull=True)
    found = rows.values_list(
        "id",
        "job__status",
        "job__attempt",
        "uid",
        "claim_id",
        "fenced_at",
        "ended_at",
        "gone_at",
    )
    return {row[0]: row[1:] for row in found.iterator(chunk_size=1000)}


def changed_attempts(
    *, cluster: Cluster, names: Collection[str]
) -> tuple[dict[UUID, AttemptView], dt.datetime]:
    """Return the open attempts of the workers `names`, and the database's time of the read."""
    rows = Attempt.objects.filter(cluster=cluster, cleaned_up_at__isnull=True, name__in=names)
    found = list(rows.annotate(read_at=Now()).values_list(*_COLUMNS, "read_at"))
    read_at = found[0][-1] if found else utc_now()
    return {row[0]: _view_of_columns(row[:-1]) for row in found}, read_at


def unsettled_names(*, cluster: Cluster) -> set[str]:
    """Return the workers whose attempts can need an action without a change on the cluster.

    The job of every other attempt is `running` within its time limit, and the attempt was not ended
    or replaced.
    """
    times_out_after = ExpressionWrapper(
        F("job__timeout_seconds") * dt.timedelta(seconds=1), output_field=DurationField()
    )
    runs = Q(
        job__status=JobStatus.RUNNING,
        job__attempt=F("number"),
        claimed_at__isnull=False,
        claimed_at__gt=Now() - times_out_after,
        fenced_at__isnull=True,
        ended_at__isnull=True,
        end_status="",
    )
    open_ = Attempt.objects.filter(cluster=cluster, gone_at__isnull=True)
    return set(open_.filter(~runs).values_list("name", flat=True))


def _view_of_columns(row: tuple[Any, ...]) -> AttemptView:
    """Build a view from the columns `_COLUMNS`."""
    *same, log_object, waits_for, end_status, log_closed_at, called_at = row
    same[4] = _STATUSES[same[4]]
    interrupted_at = _interrupted_at(end_status, same[14], log_closed_at)
    sealed, log_closed = log_object is not None, log_closed_at is not None
    return AttemptView(*[*same, sealed, waits_for, interrupted_at, called_at, log_closed])


def _interrupted_at(
    end_status: str, ended_at: dt.datetime | None, log_closed_at: dt.datetime | None
) -> dt.datetime | None:
    """Return when an interrupted worker finished; None if it did not.

    Such a finish closes the log and does not end the attempt.
    """
    return log_closed_at if end_status and ended_at is None else None


def view_of(row: Attempt) -> AttemptView:
    """Return an attempt (with its job) as a view."""
    return AttemptView(
        id=row.id,
        job_id=row.job_id,
        number=row.number,
        name=row.name,
        job_status=JobStatus(row.job.status),
        job_attempt=row.job.attempt,
        timeout_seconds=row.job.timeout_seconds,
        created_at=row.created_at,
        uid=row.uid,
        claim_id=row.claim_id,
        launched_at=row.launched_at,
        claimed_at=row.claimed_at,
        heartbeat_at=row.heartbeat_at,
        fenced_at=row.fenced_at,
        ended_at=row.ended_at,
        gone_at=row.gone_at,
        terminate_asked_at=row.terminate_asked_at,
        cancel_requested_at=row.job.cancel_requested_at,
        sealed=row.log_object is not None,
        waits_for=row.waits_for,
        interrupted_at=_interrupted_at(row.end_status, row.ended_at, row.log_closed_at),
        called_at=row.called_at,
        log_closed=row.log_closed_at is not None,
    )


def pods_of(attempt_id: UUID) -> list[Object]:
    """Return the stored state of each pod of an attempt."""
    found: list[Object] = Attempt.objects.values_list("pods_seen", flat=True).get(id=attempt_id)
    return found


def resources_of(attempt_id: UUID) -> Resources:
    """Return the resources of the attempt's job (`resources.as_dict`)."""
    found: Resources = Attempt.objects.values_list("job__resources", flat=True).get(id=attempt_id)
    return found


def database_now() -> dt.datetime:
    """Return the database's time, for comparison with times in rows.

    Read by a statement of its own, outside a transaction.
    """
    row = Cluster.objects.annotate(now=Now()).values_list("now", flat=True).first()
    return row or dt.datetime.now(dt.UTC)


def live_attempts() -> QuerySet[Attempt]:
    """Return the attempts that can still change their job."""
    return Attempt.objects.filter(
        fenced_at__isnull=True, ended_at__isnull=True, gone_at__isnull=True
    )
