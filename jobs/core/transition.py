"""The only writer of a job's status and events; every other module calls `job_move`.

A move is one statement in the caller's transaction: a conditional UPDATE, on the attempt and the
statuses that the caller expects, and its events (`event_rows`).
"""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.sql import UpdateQuery

from jobs.contract import TERMINAL, EventKind, JobStatus
from jobs.core import feed, queue
from jobs.core.bulk import Statement, insert_statement
from jobs.core.compiled_instances import CompiledInstances
from jobs.core.compiled_query import CompiledQuery
from jobs.core.event_rows import EventRow, row_copy, update_with_events
from jobs.core.metrics import ended_count, retried_count
from jobs.core.states import may_move
from jobs.models import Attempt, Job, JobEvent
from mimir.lib.clock import utc_now

log = structlog.get_logger(__name__)


def job_lock(*, job_id: UUID) -> Job:
    """Lock and return the job's row. Raises: Job.DoesNotExist."""
    return Job.objects.select_for_update().get(id=job_id)


def attempt_lock(*, attempt_id: UUID) -> tuple[Job, Attempt]:
    """Lock and return a job and its attempt, the job first. Raises: Attempt.DoesNotExist."""
    attempt = _LOCKED.get(attempt_id)
    return attempt.job, attempt


def _locked() -> "QuerySet[Attempt, Attempt]":
    locked = Attempt.objects.select_related("job").select_for_update(of=("job", "self"))
    return locked.filter(id=_ANY_ID)


_ANY_ID = UUID(int=0)
_LOCKED = CompiledInstances(_locked, varies=_ANY_ID)


def job_move(
    *,
    job: Job,
    sources: Collection[JobStatus],
    target: JobStatus,
    kind: EventKind,
    actor: str,
    data: Mapping[str, object] | None = None,
    next_attempt: bool = False,
    earlier: Sequence[tuple[EventKind, Mapping[str, object]]] = (),
    **fields: Any,
) -> bool:
    """Move `job` to `target`, write the event and publish on commit.

    The move happens only if the row is still at `job.attempt` in one of `sources`; otherwise
    nothing changes and False is returned. `next_attempt` increments the attempt number. `earlier`:
    events of the same actor that precede the one of the move. `fields` are further columns of the
    same UPDATE. Refreshes `job` from the row.

    Raises: ValueError for a move that the table does not allow, RuntimeError outside a transaction
    (programming errors).
    """
    _check_move(sources, target)
    at = utc_now()
    if target in TERMINAL:
        fields.setdefault("finished_at", at)
    number = job.attempt
    events = [*((each, at, facts) for each, facts in earlier), (kind, at, data or {})]
    moved = update_with_events(
        Job.objects.filter(id=job.id, attempt=number, status__in=list(sources)),
        {"status": target, **({"attempt": F("attempt") + 1} if next_attempt else {}), **fields},
        attempt=number,
        actor=actor,
        events=events,
    )
    if moved is None:
        return False
    row_copy(moved, job)
    feed.publish_job(job_id=job.id, project_id=job.project_id)
    _log_on_commit(job, number, target, kind)
    if target in TERMINAL:
        ended_count(job=job)
    elif target == JobStatus.QUEUED:
        retried_count(job=job)
    if target == JobStatus.QUEUED or (target in TERMINAL and JobStatus.QUEUED in sources):
        # A worker holds its capacity until it is gone: the end of a running job frees nothing.
        wake_on_commit(job=job)
    return True


def _check_move(sources: Collection[JobStatus], target: JobStatus) -> None:
    """Check a move. Raises: RuntimeError outside a transaction; ValueError if not allowed."""
    if not connection.in_atomic_block:
        raise RuntimeError("a job can move only inside a transaction")
    refused = [source for source in sources if not may_move(source, target)]
    if refused:
        raise ValueError(f"no move from {refused[0]} to {target}")


def _log_on_commit(job: Job, attempt: int, target: JobStatus, kind: EventKind) -> None:
    """Log the move on commit, with the request id if a request made it."""
    facts = {
        "job_id": str(job.id),
        "attempt": attempt,
        "status": target.value,
        "kind": kind.value,
        "reason": str(job.reason),
    }
    transaction.on_commit(lambda: log.info("job moved", **facts), robust=True)


