"""Wait of a running job for the artifact storage: full, read-only or unreachable.

The worker retries meanwhile. The wait is stored in the attempt (`waits_for`) and in the job
(`message`, `diagnosis`) until it ends. The worker cannot report it: a request refused before its
body is read may look like a broken connection to the worker.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import structlog
from django.db import Error, transaction

from jobs.contract import EventKind, FailureReason, JobStatus
from jobs.core import feed
from jobs.core.transition import attempt_lock, event_add
from jobs.diagnosis.failures import storage_wait
from jobs.diagnosis.message import DiagnosisBody
from jobs.models import Attempt, Job
from mimir.api.errors import as_mimir_error
from mimir.lib.clock import utc_now
from mimir.lib.formatting import time_text

log = structlog.get_logger(__name__)

ACTOR = "orchestrator"


class StorageWait(DiagnosisBody):
    """Wait for the storage in `Attempt.waits_for`. `since`: ISO 8601; `problem`: from PROBLEMS."""

    since: str
    problem: str


PROBLEMS = {  # error code -> problem, without a full stop
    "storage_full": "the artifact storage is full",
    "storage_read_only": "the artifact storage is read-only",
    "storage_unavailable": "the artifact storage does not answer",
}
RECOVERED = "The artifact storage is available again. The job continues."


@contextmanager
def storage_watched(attempt: Attempt) -> Iterator[None]:
    """Record the start of a storage wait if the block fails because of the storage.

    If the block succeeds, the end of the wait is recorded.
    """
    try:
        yield
    except Exception as error:
        problem = as_mimir_error(error)
        if problem is not None and problem.code in PROBLEMS:
            # The database may be on the same disk. The worker's next retry records the wait.
            with suppress(Error):
                _wait_record(attempt.id, PROBLEMS[problem.code])
        raise
    if storage_waits(attempt):
        _wait_end(attempt.id)


def storage_waits(attempt: Attempt) -> bool:
    """Return whether the worker of `attempt` waits for the storage."""
    return _wait_of(attempt) is not None


def storage_wait_message(attempt: Attempt, *, before: str) -> str:
    """Return the message of an attempt that ended while it waited for the storage.

    `before`: the cause of the end, without a full stop.
    """
    wait = _wait_of(attempt)
    assert wait is not None
    since = time_text(dt.datetime.fromisoformat(wait["since"]), utc_now())
    return f"{before} while it waited for the artifact storage since {since}: {wait['problem']}."


def _wait_of(attempt: Attempt) -> StorageWait | None:
    """Return the stored wait, or None if the attempt does not wait for the storage."""
    found: StorageWait | None = attempt.waits_for
    return found if found and found["category"] == FailureReason.STORAGE_UNAVAILABLE else None


def _wait_record(attempt_id: UUID, problem: str) -> None:
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt_id)
        if not _runs(job, attempt):
            return
        before = _wait_of(attempt)
        if before is not None and before["problem"] == problem:
            return
        diagnosis = storage_wait(problem)
        since = utc_now().isoformat() if before is None else before["since"]
        attempt.waits_for = {**diagnosis, "since": since, "problem": problem}
        attempt.save(update_fields=["waits_for"])
        Job.objects.filter(id=job.id).update(message=diagnosis["summary"], diagnosis=diagnosis)
        if before is not None:
            feed.publish_job(job_id=job.id, project_id=job.project_id)
        else:
            data = {"category": diagnosis["category"], "summary": diagnosis["summary"]}
            event_add(job=job, attempt=attempt.number, kind=EventKind.WAITS, actor=ACTOR, data=data)
    log.warning("job waits for the artifact storage", attempt_id=str(attempt_id), problem=problem)


def _wait_end(attempt_id: UUID) -> None:
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt_id)
        if not (_runs(job, attempt) and storage_waits(attempt)):
            return
        attempt.waits_for = None
        attempt.save(update_fields=["waits_for"])
        Job.objects.filter(id=job.id).update(message="", diagnosis=None)
        event_add(
            job=job,
            attempt=attempt.number,
            kind=EventKind.NOTICE,
            actor=ACTOR,
            data={"message": RECOVERED},
        )


def _runs(job: Job, attempt: Attempt) -> bool:
    is_open = attempt.claim_id is not None and not (attempt.fenced_at or attempt.ended_at)
    return job.status == JobStatus.RUNNING and job.attempt == attempt.number and is_open
