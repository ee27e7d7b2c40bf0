"""Input and output of an admission decision. Pure values."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypedDict
from uuid import UUID

from jobs.contract import Priority, WaitRule


@dataclass(frozen=True, slots=True)
class ClusterCapacity:
    """Capacity of a cluster. None means that the amount is not limited."""

    cluster: str
    jobs: int
    cpu_millicores: int | None
    memory_bytes: int | None
    gpus: int
    open: bool = True  # enabled and reachable
    enabled: bool = True
    region: str = ""
    start_window: int | None = None  # workers that may be starting at the same time; None: any


@dataclass(frozen=True, slots=True)
class Allocation:
    """Resources held by attempts with equal attributes until their workers are observed gone.

    The amounts are sums over these attempts.
    """

    cluster: str
    project: str
    type: str
    cpu_millicores: int
    memory_bytes: int
    gpus: int
    exclusive_key: str = ""
    began: float = 0.0  # Unix seconds of the database's clock; used in explanations
    starting_or_running: bool = (
        True  # used in explanations; False while its job is being cancelled or after it ended
    )
    launch_fails: bool = False  # a launch failed and none has succeeded since
    is_starting: bool = False  # it has not claimed its job, and waits for nothing but its start
    workers: int = 1  # number of attempts


@dataclass(frozen=True, slots=True)
class Candidate:
    """Queued job. Times are Unix seconds of the database's clock."""

    job_id: UUID
    project: str
    type: str
    priority: Priority
    queued_at: float
    cpu_millicores: int
    memory_bytes: int
    gpus: int
    exclusive_key: str = ""
    not_before: float = 0.0
    previous_alive: bool = False
    archived: bool = False
    cluster: str = ""  # the cluster it requests; empty: any
    region: str = ""  # the region it requests; empty: any
    lost_on: str = ""  # cluster of the previous attempt, if that attempt does not count


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits and pauses set by administrators. A missing key means no limit."""

    jobs_global: int | None = None
    jobs_by_type: Mapping[str, int] = field(default_factory=dict)
    jobs_by_project: Mapping[str, int] = field(default_factory=dict)
    paused: bool = False
    paused_types: Collection[str] = ()
    paused_projects: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Input of a decision. `now`: Unix seconds of the database's clock.

    Admission reads it under the admission lock, explanations without the lock.
    """

    now: float
    capacities: tuple[ClusterCapacity, ...]
    allocations: tuple[Allocation, ...]
    waiting: tuple[Candidate, ...]
    limits: Limits = field(default_factory=Limits)
    ageing_seconds: float = 600.0
    reserve_after_seconds: float = 180.0


class WaitFacts(TypedDict, total=False):
    """Numbers and names that a rule compared; each rule has its own.

    `since`: last heartbeat of the dispatcher. `clusters`: names, separated by commas.
    """

    seconds: float
    used: int
    limit: int
    key: str
    cluster: str
    region: str
    clusters: str
    since: dt.datetime
    slots: int
    starting: int
    start_window: int
    cpu_millicores: int
    memory_bytes: int
    gpus: int
    free_cpu_millicores: int
    free_memory_bytes: int
    free_gpus: int
    largest_cpu_millicores: int
    largest_memory_bytes: int
    largest_gpus: int


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one rule for one waiting job, with the numbers it compared."""

    rule: WaitRule
    passes: bool
    facts: WaitFacts = field(default_factory=WaitFacts)


@dataclass(frozen=True, slots=True)
class Decision:
    """Result of one pass.

    `admitted`: (job, cluster) in order. `never`: jobs that no cluster can ever hold. `blocked`: the
    first failing rule of every other job. `order`: all waiting jobs in the order considered, which
    gives a job's queue position. `checks`: all rules of the jobs to explain.
    """

    admitted: tuple[tuple[UUID, str], ...]
    never: tuple[UUID, ...]
    blocked: Mapping[UUID, Check]
    order: tuple[UUID, ...]
    checks: Mapping[UUID, tuple[Check, ...]]
