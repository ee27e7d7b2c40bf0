"""The writes of the reconciler: each under the rows' locks, and only if they still stand as they were when it decided."""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from jobs.contract import EventKind, FailureReason, JobStatus
from jobs.core import feed
from jobs.core.transition import attempt_lock, event_add, wake_on_commit
from jobs.lifecycle.ending import attempt_end, job_finish_cancelled
from jobs.logs.append import WrongOffset, log_append, log_close
from jobs.models import Attempt, Job
from jobs.reconcile.attempts import view_of
from jobs.reconcile.decide import Action, AttemptView, WorkerState, Times
from mimir.lib.clock import utc_now
from mimir.lib.errors import MimirError

ACTOR = "reconciler"
TAIL_TRIES = 10
LOST_TAIL = "The worker ended without delivering its log: lines after this one may be missing."


def times() -> Times:
    """The settings that decisions about attempts need."""
    env = settings.ENV
    return Times(
        launch_timeout=env.launch_timeout,
        cancel_grace=env.cancel_grace,
        worker_grace=env.worker_grace,
    )


def end_if_unchanged(*, row: AttemptView, action: Action, seen: WorkerState | None) -> bool:
    """End the attempt with the action's reason; False when its row has changed since it was read."""
    assert action.reason is not None
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=row.id)
        if not _unchanged(attempt, row):
            return False
        _keep_exit(attempt, seen)
        detail = {}
        if seen is not None:
            detail = {
                "exit_code": seen.exit_code,
                "signal": seen.signal,
                "peak_bytes": seen.peak_memory_bytes,
            }
        attempt_end(
            job=job,
            attempt=attempt,
            reason=action.reason,
            actor=ACTOR,
            message=action.message
            or attempt.message,  # the worker's, which said that it was asked to stop
            detail={key: value for key, value in detail.items() if value is not None},
            ready=_ready(row, action, seen),
        )
    return True


def _ready(row: AttemptView, action: Action, seen: WorkerState | None) -> dict[str, Any] | None:
    """What the cluster tells, or told at last, of the action's reason; with the action's sentence, which may say more."""
    known = row.waits_for if seen is None else seen.ready
    if known is None or known["category"] != action.reason:
        return None
    ready = {name: known[name] for name in ("category", "summary", "detail", "next_steps")}
    return {**ready, **({"summary": action.message} if action.message else {})}


def wait_record(
    *, attempt_id: UUID, told: Mapping[str, Any] | None, only_first: bool = False
) -> bool:
    """Keep what an attempt that nobody has claimed waits for, a diagnosis, and tell who watches; None: nothing any more.

    It stands at the attempt, and at the job for as long as this is `launching`.

    A new category is an event; a new sentence of the same one is not. `only_first`: a reason that is known already is better, and stays.
    """
    with transaction.atomic():
        try:
            job, attempt = attempt_lock(attempt_id=attempt_id)
        except Attempt.DoesNotExist:
            return False
        open_still = not (attempt.claim_id or attempt.fenced_at or attempt.ended_at)
        if job.status != JobStatus.LAUNCHING or job.attempt != attempt.number or not open_still:
            return False
        before = attempt.waits_for
        if before is None and told is None:
            return False
        if before is not None and only_first:
            return False
        fresh = told is not None and (before is None or before["category"] != told["category"])
        attempt.waits_for = None
        if told is not None:
            since = utc_now().isoformat() if before is None or fresh else before["since"]
            attempt.waits_for = {**told, "since": since}
        attempt.save(update_fields=["waits_for"])
        Job.objects.filter(id=job.id).update(
            message=told["summary"] if told else "", diagnosis=told
        )
        # Every worker waits for its start: that is not an event.
        if fresh and told is not None and told["category"] != FailureReason.STARTING:
            data = {"category": told["category"], "summary": told["summary"]}
            event_add(job=job, attempt=attempt.number, kind=EventKind.WAITS, actor=ACTOR, data=data)
        else:
            feed.publish_job(job_id=job.id, project_id=job.project_id)
    return True


def pods_keep(*, pods: Mapping[UUID, Sequence[Mapping[str, Any]]]) -> None:
    """Keep the last state seen of attempts' pods: the cluster forgets them, and why an attempt ended is told from both."""
    ids, seen = list(pods), [json.dumps(list(each)) for each in pods.values()]
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [ids, seen])


