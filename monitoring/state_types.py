"""Types of the system state. `monitoring/api/serializers.py` documents the same fields.

A test compares both with each other and with a response.
"""

import datetime as dt
from typing import TypedDict


class ComponentState(TypedDict):
    """A process or server with its last heartbeat. Without a process, `instance` is empty."""

    component: str
    instance: str
    started_at: dt.datetime | None
    beat_at: dt.datetime | None
    age_seconds: float | None
    state: str
    message: str


class QueueState(TypedDict):
    """Waiting jobs of a priority class."""

    priority: str
    length: int
    oldest_seconds: float | None


class WorkerState(TypedDict):
    """A worker that holds capacity, with its latest usage and its limits."""

    job: str
    attempt: int
    project: str
    type: str
    name: str
    cluster: str
    since: dt.datetime
    memory_bytes: int | None
    memory_limit_bytes: int
    cpu_millicores: int | None
    cpu_limit_millicores: int


class CapacityState(TypedDict):
    """A cluster with its used capacity. None: no limit."""

    cluster: str
    launcher: str
    region: str
    enabled: bool
    state: str
    jobs: int
    used_jobs: int
    cpu_millicores: int | None
    used_cpu_millicores: int
    memory_bytes: int | None
    used_memory_bytes: int
    gpus: int
    used_gpus: int
    starting: int  # workers that are being started
    start_window: int  # workers that may be starting at the same time now
    reached_at: dt.datetime | None
    unreachable_message: str


class LimitState(TypedDict):
    """A limit with the jobs that count toward it."""

    scope: str
    key: str
    max_jobs: int | None
    paused: bool
    running: int


class StorageState(TypedDict):
    """Stored bytes. The space of a bucket is None."""

    artifact_bytes: int
    artifact_free_bytes: int | None
    artifact_total_bytes: int | None
    database_bytes: int
    log_bytes: int


class FailureCount(TypedDict):
    """Recent failures with one reason, which can be of another release. `job`: the latest one."""

    reason: str
    count: int
    last_at: dt.datetime
    job: str
    remedy: str


class ReconcileState(TypedDict):
    """Age of the oldest complete observation of a cluster."""

    lag_seconds: float | None


class HeadlineState(TypedDict):
    """The most urgent problem with its remedy. `level`: ok or attention."""

    level: str
    message: str
    remedy: str


class InstallationState(TypedDict):
    """State of the installation."""

    components: list[ComponentState]
    queues: list[QueueState]
    workers: list[WorkerState]
    workers_total: int
    capacity: list[CapacityState]
    limits: list[LimitState]
    storage: StorageState
    versions: dict[str, str]
    failures: list[FailureCount]
    reconcile: ReconcileState


class SystemState(InstallationState):
    """State of the installation with its most urgent problem."""

    headline: HeadlineState
