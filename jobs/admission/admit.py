"""One admission pass: snapshot, decision and Attempt rows in one transaction under one lock.

The isolation level is READ COMMITTED and the lock is the first statement. A snapshot taken before
the lock would miss the admissions of the previous pass, and two passes could allocate the same
capacity twice.

Before the transaction one statement checks whether there is anything to decide. It needs no lock: a
change that it misses is committed later, and that commit sends its own hint.
"""

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

import structlog
from django.db import connection, transaction

from jobs.admission.candidates import SHORT_QUEUE, HeadDecision, admit_all, admit_heads
from jobs.admission.cluster_rows import clusters_with_windows
from jobs.admission.many_groups import ManyGroups
from jobs.admission.queue_rows import QueueRows
from jobs.admission.snapshot import snapshot, waiting_and_free_slot, waiting_jobs
from jobs.admission.snapshot_types import Snapshot
from jobs.admission.starts import full_windows, windows_judge, windows_store
from jobs.contract import EventKind, FailureReason, JobStatus, worker_name
from jobs.core import queue
from jobs.core.bulk import insert_statement
from jobs.core.locks import ADMISSION_LOCK
from jobs.core.resources import Profile, from_dict
from jobs.core.transition import job_move, jobs_move
from jobs.diagnosis.failures import RaisedAttempt, never_fits
from jobs.models import Attempt, Job
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point
from mimir.lib.ids import uuid7

log = structlog.get_logger(__name__)

ACTOR = "dispatcher"
_many_groups = ManyGroups()


def admit_once(*, hint: bool = True, limit: int | None = None) -> list[UUID]:
    """Admit the jobs that fit now, at most `limit`; return the new attempts' ids.

    Calls no cluster. `hint`: send a hint on commit that requests their launch. The pass is repeated
    while more jobs may wait that no cluster can ever run.
    """
    created, again = _pass(hint=hint, limit=limit)
    while again:
        left = None if limit is None else limit - len(created)
        attempts, again = _pass(hint=hint, limit=left, follows=True)
        created += attempts
    return created


def _pass(*, hint: bool, limit: int | None, follows: bool = False) -> tuple[list[UUID], bool]:
    """Do one pass. Return the new attempts' ids, and whether another one must follow.

    Does nothing without a free slot, unless it `follows` another pass.
    """
    waiting, is_free = waiting_and_free_slot(SHORT_QUEUE + 1)
    if not waiting or not (follows or is_free):
        return [], False
    by_class: dict[str, list[UUID]] = {}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
        crash_point("admit.inside_transaction")
        clusters = clusters_with_windows()
        windows = windows_judge(clusters)
        view = snapshot(clusters, waiting=(), summed=True)
        decision = _decided(view, waiting, limit)
        moved = len(decision.admitted) + len(decision.never)
        left = waiting > SHORT_QUEUE or len(decision.heads) > moved
        full = full_windows(view, decision.admitted) if left else ()
        windows_store(clusters, windows, full)
        jobs = _locked([job_id for job_id, _cluster in decision.admitted], decision.never)
        attempts = _admit(decision.admitted, jobs) if decision.admitted else []
        for attempt_id, priority in attempts:
            by_class.setdefault(priority, []).append(attempt_id)
        _fail_never([jobs[job_id] for job_id in decision.never if job_id in jobs])
        crash_point("admit.before_commit")
        for priority, ids in by_class.items() if hint else ():
            transaction.on_commit(partial(queue.launch, ids, priority), robust=True)
    if attempts:
        crash_point("admit.after_commit")
        log.info("admitted", attempts=len(attempts))
    return [attempt_id for attempt_id, _priority in attempts], decision.more_never


def _decided(view: Snapshot, waiting: int, limit: int | None) -> HeadDecision:
    """Decide over all jobs of a short queue (one query), or over the heads of a long one."""
    if waiting <= SHORT_QUEUE:
        return admit_all(view, waiting_jobs(), limit=limit)
    now, since = time.monotonic(), _many_groups.never_since(view, time.monotonic())
    known = _many_groups.is_known(now)
    decision = admit_heads(view, QueueRows(view), limit=limit, many_groups=known, never_since=since)
    if decision.many_groups:
        _many_groups.note(view, now, since, more_never=decision.more_never)
    return decision


