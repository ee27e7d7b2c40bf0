"""Finish of an attempt by its worker. Idempotent; accepted only with a complete log.

Success and its outcome in the project are one transaction.
"""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from jobs.clusters.launchers.base import LauncherKind
from jobs.contract import EventKind, FailureReason, FinishStatus, JobStatus
from jobs.core.compiled_instances import CompiledInstances
from jobs.core.transition import attempt_lock, event_add, job_move
from jobs.lifecycle.ending import MESSAGE_MAX, attempt_end, job_finish_cancelled
from jobs.lifecycle.measured_runs import cpu_sustained
from jobs.lifecycle.report import events_check, events_insert
from jobs.lifecycle.values import FinishReport
from jobs.logs.append import log_close
from jobs.logs.read import log_sha256
from jobs.models import Attempt, Job
from jobs.types.outcome import OutcomeRefused, outcome_apply, outcome_prepare
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point
from mimir.lib.errors import Conflict, Gone


def attempt_finish(*, attempt_id: UUID, report: FinishReport) -> JobStatus:
    """Accept the finish report of an attempt; return its job's status. Idempotent.

    Raises: Conflict `log_incomplete` with the stored end in its detail; Gone if fenced; the errors
    of `events_record`. Nothing is stored then.
    """
    events_check(report.events)
    stored = _STORED.get(attempt_id)
    log_matches = _log_matches(stored, report)
    outcome = _prepare(stored, report)
    cpu_millicores = _cpu_millicores(stored, report)
    crash_point("finish.before_transaction")
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt_id)
        if attempt.fenced_at or attempt.claim_id is None:
            raise Gone(
                "This attempt is fenced: another attempt runs, or the job has ended.", code="fenced"
            )
        if attempt.ended_at:
            if attempt.end_status != report.status:
                raise Gone("This attempt has already ended with another status.", code="fenced")
            return JobStatus(job.status)
        if attempt.end_status:
            return JobStatus(job.status)  # a repeated finish of an interrupted worker
        if attempt.log_end < report.log_end:
            raise Conflict(
                "The log is incomplete.", code="log_incomplete", detail={"end": attempt.log_end}
            )
        events_insert(job=job, attempt=attempt, events=report.events)
        _set_exit(attempt, report, cpu_millicores)
        _close(
            attempt,
            complete=log_matches and attempt.log_end == report.log_end,
            missing=report.log_missing,
        )
        status = _apply(job, attempt, report, outcome)
        crash_point("finish.before_commit")
    return status


def _stored() -> "QuerySet[Attempt, Attempt]":
    rows = Attempt.objects.select_related("job__project", "job__created_by")
    return rows.filter(id=_ANY_ID)


_ANY_ID = UUID(int=0)
_STORED = CompiledInstances(_stored, varies=_ANY_ID)


def _log_matches(attempt: Attempt, report: FinishReport) -> bool:
    """Return whether the stored log is the reported log.

    Runs before the transaction: a log is long, and stored bytes do not change.
    """
    return attempt.log_end == report.log_end and log_sha256(attempt) == report.log_sha256


def _prepare(attempt: Attempt, report: FinishReport) -> Any:
    """Return the checked outcome of a success, or its refusal.

    Runs before the transaction: uploaded files do not change.
    """
    if report.status is not FinishStatus.SUCCEEDED:
        return None
    if attempt.ended_at or attempt.fenced_at:
        return None
    try:
        return outcome_prepare(job=attempt.job, attempt=attempt, result=report.result)
    except OutcomeRefused as refused:
        return refused


def _close(attempt: Attempt, *, complete: bool, missing: str) -> None:
    """Close the log, and save the exit in the same update."""
    marker = missing or (
        None
        if complete
        else "The stored log differs from the worker's log: the checksums do not match."
    )
    log_close(attempt=attempt, complete=marker is None, marker=marker, fields=_REPORTED)


def _log_event(attempt: Attempt) -> tuple[EventKind, dict[str, object]]:
    """Return kind and data of the "log closed" event."""
    return EventKind.LOG_CLOSED, {"end": attempt.log_end, "complete": attempt.log_complete}


