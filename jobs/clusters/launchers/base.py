"""Interface of a launcher, and the values that it takes and returns.

`launch` is idempotent by the worker's name. `observe` is the source of truth about running workers;
everything else follows from it. No method knows database rows.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from operator import is_
from typing import Protocol

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.objects import Object
from jobs.diagnosis.message import DiagnosisBody


class LauncherKind(StrEnum):
    """How the workers of a cluster are launched."""

    KUBERNETES = "kubernetes"
    PROCESS = "process"  # on this machine: the installation creates this row by itself
    MEMORY = "memory"  # the in-memory fake of tests


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """One worker to create. CPU in thousandths of a core, memory in bytes; both are limits.

    `requested_*`: what a scheduler reserves; 0: the limit.
    """

    name: str
    job_id: str
    job_type: str
    attempt_id: str
    attempt: int
    project_id: str
    token: str
    orchestrator_url: str
    cpu_millicores: int
    memory_bytes: int
    gpu_count: int
    priority: str
    active_deadline_seconds: int
    requested_cpu_millicores: int = 0
    requested_memory_bytes: int = 0
    extra_env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """Address of a cluster, and the limits for requests to it.

    An empty `context` is the cluster that we run in, else the kubeconfig's current context.
    """

    context: str = ""
    kubeconfig_file: str = ""
    namespace: str = ""
    qps: float = 200.0
    burst: int = 400
    timeout_seconds: float = 15.0
    connections: int = 32


@dataclass(frozen=True, slots=True)
class Launched:
    """Worker object that exists. `adopted`: it existed before this call."""

    uid: str
    adopted: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """One worker object, as its cluster shows it.

    `alive`: its supervisor runs, or is being started. `processes`: count of processes that a dead
    supervisor left of its workload. `node_suspected`: it should run and is not ready, so its node
    may be silent; the evidence decides. `starved_seconds`: time in which its processes could run
    and got no CPU, if the machine counts it. `evidence` is None when the cluster knows no more.
    """

    name: str
    attempt_id: str
    uid: str
    alive: bool
    processes: int = 0
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    message: str = ""
    peak_memory_bytes: int | None = None
    started_at: dt.datetime | None = None
    node_suspected: bool = False
    starved_seconds: float = 0.0
    evidence: "Evidence | None" = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All objects of one worker in its cluster, for `jobs.diagnosis.kubernetes.diagnose`.

    `nodes` is None without the right to read them.
    """

    job: Object | None
    pods: tuple[Object, ...] = ()
    events: tuple[Object, ...] = ()
    nodes: tuple[Object, ...] | None = None

    def is_same(self, other: "Evidence") -> bool:
        """Return whether the objects are identical: a mirror creates a new one for each change."""
        return (
            self.job is other.job
            and self.nodes is other.nodes
            and _are_identical(self.pods, other.pods)
            and _are_identical(self.events, other.events)
        )


def _are_identical(one: tuple[Object, ...], other: tuple[Object, ...]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))


@dataclass(frozen=True, slots=True)
class Changes:
    """Possible changes on a cluster since the last wait.

    `ended`: names of workers that may have ended, which hold capacity until a pass observes that.
    `names`: those of workers with another change. `others`: whether something changed that does
    not belong to one worker.
    """

    ended: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    others: bool = False

    def __bool__(self) -> bool:
        return bool(self.ended or self.names) or self.others


class LaunchRefused(Exception):
    """The worker was certainly not created, and a retry cannot help."""

    def __init__(
        self,
        message: str,
        *,
        reason: FailureReason = FailureReason.LAUNCH_FAILED,
        diagnosis: DiagnosisBody | None = None,
    ) -> None:
        super().__init__(message)
        self.reason, self.diagnosis = reason, diagnosis


class LaunchUncertain(Exception):
    """The worker may have been created: launch again under the same name, which adopts it.

    `diagnosis`: why the job waits.
    """

    def __init__(self, message: str, *, diagnosis: DiagnosisBody | None = None) -> None:
        super().__init__(message)
        self.diagnosis = diagnosis


class LaunchLater(LaunchUncertain):
    """The worker was not created yet: retry, after `seconds` if a delay is known."""

    def __init__(
        self,
        message: str,
        *,
        seconds: float | None = None,
        diagnosis: DiagnosisBody | None = None,
    ) -> None:
        super().__init__(message, diagnosis=diagnosis)
        self.seconds = seconds


class Launcher(Protocol):
    """Runs workers on one cluster."""

    def launch(self, spec: LaunchSpec, *, still_wanted: Callable[[], bool]) -> Launched:
        """Create the worker, or adopt the existing one of this attempt.

        `still_wanted` reads from the row whether the attempt still needs a worker. It is called
        while no other process can start this worker; a launcher without such a lock ignores it.
        Raises: LaunchRefused, LaunchUncertain.
        """
        ...

    def observe(self, names: Collection[str] | None = None) -> list[Observation]:
        """Return every worker object of this installation, from one list of the cluster.

        `names`: only these workers.
        Raises: OSError when the cluster does not answer.
        """
        ...

    def terminate(self, name: str, attempt_id: str, *, grace_seconds: float) -> None:
        """Send the worker a stop signal.

        With a grace of 0, or a dead supervisor, kill all its processes. An unknown worker is not an
        error.
        """
        ...

    def is_gone(self, name: str, attempt_id: str) -> bool:
        """Return whether no process of this attempt runs and no launch of it is in progress."""
        ...

    def tail(self, name: str, attempt_id: str, *, after: bytes, offset: int) -> Iterator[bytes]:
        """Yield the log that the worker left, in bounded pieces, from stored `offset` on.

        `after`: the last stored bytes, for clusters without offsets. When the cluster has dropped
        that part of the log, it continues with the rest, behind a `LOST_LINES` marker.
        """
        ...

    def evidence(self, name: str) -> Evidence | None:
        """Return all objects of a worker for a diagnosis; None if `observe` shows everything."""
        ...

    def clean_up(self, name: str, attempt_id: str) -> None:
        """Remove the object of a worker that is gone. Idempotent; keeps a living worker."""
        ...

    def wait_for_changes(self, timeout_seconds: float, *, ends_only: bool = False) -> Changes:
        """Return the changes since the last call; wait at most `timeout_seconds` for the first.

        The result is only a hint to observe sooner. `ends_only`: only the end of a worker ends the
        wait.
        """
        ...

    def prepare(self) -> None:
        """Do slow preparations before the first launch. Idempotent.

        Raises: OSError, as the launch would.
        """
        ...

    def close(self) -> None:
        """Stop the background work: the launcher is no longer used."""
        ...
