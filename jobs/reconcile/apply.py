"""Writes of the reconciler: under the rows' locks, and only if the rows are unchanged."""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from jobs.contract import EventKind, FailureReason, JobStatus
from jobs.core import feed
from jobs.core.transition import attempt_lock, event_add, wake_waiting_on_commit
from jobs.diagnosis.kubernetes.objects import Object
from jobs.diagnosis.message import DiagnosisBody
from jobs.diagnosis.stored import read_diagnosis
from jobs.lifecycle.ending import attempt_end, job_finish_cancelled
from jobs.liveness.uptime import web_pauses
from jobs.logs.append import WrongOffset, log_append, log_close
from jobs.models import Attempt, Job
from jobs.reasons import PLAIN_STARTS
from jobs.reconcile.attempts import view_of
from jobs.reconcile.decide import Action, AttemptView, Times, WorkerState
from mimir.lib.clock import utc_now
from mimir.lib.errors import MimirError

ACTOR = "reconciler"
TAIL_TRIES = 10
WAIT_OVER = "The cause of the delay is over. The worker is starting."
LOST_TAIL = "The worker ended without delivering its log: lines after this one may be missing."


def times(*, unclaimed_since: dt.datetime | None = None) -> Times:
    """Return the settings that decisions about attempts need.

    `unclaimed_since`: time of admission of an attempt that may have missed its launch timeout.
    Web's pauses since then are read; None: no pauses.
    """
    env = settings.ENV
    return Times(
        launch_timeout=env.launch_timeout,
        cancel_grace=env.cancel_grace,
        worker_grace=env.worker_grace,
        web_pauses=tuple(web_pauses(unclaimed_since)) if unclaimed_since is not None else (),
    )


def end_if_unchanged(*, row: AttemptView, action: Action, state: WorkerState | None) -> bool:
    """End the attempt with the action's reason; False when its row has changed since the read."""
    assert action.reason is not None
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=row.id)
        if not _unchanged(attempt, row):
            return False
        if fields := _set_exit(attempt, state):
            attempt.save(update_fields=fields)
        detail = {}
        if state is not None:
            detail = {
                "exit_code": state.exit_code,
                "signal": state.signal,
                "peak_bytes": state.peak_memory_bytes,
            }
        attempt_end(
            job=job,
            attempt=attempt,
            reason=action.reason,
            actor=ACTOR,
            # An interrupted worker has left its own message.
            message=action.text or attempt.message,
            detail={key: value for key, value in detail.items() if value is not None},
            cluster_diagnosis=_cluster_diagnosis(row, action, state),
        )
    return True


def _cluster_diagnosis(
    row: AttemptView, action: Action, state: WorkerState | None
) -> DiagnosisBody | None:
    """Return the cluster's last diagnosis if it has the action's reason; None otherwise.

    The action's text, if any, replaces the summary of the diagnosis.
    """
    known = read_diagnosis(row.waits_for) if state is None else state.diagnosis
    if known is None or known["category"] != action.reason:
        return None
    return {**known, "summary": action.text} if action.text else known


def wait_record(
    *,
    attempt_id: UUID,
    wait: DiagnosisBody | None,
    actor: str = ACTOR,
    only_first: bool = False,
) -> bool:
    """Store why an unclaimed attempt waits, and notify its followers; None: it no longer waits.

    The wait is stored with the attempt and its job, only while the job is `launching`. A new
    category is an event; a new summary of the same category is not. `only_first`: keep a wait that
    is stored already. Returns whether the wait was stored.
    """
    with transaction.atomic():
        try:
            job, attempt = attempt_lock(attempt_id=attempt_id)
        except Attempt.DoesNotExist:
            return False
        is_open = not (attempt.claim_id or attempt.fenced_at or attempt.ended_at)
        if job.status != JobStatus.LAUNCHING or job.attempt != attempt.number or not is_open:
            return False
        before = attempt.waits_for
        if before is None and wait is None:
            return False
        if before is not None and only_first:
            return False
        fresh = wait is not None and (before is None or before["category"] != wait["category"])
        attempt.waits_for = None
        if wait is not None:
            since = utc_now().isoformat() if before is None or fresh else before["since"]
            attempt.waits_for = {**wait, "since": since, "delayed": _was_delayed(before)}
        attempt.save(update_fields=["waits_for"])
        Job.objects.filter(id=job.id).update(
            message=wait["summary"] if wait else "", diagnosis=wait
        )
        if data := _wait_event(before, wait, is_new=fresh):
            event_add(job=job, attempt=attempt.number, kind=EventKind.WAITS, actor=actor, data=data)
        else:
            feed.publish_job(job_id=job.id, project_id=job.project_id)
    return True


def _wait_event(
    before: Mapping[str, object] | None, wait: DiagnosisBody | None, *, is_new: bool
) -> dict[str, object] | None:
    """Return the data of the event for a changed wait; None without an event.

    Every worker waits for its start: that is an event only if it ends another wait.
    """
    if wait is not None and wait["category"] != FailureReason.STARTING:
        return {"category": wait["category"], "summary": wait["summary"]} if is_new else None
    if before is None or before["category"] == FailureReason.STARTING:
        return None
    summary = wait["summary"] if wait is not None else WAIT_OVER
    return {"category": FailureReason.STARTING, "summary": summary}


