"""Free capacity, counts and reservations during an admission pass. Pure."""

from collections import Counter
from typing import Protocol

from jobs.admission.snapshot_types import (
    Allocation,
    Candidate,
    Check,
    ClusterCapacity,
    Snapshot,
)


class Sized(Protocol):
    """Requests of a job."""

    @property
    def cpu_millicores(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def gpus(self) -> int: ...


class Ledger:
    """Free capacity and counts, updated while the pass allocates."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.jobs: Counter[str] = Counter()
        self.cpu: Counter[str] = Counter()
        self.memory: Counter[str] = Counter()
        self.gpus: Counter[str] = Counter()
        self.starting: Counter[str] = Counter()
        self.by_type: Counter[str] = Counter()
        self.by_project: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.reserved: set[str] = set()
        self.failing_clusters = {
            allocation.cluster for allocation in snapshot.allocations if allocation.launch_fails
        }
        self.total = 0
        self.failing: dict[tuple[object, ...], Check | None] = {}
        for allocation in snapshot.allocations:
            self._take(allocation.cluster, allocation, allocation.workers)
            self.starting[allocation.cluster] += allocation.is_starting * allocation.workers

    def _take(self, cluster: str, what: Allocation | Candidate, workers: int) -> None:
        self.jobs[cluster] += workers
        self.cpu[cluster] += what.cpu_millicores
        self.memory[cluster] += what.memory_bytes
        self.gpus[cluster] += what.gpus
        self.by_type[what.type] += workers
        self.by_project[what.project] += workers
        self.total += workers
        if what.exclusive_key:
            self.keys.add(what.exclusive_key)

    def admit(self, job: Candidate, cluster: str) -> None:
        self.failing.clear()
        self._take(cluster, job, 1)
        self.starting[cluster] += 1

    def reserve(self, cluster: str) -> None:
        self.failing.clear()
        self.reserved.add(cluster)

    def has_capacity(self, capacity: ClusterCapacity, job: Candidate) -> bool:
        name = capacity.cluster
        return (
            self.jobs[name] < capacity.jobs
            and (
                capacity.cpu_millicores is None
                or self.cpu[name] + job.cpu_millicores <= capacity.cpu_millicores
            )
            and (
                capacity.memory_bytes is None
                or self.memory[name] + job.memory_bytes <= capacity.memory_bytes
            )
            and self.gpus[name] + job.gpus <= capacity.gpus
        )

    def can_start(self, capacity: ClusterCapacity) -> bool:
        """Return whether the cluster's start window allows one more worker."""
        return (
            capacity.start_window is None or self.starting[capacity.cluster] < capacity.start_window
        )

    def accepts(self, capacity: ClusterCapacity) -> bool:
        """Return whether some worker can start on the cluster now."""
        return self.is_reservable(capacity) and self.can_start(capacity)

    def is_reservable(self, capacity: ClusterCapacity) -> bool:
        """Return whether a job can reserve the cluster: it is open, not reserved and not full."""
        name = capacity.cluster
        return capacity.open and name not in self.reserved and self.jobs[name] < capacity.jobs

    @property
    def is_exhausted(self) -> bool:
        """Whether no further job can start or reserve a cluster in this pass."""
        most = self.snapshot.limits.jobs_global
        return (most is not None and self.total >= most) or not any(
            map(self.is_reservable, self.snapshot.capacities)
        )

    def cluster_for(self, job: Candidate) -> str | None:
        """Return the best cluster on which the job can start now; None without one."""
        fitting = [
            capacity
            for capacity in self.snapshot.capacities
            if capacity.open
            and can_use(capacity, job)
            and capacity.cluster not in self.reserved
            and self.has_capacity(capacity, job)
            and self.can_start(capacity)
        ]
        if not fitting:
            return None
        return min(fitting, key=lambda capacity: self._rank(capacity, job)).cluster

    def _rank(self, capacity: ClusterCapacity, job: Candidate) -> tuple[bool, bool, int, str]:
        name = capacity.cluster
        return (
            name in self.failing_clusters,
            name == job.lost_on,
            self.jobs[name] - capacity.jobs,
            name,
        )


def can_use(capacity: ClusterCapacity, job: Candidate) -> bool:
    """Return whether the job may use the cluster. Without a cluster or region it may use any."""
    return job.cluster in ("", capacity.cluster) and job.region in ("", capacity.region)


def can_ever_hold(capacity: ClusterCapacity, job: Sized) -> bool:
    """Return whether the cluster, when empty, can hold this job."""
    return (
        capacity.jobs >= 1
        and (capacity.cpu_millicores is None or job.cpu_millicores <= capacity.cpu_millicores)
        and (capacity.memory_bytes is None or job.memory_bytes <= capacity.memory_bytes)
        and job.gpus <= capacity.gpus
    )
