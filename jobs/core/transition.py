"""The one writer of a job's status, and of its events. Every other service that moves a job calls `job_move`.

A move is one conditional UPDATE (of the attempt and the statuses the caller expects) and one JobEvent in the caller's transaction. The
event's `seq` is taken from the job's own counter by the same UPDATE: a database sequence would commit out of order, and a reader that
went on after seq N would miss N - 1.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import F

from jobs.contract import TERMINAL, EventKind, JobStatus
from jobs.core import feed, queue
from jobs.core.bulk import insert_many
from jobs.core.metrics import ended_count, tried_again_count
from jobs.core.states import may_move
from jobs.models import Attempt, Job, JobEvent
from mimir.lib.clock import utc_now

log = structlog.get_logger(__name__)


def job_lock(*, job_id: UUID) -> Job:
    """The job's row, locked until the transaction ends. Raises: Job.DoesNotExist."""
    return Job.objects.select_for_update().get(id=job_id)


def attempt_lock(*, attempt_id: UUID) -> tuple[Job, Attempt]:
    """An attempt and its job, both locked, the job first. Raises: Attempt.DoesNotExist."""
    job_id = Attempt.objects.values_list("job_id", flat=True).get(id=attempt_id)
    job = job_lock(job_id=job_id)
    attempt = Attempt.objects.select_for_update().get(id=attempt_id)
    attempt.job = job
    return job, attempt


def job_move(
    *,
    job: Job,
    sources: Collection[JobStatus],
    target: JobStatus,
    kind: EventKind,
    actor: str,
    data: dict[str, Any] | None = None,
    next_attempt: bool = False,
    **fields: Any,
) -> bool:
    """Move `job` to `target` if its row still stands at `job.attempt` in one of `sources`; write the event; wake on commit.

    Returns False, having changed nothing, when the row stands elsewhere. `next_attempt` raises the attempt number with the move.
    `fields` are further columns of the same UPDATE. Refreshes `job` from the row.

    Raises: ValueError for a move the table does not have (a defect of the caller).
    """
    if not connection.in_atomic_block:
        raise RuntimeError("a job moves inside a transaction only")
    refused = [source for source in sources if not may_move(source, target)]
    if refused:
        raise ValueError(f"no move from {refused[0]} to {target}")
    at = utc_now()
    if target in TERMINAL:
        fields.setdefault("finished_at", at)
    moved = Job.objects.filter(id=job.id, attempt=job.attempt, status__in=list(sources)).update(
        status=target,
        attempt=F("attempt") + (1 if next_attempt else 0),
        event_seq=F("event_seq") + 1,
        **fields,
    )
    if not moved:
        return False
    number = job.attempt
    job.refresh_from_db()
    JobEvent.objects.create(
        job=job, seq=job.event_seq, at=at, attempt=number, kind=kind, actor=actor, data=data or {}
    )
    feed.publish_job(job_id=job.id, project_id=job.project_id)
    _log_on_commit(job, number, target, kind)
    if target in TERMINAL:
        ended_count(job=job)
    elif target == JobStatus.QUEUED:
        tried_again_count(job=job)
    if target in TERMINAL or target == JobStatus.QUEUED:
        wake_on_commit(job=job)
    return True


def _log_on_commit(job: Job, attempt: int, target: JobStatus, kind: EventKind) -> None:
    """One line for each move, once it is true. It bears the request's id when a request did it."""
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
    events: Iterable[tuple[EventKind, dt.datetime, dict[str, Any]]],
) -> int:
    """Add events that move nothing; returns the last seq. Locks the job's row through its counter."""
    rows = list(events)
    if not rows:
        return job.event_seq
    if not connection.in_atomic_block:
        raise RuntimeError("events are added inside a transaction only")
    Job.objects.filter(id=job.id).update(event_seq=F("event_seq") + len(rows))
    last = Job.objects.values_list("event_seq", flat=True).get(id=job.id)
    first = last - len(rows) + 1
    JobEvent.objects.bulk_create(
        JobEvent(
            job_id=job.id,
            seq=first + index,
            at=at,
            attempt=attempt,
            kind=kind,
            actor=actor,
            data=data,
        )
        for index, (kind, at, data) in enumerate(rows)
    )
    job.event_seq = last
    feed.publish_job(job_id=job.id, project_id=job.project_id)
    return last


def jobs_move(
    *,
    jobs: Sequence[Job],
    source: JobStatus,
    target: JobStatus,
    kind: EventKind,
    actor: str,
    data: Mapping[UUID, dict[str, Any]],
    **fields: Any,
) -> None:
    """`job_move` for many jobs that the caller has locked and found in `source`; for moves that end nothing. `data`: by job.

    Raises: ValueError for a move the table does not have, or one of a row that stands elsewhere (a defect of the caller).
    """
    if not may_move(source, target) or target in TERMINAL or target == JobStatus.QUEUED:
        raise ValueError(f"no move of many from {source} to {target}")
    if not connection.in_atomic_block:
        raise RuntimeError("jobs move inside a transaction only")
    locked = Job.objects.filter(id__in=[job.id for job in jobs], status=source)
    if locked.update(status=target, event_seq=F("event_seq") + 1, **fields) != len(jobs):
        raise ValueError("a job that was locked stands elsewhere")
    at = utc_now()
    for job in jobs:
        job.status = target
        job.event_seq += 1
        _log_on_commit(job, job.attempt, target, kind)
    insert_many(
        JobEvent,
        {
            "job_id": [job.id for job in jobs],
            "seq": [job.event_seq for job in jobs],
            "attempt": [job.attempt for job in jobs],
            "data": [json.dumps(data[job.id]) for job in jobs],
            "at": [
                at + dt.timedelta(microseconds=index) for index in range(len(jobs))
            ],  # who reads by time finds the order
        },
        kind=kind,
        actor=actor,
    )
    feed.publish_jobs([(job.id, job.project_id) for job in jobs])


def event_add(
    *, job: Job, attempt: int, kind: EventKind, actor: str, data: dict[str, Any] | None = None
) -> int:
    """Add one event that moves nothing, now; returns its seq."""
    return events_add(job=job, attempt=attempt, actor=actor, events=[(kind, utc_now(), data or {})])


def wake_on_commit(*, job: Job) -> None:
    """Ask the dispatcher to look, once the transaction is committed: the message must not overtake the row it is about."""
    priority = job.priority
    transaction.on_commit(lambda: queue.wake(priority), robust=True)
