"""Simulation of admission in steps of one second, as an independent check of forecasts."""

from dataclasses import replace
from uuid import UUID

from jobs.admission.decide import admit
from jobs.admission.forecast import START_SECONDS, UsualSeconds
from jobs.admission.snapshot_types import Allocation, Candidate, Snapshot


def started(job: Candidate, cluster: str, now: float) -> Allocation:
    """Return the allocation of a job that has just been admitted."""
    return Allocation(
        cluster=cluster,
        project=job.project,
        type=job.type,
        cpu_millicores=job.cpu_millicores,
        memory_bytes=job.memory_bytes,
        gpus=job.gpus,
        exclusive_key=job.exclusive_key,
        began=now,
        is_starting=True,
    )


def simulate(view: Snapshot, usual: UsualSeconds, seconds: int) -> dict[UUID, tuple[str, float]]:
    """Return cluster and start of each job that starts within `seconds`.

    Decides over all waiting jobs at each second. All times must be whole seconds.
    """
    running: dict[object, Allocation] = dict(enumerate(view.allocations))
    waiting = {each.job_id: each for each in view.waiting}
    late = {job_id for job_id, each in running.items() if _end(each, usual) <= view.now}
    found: dict[UUID, tuple[str, float]] = {}
    for after in range(seconds + 1):
        now = view.now + after
        for job_id, each in list(running.items()):
            if job_id not in late and _end(each, usual) <= now:
                del running[job_id]
            elif each.is_starting and each.began + START_SECONDS <= now:
                running[job_id] = replace(each, is_starting=False)
        decision = admit(
            replace(
                view,
                now=now,
                allocations=tuple(running.values()),
                waiting=tuple(waiting.values()),
            )
        )
        for job_id, cluster in decision.admitted:
            running[job_id] = started(waiting.pop(job_id), cluster, now)
            found[job_id] = cluster, float(after)
    return found


def _end(allocation: Allocation, usual: UsualSeconds) -> float:
    seconds = usual.jobs.get((allocation.project, allocation.type))
    if seconds is None or not allocation.starting_or_running:
        return float("inf")
    return allocation.began + seconds
