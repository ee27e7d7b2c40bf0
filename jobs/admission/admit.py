"""One pass of admission: snapshot, decision and Attempt rows in one transaction behind one lock.

READ COMMITTED, and the lock is the first statement: a snapshot taken before the lock would not see what the pass before admitted, and
two passes would give the same room away twice.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

import structlog
from django.db import connection, transaction

from jobs.admission.decide import admit
from jobs.admission.snapshot import has_free_slot, snapshot
from jobs.contract import EventKind, FailureReason, JobStatus, worker_name
from jobs.core import queue
from jobs.core.bulk import insert_many
from jobs.core.locks import ADMISSION_LOCK
from jobs.core.resources import from_dict
from jobs.core.transition import job_move, jobs_move
from jobs.diagnosis.job import never_fits
from jobs.models import Attempt, Job
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point
from mimir.lib.ids import uuid7

log = structlog.get_logger(__name__)

ACTOR = "dispatcher"


def admit_once(*, hint: bool = True, limit: int | None = None) -> list[UUID]:
    """Admit what fits now, the first `limit` of it; returns the new attempts' ids. Calls no cluster; `hint`: asks for their launch on commit."""
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
        admitted = decision.admitted[:limit]
        jobs = _locked([job_id for job_id, _cluster in admitted], decision.never)
        for attempt_id, priority in _admit(admitted, jobs) if admitted else ():
            created.append(attempt_id)
            by_class.setdefault(priority, []).append(attempt_id)
        _fail_never([jobs[job_id] for job_id in decision.never if job_id in jobs])
        crash_point("admit.before_commit")
        for priority, ids in by_class.items() if hint else ():
            transaction.on_commit(partial(queue.launch, ids, priority), robust=True)
    if created:
        crash_point("admit.after_commit")
        log.info("admitted", attempts=len(created))
    return created


def _worth_a_look() -> bool:
    """Whether anybody waits and any slot is free. Jobs that can never run are found when a slot is."""
    return Job.objects.filter(status=JobStatus.QUEUED).exists() and has_free_slot()


def _locked(admitted: Sequence[UUID], never: Sequence[UUID]) -> dict[UUID, Job]:
    """All jobs that this pass moves, locked by one statement in the order of their ids, as everything that locks several jobs does.

    A job whose cancel came between the snapshot and here is not among them.
    """
    ids = {*admitted, *never}
    if not ids:
        return {}
    read = ["project_id", "status", "reason", "attempt", "priority", "resources", "event_seq"]
    rows = Job.objects.filter(id__in=ids, status=JobStatus.QUEUED)
    if not never:
        rows = rows.only(
            *read
        )  # a pass may admit thousands; those that never fit are few, and need the whole row
    return {job.id: job for job in rows.order_by("id").select_for_update()}


def _admit(
    admitted: Sequence[tuple[UUID, str]], jobs: Mapping[UUID, Job]
) -> list[tuple[UUID, str]]:
    """Ids and priorities of the new attempts, in order, of the jobs that are locked."""
    chosen = dict(admitted)
    jobs = {job_id: job for job_id, job in jobs.items() if job_id in chosen}
    asked = {job_id: from_dict(job.resources).requests for job_id, job in jobs.items()}
    jobs_move(
        jobs=[jobs[job_id] for job_id, _cluster in admitted if job_id in jobs],
        source=JobStatus.QUEUED,
        target=JobStatus.LAUNCHING,
        kind=EventKind.ADMITTED,
        actor=ACTOR,
        data={
            job_id: {
                "cluster": chosen[job_id],
                "cpu_millicores": amounts.cpu_millicores,
                "memory_bytes": amounts.memory_bytes,
            }
            for job_id, amounts in asked.items()
        },
        reason="",
        message="",
        diagnosis=None,
        not_before=None,
        progress_fraction=None,
        progress_message="",
    )
    now = utc_now()
    made = [(uuid7(), jobs[job_id], cluster) for job_id, cluster in admitted if job_id in jobs]
    insert_many(
        Attempt,
        {
            "id": [attempt_id for attempt_id, _job, _cluster in made],
            "job_id": [job.id for _id, job, _cluster in made],
            "number": [job.attempt for _id, job, _cluster in made],
            "cluster_id": [cluster for _id, _job, cluster in made],
            "name": [worker_name(str(job.id), job.attempt) for _id, job, _cluster in made],
            "cpu_millicores": [asked[job.id].cpu_millicores for _id, job, _cluster in made],
            "memory_bytes": [asked[job.id].memory_bytes for _id, job, _cluster in made],
            "gpus": [asked[job.id].gpus for _id, job, _cluster in made],
            "created_at": [
                now + dt.timedelta(microseconds=index) for index in range(len(made))
            ],  # launched in this order
        },
    )
    return [(attempt_id, job.priority) for attempt_id, job, _cluster in made]


def _fail_never(jobs: Sequence[Job]) -> None:
    """Fail the jobs, which are locked, that no cluster can ever run."""
    for job in jobs:
        diagnosis = never_fits(job.resources, cluster=job.cluster, region=job.region)
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
