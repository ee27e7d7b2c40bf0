"""The writes of the reconciler: each under the rows' locks, and only if they still stand as they were when it decided."""

from collections.abc import Callable, Iterator
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from jobs.contract import EventKind, JobStatus
from jobs.models import Attempt, Job
from jobs.reconciliation import Action, AttemptView, Sight
from jobs.selectors.attempts import view_of
from jobs.services.ending import attempt_end, job_finish_cancelled
from jobs.services.logs import WrongOffset, log_append, log_close
from jobs.services.transition import attempt_lock, event_add, wake_on_commit
from mimir.lib.clock import utc_now
from mimir.lib.errors import MimirError

ACTOR = "reconciler"
TAIL_TRIES = 10
LOST_TAIL = "The worker ended without delivering its log: lines after this one may be missing."


def end_if_unchanged(*, row: AttemptView, action: Action, seen: Sight | None) -> bool:
    """End the attempt with the action's reason; False when its row has changed since it was read."""
    assert action.reason is not None
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=row.id)
        if not _unchanged(attempt, row):
            return False
        _keep_exit(attempt, seen)
        detail = {}
        if seen is not None:
            detail = {"exit_code": seen.exit_code, "signal": seen.signal, "peak_bytes": seen.peak_memory_bytes}
        attempt_end(
            job=job,
            attempt=attempt,
            reason=action.reason,
            actor=ACTOR,
            message=action.message,
            detail={key: value for key, value in detail.items() if value is not None},
        )
    return True


def fence_if_unchanged(*, row: AttemptView) -> bool:
    """Fence an attempt whose job has moved on, or that did not heed a cancel; False when its row has changed."""
    with transaction.atomic():
        _job, attempt = attempt_lock(attempt_id=row.id)
        if not _unchanged(attempt, row):
            return False
        now = utc_now()
        Attempt.objects.filter(id=row.id).update(fenced_at=now, ended_at=now)
    return True


def terminate_asked(*, row: AttemptView) -> None:
    """Remember when the worker was first asked to stop: the grace counts from there, whoever leads, by the database's clock."""
    Attempt.objects.filter(id=row.id, terminate_asked_at__isnull=True).update(terminate_asked_at=Now())


def gone_if_unchanged(*, row: AttemptView, seen: Sight | None) -> bool:
    """The worker is gone: free its room, close its log, finish a cancel; False when its row has changed."""
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=row.id)
        if not _unchanged(attempt, row):
            return False
        attempt.gone_at = utc_now()
        attempt.save(update_fields=["gone_at"])
        _keep_exit(attempt, seen)
        if attempt.log_closed_at is None:
            _close_lost(job, attempt)
        event_add(job=job, attempt=attempt.number, kind=EventKind.WORKER_GONE, actor=ACTOR)
        if job.attempt == attempt.number and job.status == JobStatus.CANCELLING:
            job_finish_cancelled(job=job, actor=ACTOR)
        wake_on_commit(job=job)
    return True


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
    Attempt.objects.filter(id=attempt_id, cleaned_up_at__isnull=True).update(cleaned_up_at=utc_now())


def _close_lost(job: Job, attempt: Attempt) -> None:
    """Close the log of a worker that did not finish. One that never began has a whole, empty log."""
    began = attempt.claimed_at is not None
    log_close(attempt=attempt, complete=not began, marker=LOST_TAIL if began else None)
    event_add(
        job=job,
        attempt=attempt.number,
        kind=EventKind.LOG_CLOSED,
        actor=ACTOR,
        data={"end": attempt.log_end, "complete": attempt.log_complete},
    )


def _unchanged(attempt: Attempt, row: AttemptView) -> bool:
    return view_of(attempt).fence() == row.fence()


def _keep_exit(attempt: Attempt, seen: Sight | None) -> None:
    if seen is None:
        return
    if attempt.exit_code is None and attempt.exit_signal is None:
        attempt.exit_code, attempt.exit_signal = seen.exit_code, seen.signal
    if seen.peak_memory_bytes is not None:
        attempt.peak_memory_bytes = max(attempt.peak_memory_bytes or 0, seen.peak_memory_bytes)
    attempt.save(update_fields=["exit_code", "exit_signal", "peak_memory_bytes"])