def _locked(admitted: Sequence[UUID], never: Sequence[UUID]) -> dict[UUID, Job]:
    """Lock all jobs that this pass moves, in id order, the order of every multi-job lock.

    Jobs cancelled since the snapshot are not returned.
    """
    ids = {*admitted, *never}
    if not ids:
        return {}
    read = ["project_id", "status", "reason", "attempt", "priority", "resources", "event_seq"]
    rows = Job.objects.filter(id__in=ids, status=JobStatus.QUEUED)
    if not never:
        rows = rows.only(
            *read
            # A pass may admit thousands. Jobs that never fit are few and need the whole row.
        )
    return {job.id: job for job in rows.order_by("id").select_for_update()}


def _admit(
    admitted: Sequence[tuple[UUID, str]], jobs: Mapping[UUID, Job]
) -> list[tuple[UUID, str]]:
    """Move the locked jobs to `launching` and insert their attempts.

    Returns (attempt id, priority) in admission order.
    """
    chosen = dict(admitted)
    jobs = {job_id: job for job_id, job in jobs.items() if job_id in chosen}
    profiles = {job_id: from_dict(job.resources) for job_id, job in jobs.items()}
    attempts = [(uuid7(), jobs[job_id], cluster) for job_id, cluster in admitted if job_id in jobs]
    if not attempts:
        return []  # all of them were cancelled since the snapshot
    jobs_move(
        jobs=[job for _id, job, _cluster in attempts],
        insert=insert_statement(Attempt, _attempt_columns(attempts, profiles)),
        source=JobStatus.QUEUED,
        target=JobStatus.LAUNCHING,
        kind=EventKind.ADMITTED,
        actor=ACTOR,
        data={
            job_id: {
                "cluster": chosen[job_id],
                "cpu_millicores": profile.requests.cpu_millicores,
                "memory_bytes": profile.requests.memory_bytes,
                "memory_limit_bytes": profile.limits.memory_bytes,
            }
            for job_id, profile in profiles.items()
        },
        reason="",
        message="",
        diagnosis=None,
        not_before=None,
        progress_fraction=None,
        progress_message="",
    )
    return [(attempt_id, job.priority) for attempt_id, job, _cluster in attempts]


def _attempt_columns(
    attempts: Sequence[tuple[UUID, Job, str]], profiles: Mapping[UUID, Profile]
) -> dict[str, Sequence[object]]:
    """Return the columns of new attempts of (attempt id, job, cluster)."""
    now = utc_now()
    requests = [profiles[job.id].requests for _id, job, _cluster in attempts]
    return {
        "id": [attempt_id for attempt_id, _job, _cluster in attempts],
        "job_id": [job.id for _id, job, _cluster in attempts],
        "number": [job.attempt for _id, job, _cluster in attempts],
        "cluster_id": [cluster for _id, _job, cluster in attempts],
        "name": [worker_name(str(job.id), job.attempt) for _id, job, _cluster in attempts],
        "cpu_millicores": [amounts.cpu_millicores for amounts in requests],
        "memory_bytes": [amounts.memory_bytes for amounts in requests],
        "gpus": [amounts.gpus for amounts in requests],
        "memory_limit_bytes": [
            profiles[job.id].limits.memory_bytes for _id, job, _cluster in attempts
        ],
        "created_at": [
            now + dt.timedelta(microseconds=index) for index in range(len(attempts))
        ],  # distinct times: they keep the launch order
    }


def _fail_never(jobs: Sequence[Job]) -> None:
    """Fail locked jobs that no cluster can ever run."""
    for job in jobs:
        diagnosis = never_fits(
            job.resources, cluster=job.cluster, region=job.region, raised=_last_raise(job)
        )
        job_move(
            job=job,
            sources=[JobStatus.QUEUED],
            target=JobStatus.FAILED,
            kind=EventKind.FAILED,
            actor=ACTOR,
            data={"reason": FailureReason.NEVER_FITS, "message": diagnosis["summary"]},
            reason=FailureReason.NEVER_FITS,
            message=diagnosis["summary"],
            diagnosis=diagnosis,
        )


def _last_raise(job: Job) -> RaisedAttempt | None:
    """Return the attempt after which the memory was raised for the last time; None without one."""
    if job.memory_max_bytes is None:
        return None
    found = (
        Attempt.objects.filter(job=job, memory_raised_to_bytes__isnull=False)
        .order_by("-number")
        .first()
    )
    if found is None or found.memory_limit_bytes is None:
        return None
    return RaisedAttempt(found.number, found.memory_limit_bytes, job.memory_max_bytes)