def _was_delayed(before: Mapping[str, object] | None) -> bool:
    """Return whether the start was delayed by another cause, such as an image pull or capacity.

    Its duration is then not a measure of the load (`jobs.admission.starts`).
    """
    if before is None:
        return False
    return bool(before.get("delayed")) or before["category"] not in PLAIN_STARTS


def pods_keep(*, pods: Mapping[UUID, Sequence[Object]]) -> None:
    """Store the last known state of attempts' pods.

    A diagnosis needs it when the cluster no longer has the pod.
    """
    ids, states = list(pods), [json.dumps(list(each)) for each in pods.values()]
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [ids, states])


_KEEP = """
UPDATE jobs_attempt AS attempt SET pods_seen = observed.pods::jsonb
FROM (SELECT * FROM unnest(%s::uuid[], %s::text[]) AS given (id, pods)) AS observed
WHERE attempt.id = observed.id
"""


def fence_if_unchanged(*, row: AttemptView) -> bool:
    """Fence an attempt whose job has moved on, or that ignored a cancel.

    False when its row has changed.
    """
    with transaction.atomic():
        _job, attempt = attempt_lock(attempt_id=row.id)
        if not _unchanged(attempt, row):
            return False
        now = utc_now()
        Attempt.objects.filter(id=row.id).update(fenced_at=now, ended_at=now)
    return True


def terminate_requested(*, row: AttemptView, at: dt.datetime) -> None:
    """Store the time of the worker's first stop signal, by the database's clock.

    The grace period counts from this time, also if another process takes over the lease.
    """
    Attempt.objects.filter(id=row.id, terminate_asked_at__isnull=True).update(terminate_asked_at=at)


def gone_if_unchanged(*, row: AttemptView, state: WorkerState | None) -> bool:
    """Record that the worker is gone: free its capacity, close its log, finish a cancel.

    False when its row has changed.
    """
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=row.id)
        if not _unchanged(attempt, row):
            return False
        gone_record(job=job, attempt=attempt, fields=_set_exit(attempt, state))
    return True


def gone_record(
    *,
    job: Job,
    attempt: Attempt,
    marker: str = LOST_TAIL,
    data: dict[str, object] | None = None,
    fields: Sequence[str] = (),
) -> None:
    """Record that the worker is gone (both rows locked by the caller).

    `marker`: the last line of the log, if the worker did not close it. `fields`: changed columns of
    the attempt to save as well.
    """
    attempt.gone_at = utc_now()
    attempt.save(update_fields=["gone_at", *fields])
    if attempt.log_closed_at is None:
        _close_lost(job, attempt, marker)
    event_add(job=job, attempt=attempt.number, kind=EventKind.WORKER_GONE, actor=ACTOR, data=data)
    if job.attempt == attempt.number and job.status == JobStatus.CANCELLING:
        job_finish_cancelled(job=job, actor=ACTOR)
    wake_waiting_on_commit(job=job)


def log_rest_append(*, attempt_id: UUID, read: Callable[[int], Iterator[bytes]]) -> None:
    """Append the worker's log past the stored end; `read(offset)` returns it in bounded pieces.

    After a concurrent append (a late copy of a request, another reconciler) it continues from the
    new end. A closed log or a limit stops it: the marker line stands for the missing bytes.
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


def clean_up_record(*, attempt_id: UUID) -> None:
    """Record that the worker object is removed.

    Removes the stored pods and the stored wait of an attempt without a failure reason, because
    nothing reads them any more.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLEANED_UP, [utc_now(), attempt_id])


_CLEANED_UP = """
UPDATE jobs_attempt SET cleaned_up_at = %s,
    pods_seen = CASE WHEN reason = '' THEN '[]' ELSE pods_seen END,
    waits_for = CASE WHEN reason = '' THEN NULL ELSE waits_for END
WHERE id = %s AND cleaned_up_at IS NULL
"""


def _close_lost(job: Job, attempt: Attempt, marker: str) -> None:
    """Close the log of a worker that did not finish.

    Without a claim the log is complete and empty.
    """
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


def _set_exit(attempt: Attempt, state: WorkerState | None) -> list[str]:
    """Set the exit and the peak memory that the cluster reports; return the changed columns."""
    if state is None:
        return []
    found: dict[str, int | None] = {}
    if attempt.exit_code is None and attempt.exit_signal is None:
        found = {"exit_code": state.exit_code, "exit_signal": state.signal}
    if state.peak_memory_bytes is not None:
        found["peak_memory_bytes"] = max(attempt.peak_memory_bytes or 0, state.peak_memory_bytes)
    changed = [name for name, value in found.items() if getattr(attempt, name) != value]
    for name in changed:
        setattr(attempt, name, found[name])
    return changed
