"""One pass of admission: snapshot, decision and Attempt rows in one transaction behind one lock.

READ COMMITTED, and the lock is the first statement: a snapshot taken before the lock would not see what the pass before admitted, and
two passes would give the same room away twice.
"""

from uuid import UUID

import structlog
from django.db import connection, transaction

from jobs import queue
from jobs.admission import Decision, admit
from jobs.contract import EventKind, FailureReason, JobStatus, worker_name
from jobs.diagnosis import never_fits
from jobs.models import Attempt, Job
from jobs.resources import from_dict
from jobs.selectors.admission import has_free_slot, snapshot
from jobs.services.transition import job_lock, job_move
from mimir.lib.crash import crash_point

log = structlog.get_logger(__name__)

ADMISSION_LOCK = 0x4D494D4952  # "MIMIR": one key for the whole installation
ACTOR = "dispatcher"


def admit_once(*, hint: bool = True) -> list[UUID]:
    """Admit what fits now; returns the new attempts' ids. Calls no cluster; `hint`: asks for their launch on commit."""
    created: list[UUID] = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
        if not _worth_a_look():
            return []
        crash_point("admit.inside_transaction")
        view = snapshot()
        decision = admit(view)
        by_class: dict[str, list[UUID]] = {}
        for job_id, cluster in decision.admitted:
            attempt = _admit(job_id, cluster)
            if attempt is not None:
                created.append(attempt.id)
                by_class.setdefault(attempt.job.priority, []).append(attempt.id)
        _fail_never(decision)
        crash_point("admit.before_commit")
        for priority, ids in by_class.items() if hint else ():
            transaction.on_commit(lambda ids=ids, priority=priority: queue.launch(ids, priority), robust=True)  # type: ignore[misc]
    if created:
        crash_point("admit.after_commit")
        log.info("admitted", attempts=len(created))
    return created


def _worth_a_look() -> bool:
    """Whether anybody waits and any slot is free. Jobs that can never run are found when a slot is."""
    return Job.objects.filter(status=JobStatus.QUEUED).exists() and has_free_slot()


def _admit(job_id: UUID, cluster: str) -> Attempt | None:
    """The job's new attempt on `cluster`; None when a cancel came between the snapshot and here."""
    job = job_lock(job_id=job_id)
    requests = from_dict(job.resources).requests
    moved = job_move(
        job=job,
        sources=[JobStatus.QUEUED],
        target=JobStatus.LAUNCHING,
        kind=EventKind.ADMITTED,
        actor=ACTOR,
        data={"cluster": cluster, "cpu_millicores": requests.cpu_millicores, "memory_bytes": requests.memory_bytes},
        reason="",
        message="",
        diagnosis=None,
        not_before=None,
        progress_fraction=None,
        progress_message="",
    )
    if not moved:
        return None
    return Attempt.objects.create(
        job=job,
        number=job.attempt,
        cluster_id=cluster,
        name=worker_name(str(job.id), job.attempt),
        cpu_millicores=requests.cpu_millicores,
        memory_bytes=requests.memory_bytes,
        gpus=requests.gpus,
    )


def _fail_never(decision: Decision) -> None:
    for job_id in decision.never:
        job = job_lock(job_id=job_id)
        diagnosis = never_fits(job.resources)
        job_move(
            job=job,
            sources=[JobStatus.QUEUED],
            target=JobStatus.FAILED,
            kind=EventKind.FAILED,
            actor=ACTOR,
            data={"reason": FailureReason.NEVER_FITS},
            reason=FailureReason.NEVER_FITS,
            message=diagnosis["summary"],
            diagnosis=diagnosis,
        )