_KEEP = """
UPDATE jobs_attempt AS attempt SET pods_seen = seen.pods::jsonb
FROM (SELECT * FROM unnest(%s::uuid[], %s::text[]) AS given (id, pods)) AS seen WHERE attempt.id = seen.id
"""


def fence_if_unchanged(*, row: AttemptView) -> bool:
    """Fence an attempt whose job has moved on, or that did not heed a cancel; False when its row has changed."""
    with transaction.atomic():
        _job, attempt = attempt_lock(attempt_id=row.id)
        if not _unchanged(attempt, row):
            return False
        now = utc_now()
        Attempt.objects.filter(id=row.id).update(fenced_at=now, ended_at=now)
    return True


def terminate_asked(*, row: AttemptView, at: dt.datetime) -> None:
    """Remember when the worker was first asked to stop, by the database's clock: the grace counts from there, whoever leads."""
    Attempt.objects.filter(id=row.id, terminate_asked_at__isnull=True).update(terminate_asked_at=at)


def gone_if_unchanged(*, row: AttemptView, seen: WorkerState | None) -> bool:
    """The worker is gone: free its room, close its log, finish a cancel; False when its row has changed."""
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=row.id)
        if not _unchanged(attempt, row):
            return False
        _keep_exit(attempt, seen)
        gone_record(job=job, attempt=attempt)
    return True


def gone_record(
    *, job: Job, attempt: Attempt, marker: str = LOST_TAIL, data: dict[str, Any] | None = None
) -> None:
    """The worker counts as gone (both rows locked by the caller). `marker`: the last line of a log that it did not close itself."""
    attempt.gone_at = utc_now()
    attempt.save(update_fields=["gone_at"])
    if attempt.log_closed_at is None:
        _close_lost(job, attempt, marker)
    event_add(job=job, attempt=attempt.number, kind=EventKind.WORKER_GONE, actor=ACTOR, data=data)
    if job.attempt == attempt.number and job.status == JobStatus.CANCELLING:
        job_finish_cancelled(job=job, actor=ACTOR)
    wake_on_commit(job=job)


def log_rest_append(*, attempt_id: UUID, read: Callable[[int], Iterator[bytes]]) -> None:
    """Append what the worker left past the stored end; `read(offset)` gives it in pieces.

    Each piece is bounded. Where somebody else has appended meanwhile (a late copy of a request, another reconciler) it goes on behind
    that. A closed log, or a limit, ends it: what cannot be stored is what the marker line stands for.
    """
    end = Attempt.objects.values_list("log_end", flat=True).get(id=attempt_id)
    for _ in range(TAIL_TRIES):
        try:
            for piece in read(end):
                end = log_append(attempt_id=attempt_id, offset=end, data=piece)
        except WrongOffset as moved:
            end = moved.end
        except MimirError:
            return
        else:
            return


def cleaned_up(*, attempt_id: UUID) -> None:
    """The worker object is removed; nothing is left to look at."""
    Attempt.objects.filter(id=attempt_id, cleaned_up_at__isnull=True).update(
        cleaned_up_at=utc_now()
    )


def _close_lost(job: Job, attempt: Attempt, marker: str) -> None:
    """Close the log of a worker that did not finish. One that never began has a whole, empty log."""
    began = attempt.claimed_at is not None
    log_close(attempt=attempt, complete=not began, marker=marker if began else None)
    event_add(
        job=job,
        attempt=attempt.number,
        kind=EventKind.LOG_CLOSED,
        actor=ACTOR,
        data={"end": attempt.log_end, "complete": attempt.log_complete},
    )


def _unchanged(attempt: Attempt, row: AttemptView) -> bool:
    return view_of(attempt).fence() == row.fence()


def _keep_exit(attempt: Attempt, seen: WorkerState | None) -> None:
    if seen is None:
        return
    if attempt.exit_code is None and attempt.exit_signal is None:
        attempt.exit_code, attempt.exit_signal = seen.exit_code, seen.signal
    if seen.peak_memory_bytes is not None:
        attempt.peak_memory_bytes = max(attempt.peak_memory_bytes or 0, seen.peak_memory_bytes)
    attempt.save(update_fields=["exit_code", "exit_signal", "peak_memory_bytes"])
