"""Example attempts and worker states, as the reconciler sees them."""

import dataclasses
import datetime as dt
import uuid

from jobs.contract import JobStatus
from jobs.reconcile.decide import (
    AttemptView,
    Times,
    WorkerState,
)

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TIMES = Times(launch_timeout=300, cancel_grace=10, worker_grace=600)
ALIVE = WorkerState(alive=True)
DEAD = WorkerState(alive=False, gone=True)
REFUSED = WorkerState(
    alive=False, gone=True, reason="protocol", message="The orchestrator refused a report."
)
NO_COMMAND = WorkerState(
    alive=False, gone=True, reason="bad_command", message="The worker could not be started."
)
LEFTOVERS = WorkerState(alive=False, gone=False)


def at(seconds: float) -> dt.datetime:
    return T0 + dt.timedelta(seconds=seconds)


LAUNCHING = AttemptView(
    id=uuid.UUID(int=1),
    job_id=uuid.UUID(int=2),
    number=1,
    name="worker-job-2-1",
    job_status=JobStatus.LAUNCHING,
    job_attempt=1,
    timeout_seconds=60,
    created_at=T0,
)
LAUNCHED = dataclasses.replace(LAUNCHING, uid="u", launched_at=at(1))
FIFTH = dataclasses.replace(LAUNCHED, number=5, job_attempt=5)
FORBIDDEN = dataclasses.replace(
    LAUNCHING,
    waits_for={
        "category": "cluster_forbidden",
        "summary": "The cluster does not let Mimir run workers.",
    },
)
NO_CAPACITY = WorkerState(alive=True, reason="unschedulable_cpu", message="No node has the CPU.")
NO_IMAGE = WorkerState(alive=True, reason="image_not_found", message="There is no such image.")
PLACED = WorkerState(alive=True, placed_at=at(1700.5))
RUNNING = dataclasses.replace(
    LAUNCHED,
    job_status=JobStatus.RUNNING,
    claim_id=uuid.UUID(int=3),
    claimed_at=at(2),
    heartbeat_at=at(2),
)
FENCED = dataclasses.replace(RUNNING, fenced_at=at(20), ended_at=at(20))
FINISHED = dataclasses.replace(RUNNING, ended_at=at(20), job_status=JobStatus.SUCCEEDED)
GIVEN_UP = dataclasses.replace(FENCED, gone_at=at(30), sealed=True)
INTERRUPTED = dataclasses.replace(RUNNING, interrupted_at=at(30), timeout_seconds=3600)
CANCELLING = dataclasses.replace(
    RUNNING, job_status=JobStatus.CANCELLING, cancel_requested_at=at(5)
)