def events_add(
    *,
    job: Job,
    attempt: int,
    actor: str,
    events: Iterable[EventRow],
    **fields: float | str | None,
) -> int:
    """Add events without a transition; return the last seq. Locks the row of the job.

    `fields` are further columns of the same UPDATE.

    Raises: Job.DoesNotExist; RuntimeError outside a transaction.
    """
    rows = list(events)
    if not rows:
        return job.event_seq
    if not connection.in_atomic_block:
        raise RuntimeError("events can be added only inside a transaction")
    changed = update_with_events(
        Job.objects.filter(id=job.id), fields, attempt=attempt, actor=actor, events=rows
    )
    if changed is None:
        raise Job.DoesNotExist
    job.event_seq = changed.event_seq
    for name in fields:
        setattr(job, name, getattr(changed, name))
    feed.publish_job(job_id=job.id, project_id=job.project_id)
    return job.event_seq


def jobs_move(
    *,
    jobs: Sequence[Job],
    source: JobStatus,
    target: JobStatus,
    kind: EventKind,
    actor: str,
    data: Mapping[UUID, Mapping[str, object]],
    insert: Statement,
    **fields: Any,
) -> None:
    """Apply `job_move` to many jobs that the caller has locked in `source`. One statement.

    For moves to a status that is neither final nor `queued`. `data` maps job ids to event data.
    `insert`: the rows that belong to the move.

    Raises: ValueError for a move that the table does not allow or a row in another status,
    RuntimeError outside a transaction (programming errors).
    """
    if not may_move(source, target) or target in TERMINAL or target == JobStatus.QUEUED:
        raise ValueError(f"no bulk move from {source} to {target}")
    if not connection.in_atomic_block:
        raise RuntimeError("jobs can move only inside a transaction")
    for job in jobs:
        job.status = target
        job.event_seq += 1
        _log_on_commit(job, job.attempt, target, kind)
    locked = Job.objects.filter(id__in=[job.id for job in jobs], status=source)
    query: Any = locked.query.chain(UpdateQuery)
    query.add_update_values({"status": target, "event_seq": F("event_seq") + 1, **fields})
    update, parameters = query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
    events, event_parameters = _events_of(jobs, data, kind, actor)
    others, other_parameters = insert
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE_MANY.format(update=update, events=events, others=others),
            [*parameters, *event_parameters, *other_parameters],
        )
        if cursor.fetchone() != (len(jobs),):
            raise ValueError("a locked job has another status")
    feed.publish_jobs([(job.id, job.project_id) for job in jobs])


_MOVE_MANY = """
WITH moved AS ({update} RETURNING id), event AS ({events}), other AS ({others})
SELECT count(*) FROM moved
"""


def _events_of(
    jobs: Sequence[Job],
    data: Mapping[UUID, Mapping[str, object]],
    kind: EventKind,
    actor: str,
) -> Statement:
    """Return the insert of one event for each job, with the job's `event_seq`."""
    at = utc_now()
    columns: dict[str, Sequence[object]] = {
        "job_id": [job.id for job in jobs],
        "seq": [job.event_seq for job in jobs],
        "attempt": [job.attempt for job in jobs],
        "data": [json.dumps(data[job.id]) for job in jobs],
        # distinct times: sorting by time keeps the order
        "at": [at + dt.timedelta(microseconds=index) for index in range(len(jobs))],
    }
    return insert_statement(JobEvent, columns, kind=kind, actor=actor)


def event_add(
    *, job: Job, attempt: int, kind: EventKind, actor: str, data: Mapping[str, object] | None = None
) -> int:
    """Add one event without a move, with the current time; return its seq."""
    return events_add(job=job, attempt=attempt, actor=actor, events=[(kind, utc_now(), data or {})])


def wake_on_commit(*, job: Job) -> None:
    """Wake the dispatcher on commit: before it, the dispatcher could not read the row."""
    priority = job.priority
    transaction.on_commit(lambda: queue.wake(priority), robust=True)


def wake_waiting_on_commit(*, job: Job) -> None:
    """Wake the dispatcher on commit if a job waits: capacity is free.

    The waiting jobs are read after the commit. A job that is submitted later wakes the dispatcher
    itself, and then the capacity is free already.
    """
    priority = job.priority
    transaction.on_commit(
        lambda: queue.wake(priority) if _A_WAITING_JOB.rows() else None, robust=True
    )


_A_WAITING_JOB = CompiledQuery(
    lambda: Job.objects.filter(status=JobStatus.QUEUED).order_by().values_list("id")[:1]
)
