"""Invariants at any time and at the end, from the rows and the fake's ledger of real runs."""

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Count

from jobs.contract import TERMINAL, EventKind, FailureReason, JobStatus
from jobs.models import Attempt, Job, JobEvent
from jobs.queries.time_phases import time_phases
from jobs.queries.time_spent import job_history
from tests.scenarios.troubles import Deed
from tests.support.time_cover import cover_fault

if TYPE_CHECKING:
    from tests.scenarios.world import World

ENDS = (EventKind.SUCCEEDED, EventKind.FAILED, EventKind.CANCELLED)


def one_valid_session() -> None:
    """Check that no job has two attempts whose workers can both change it."""
    valid = Attempt.objects.filter(claim_id__isnull=False, fenced_at=None, ended_at=None)
    twice = list(valid.values("job_id").annotate(many=Count("id")).filter(many__gt=1))
    assert not twice, f"two valid sessions: {twice}"


def judge(world: "World") -> list[str]:
    """Return all violated invariants at the end of a run."""
    runs: dict[UUID, list[Any]] = {}
    for run in world.fake.ledger():
        runs.setdefault(UUID(run.attempt_id), []).append(run)
    faults: list[str] = []
    ends = Counter(JobEvent.objects.filter(kind__in=ENDS).values_list("job_id", flat=True))
    accepted = set(world.workers.successes)
    cancelled = {each.job_id for each in world.scenarios if each.cancelled}
    attempts: dict[UUID, list[Attempt]] = {}
    for row in Attempt.objects.order_by("number"):
        attempts.setdefault(row.job_id, []).append(row)
    for job in Job.objects.all():
        told = [
            f"{job.id} {job.status} {job.reason}: {fault}"
            for fault in _of_job(job, attempts.get(job.id, []), ends[job.id], accepted, cancelled)
        ]
        faults += told
    for row in [each for rows in attempts.values() for each in rows]:
        lost = row.cluster_id in world.lost_clusters()
        faults += [
            f"{row.name}: {fault}" for fault in _of_attempt(row, runs.get(row.id, []), lost=lost)
        ]
    unreachable = {each.place for each in world.scenarios if each.trouble is Deed.API_AWAY}
    given_up = Attempt.objects.filter(cluster__in=unreachable, reason=FailureReason.HEARTBEAT_LOST)
    faults += [f"{row.name}: given up while it was heard of" for row in given_up]
    return faults


def _of_job(
    job: Job, attempts: list[Attempt], ends: int, accepted: set[UUID], asked: set[UUID | None]
) -> list[str]:
    faults = []
    if job.status not in TERMINAL:
        faults.append("has not ended")
    if ends != 1:
        faults.append(f"ended {ends} times")
    if (job.status == JobStatus.SUCCEEDED) != any(row.id in accepted for row in attempts):
        faults.append("its status and what its workers were told differ")
    if job.status == JobStatus.CANCELLED and job.id not in asked:
        faults.append("nobody cancelled it")
    if job.status == JobStatus.FAILED and not (
        job.reason and job.diagnosis and job.diagnosis["summary"] and job.diagnosis["next_steps"]
    ):
        faults.append("does not say why")
    if job.status in (JobStatus.SUCCEEDED, JobStatus.CANCELLED) and job.diagnosis:
        faults.append("still says why it waited")
    history = job_history(job=job)
    if fault := cover_fault(time_phases(history), history.start, history.end):
        faults.append(f"its time: {fault}")
    return faults + _of_memory(job, attempts)


def _of_memory(job: Job, attempts: list[Attempt]) -> list[str]:
    """Check the memory of all attempts: raised only after an out-of-memory end, and in bounds."""
    limits = [row.memory_limit_bytes or 0 for row in attempts]
    faults = []
    if job.memory_max_bytes is None and len(set(limits)) > 1:
        faults.append(f"its memory changed without memory_max: {limits}")
    if job.memory_max_bytes is not None and max(limits, default=0) > job.memory_max_bytes:
        faults.append(f"its memory is above memory_max: {limits}")
    for before, after in itertools.pairwise(attempts):
        was, is_now = before.memory_limit_bytes or 0, after.memory_limit_bytes or 0
        expected = before.memory_raised_to_bytes or was
        if is_now != expected or not was <= is_now <= 2 * was:
            faults.append(f"attempt {after.number} has {is_now} bytes after {was}")
    raised = [row for row in attempts if row.memory_raised_to_bytes]
    if any(row.reason != FailureReason.OUT_OF_MEMORY or row.counts for row in raised):
        faults.append("its memory was raised after another end, or the attempt was counted")
    if job.attempts_used > job.max_attempts:
        faults.append(f"{job.attempts_used} of {job.max_attempts} attempts used")
    return faults


def _of_attempt(row: Attempt, runs: list[Any], *, lost: bool) -> list[str]:
    """Check an attempt.

    `lost` means that its cluster never returned, so its objects remain there. A container that
    never started cannot have claimed; one that succeeded was reported; the log is closed and
    sealed.
    """
    faults = []
    if row.claim_id is not None and not runs:
        faults.append("claimed by nothing that ran")
    if row.gone_at is None or (row.cleaned_up_at is None and not lost):
        faults.append("not cleaned up")
    if row.log_closed_at is None or row.log_object is None:
        faults.append("its log is not sealed")
    if row.end_status == "succeeded" and not row.log_end and row.claim_id is None:
        faults.append("succeeded without a claim")
    if row.exit_code is not None and runs and row.exit_code not in {run.exit_code for run in runs}:
        faults.append(
            f"exit code {row.exit_code}, the ledger has {[run.exit_code for run in runs]}"
        )
    return faults
