"""Example jobs, allocations and snapshots for the admission decision."""

import uuid

from jobs.admission.snapshot_types import (
    Allocation,
    Candidate,
    ClusterCapacity,
    Limits,
    Snapshot,
)
from jobs.contract import Priority

CAPACITY = ClusterCapacity("local", jobs=2, cpu_millicores=None, memory_bytes=None, gpus=0)


def job(number: int, **fields: object) -> Candidate:
    defaults: dict[str, object] = {
        "project": "a",
        "type": "pipeline_execution",
        "priority": Priority.NORMAL,
        "queued_at": float(number),
        "cpu_millicores": 1000,
        "memory_bytes": 2**30,
        "gpus": 0,
    }
    return Candidate(job_id=uuid.UUID(int=number), **(defaults | fields))  # type: ignore[arg-type]


def allocation(_number: int, **fields: object) -> Allocation:
    defaults: dict[str, object] = {
        "cluster": "local",
        "project": "a",
        "type": "pipeline_execution",
        "cpu_millicores": 1000,
        "memory_bytes": 2**30,
        "gpus": 0,
    }
    return Allocation(**(defaults | fields))  # type: ignore[arg-type]


def snap(
    *waiting: Candidate,
    now: float = 100.0,
    capacities: tuple[ClusterCapacity, ...] = (CAPACITY,),
    allocations: tuple[Allocation, ...] = (),
    limits: Limits | None = None,
    **seconds: float,
) -> Snapshot:
    return Snapshot(
        now=now,
        capacities=capacities,
        allocations=allocations,
        waiting=waiting,
        limits=limits or Limits(),
        **seconds,
    )


def names(decision_ids: object) -> list[int]:
    return [job_id.int for job_id, *_ in decision_ids]  # type: ignore[attr-defined]