def _log_event_add(job: Job, attempt: Attempt) -> None:
    """Add the "log closed" event before the events of a failure or cancellation."""
    kind, data = _log_event(attempt)
    event_add(job=job, attempt=attempt.number, kind=kind, actor=f"worker:{attempt.id}", data=data)


_REPORTED = (
    "exit_code",
    "exit_signal",
    "peak_memory_bytes",
    "cpu_sustained_millicores",
    "event_n",
)


def _cpu_millicores(attempt: Attempt, report: FinishReport) -> int | None:
    """Return the sustained CPU of a successful attempt; None without samples."""
    if report.status is not FinishStatus.SUCCEEDED or attempt.heartbeat_at == attempt.claimed_at:
        return None
    return cpu_sustained(attempt_id=attempt.id)


def _set_exit(attempt: Attempt, report: FinishReport, cpu_millicores: int | None) -> None:
    """Set the columns of the exit. They are saved when the log is closed."""
    attempt.exit_code = report.exit_code
    attempt.exit_signal = report.exit_signal
    attempt.cpu_sustained_millicores = cpu_millicores
    if report.peak_memory_bytes is not None:
        attempt.peak_memory_bytes = max(attempt.peak_memory_bytes or 0, report.peak_memory_bytes)


def _apply(job: Job, attempt: Attempt, report: FinishReport, outcome: Any) -> JobStatus:
    actor = f"worker:{attempt.id}"
    if job.status != JobStatus.CANCELLING and report.status is FinishStatus.SUCCEEDED:
        return _succeed(job, attempt, report, outcome)
    _log_event_add(job, attempt)
    if job.status == JobStatus.CANCELLING:
        # Independent of the report: the artifacts stay, the outcome is not applied.
        attempt.ended_at = utc_now()
        attempt.end_status = report.status
        attempt.reason = FailureReason.CANCELLED
        attempt.save(update_fields=["ended_at", "end_status", "reason"])
        job_finish_cancelled(job=job, actor=actor)
        return JobStatus(job.status)
    reason = report.reason or FailureReason.WORKLOAD_FAILED
    if report.status is FinishStatus.CANCELLED:
        # No user requested a cancel: the worker's environment stopped it.
        reason = FailureReason.INTERRUPTED
    if reason is FailureReason.INTERRUPTED and attempt.cluster.launcher == LauncherKind.KUBERNETES:
        return _interrupted(job, attempt, report)
    return attempt_end(
        job=job,
        attempt=attempt,
        reason=reason,
        actor=actor,
        message=report.message,
        detail=report.detail,
        by_worker=report.status,
    )


def _interrupted(job: Job, attempt: Attempt, report: FinishReport) -> JobStatus:
    """Record the worker's finish. The reconciler ends the attempt later.

    Only the cluster knows whether an eviction, a preemption or a person stopped the worker.
    """
    attempt.end_status = report.status
    attempt.message = report.message.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:MESSAGE_MAX]
    attempt.save(update_fields=["end_status", "message"])
    return JobStatus(job.status)


def _succeed(job: Job, attempt: Attempt, report: FinishReport, outcome: Any) -> JobStatus:
    actor = f"worker:{attempt.id}"
    try:
        if isinstance(outcome, OutcomeRefused):
            raise outcome
        with transaction.atomic():  # a savepoint: a refused outcome must leave no partial writes
            result = outcome_apply(job=job, attempt=attempt, prepared=outcome)
            crash_point("outcome.inside")
    except OutcomeRefused as refused:
        _log_event_add(job, attempt)
        return attempt_end(
            job=job,
            attempt=attempt,
            reason=refused.reason,
            actor=actor,
            message=refused.message,
            detail=refused.detail,
            by_worker=report.status,
        )
    attempt.ended_at = utc_now()
    attempt.end_status = report.status
    attempt.counts = True
    attempt.save(update_fields=["ended_at", "end_status", "counts"])
    job_move(
        job=job,
        sources=[JobStatus.RUNNING],
        target=JobStatus.SUCCEEDED,
        kind=EventKind.SUCCEEDED,
        actor=actor,
        data={"result": result},
        earlier=[_log_event(attempt)],
        result=result,
        reason="",
        message="",
        diagnosis=None,
        progress_fraction=1.0,
        attempts_used=job.attempts_used + 1,
    )
    return JobStatus(job.status)
