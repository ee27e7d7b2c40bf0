"""What a launcher is, and the values that travel to and from it.

`launch` is idempotent by the worker's name; `observe` is the truth about what runs; everything else follows from it. No method knows rows.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from jobs.contract import FailureReason


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """One worker to make. CPU in thousandths of a core, memory in bytes; both are limits."""

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
    requested_cpu_millicores: int = 0  # what a scheduler finds room for; 0: as much as the limit
    requested_memory_bytes: int = 0
    extra_env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a cluster is and how it is asked. `context` empty: the cluster we run in, else the kubeconfig's current one."""

    context: str = ""
    kubeconfig_file: str = ""
    namespace: str = ""
    qps: float = 200.0
    burst: int = 400
    timeout_seconds: float = 15.0
    connections: int = 32


@dataclass(frozen=True, slots=True)
class Launched:
    """The worker object is there. `adopted`: it was there before this call."""

    uid: str
    adopted: bool


@dataclass(frozen=True, slots=True)
class Observation:
    """One worker object as the cluster shows it.

    `alive`: its supervisor runs, or a starter is just making it. `processes`: how many processes of a dead supervisor's workload are left.
    `node_suspected`: it is shown as one that runs, and not as one that is ready: its node may be silent. The evidence tells.
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
    evidence: "Evidence | None" = None  # None where there is nothing but what stands here


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a cluster shows of one worker, as `diagnosis.diagnose` takes it. `nodes` is None without the right to read them."""

    job: Mapping[str, Any] | None
    pods: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    nodes: tuple[Mapping[str, Any], ...] | None = None


class LaunchRefused(Exception):
    """For certain not created, and asking again changes nothing. `told`: the cluster's diagnosis of it."""

    def __init__(
        self,
        message: str,
        *,
        reason: FailureReason = FailureReason.LAUNCH_FAILED,
        told: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason, self.told = reason, told


class LaunchUncertain(Exception):
    """Perhaps created: launch again under the same name, which adopts it if it is there. `told`: the diagnosis of it, for who waits."""

    def __init__(self, message: str, *, told: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.told = told


class LaunchLater(LaunchUncertain):
    """Not created for now: ask again, after `seconds` where the cluster named a time."""

    def __init__(
        self, message: str, *, seconds: float | None = None, told: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, diagnosis=told)
        self.seconds = seconds


class Launcher(Protocol):
    """A way to run workers on one cluster."""

    def launch(self, spec: LaunchSpec, *, still_wanted: Callable[[], bool]) -> Launched:
        """Make the worker, or adopt the one of this attempt that is there.

        `still_wanted` reads the row again once nobody else can start this worker any more.
        Raises: LaunchRefused, LaunchUncertain.
        """
        ...

    def observe(self) -> list[Observation]:
        """Every worker object of this installation, from one look at the cluster. Raises: OSError when the cluster does not answer."""
        ...

    def terminate(self, name: str, attempt_id: str, *, grace_seconds: float) -> None:
        """Ask the worker to stop; with a grace of 0, or when its supervisor is dead, kill all of it. Not found is harmless."""
        ...

    def is_gone(self, name: str, attempt_id: str) -> bool:
        """Whether nothing of this attempt runs, and nobody is about to start it."""
        ...

    def tail(self, name: str, attempt_id: str, *, after: bytes, offset: int) -> Iterator[bytes]:
        """The log the worker left behind, in bounded pieces, from stored `offset` on.

        `after`: the last stored bytes, for clusters that know no offsets. Where they are not found, since the cluster threw the log's
        older part away, it goes on with what there is: the reader is told by `LOST_LINES` in between.
        """
        ...

    def evidence(self, name: str) -> Evidence | None:
        """All the cluster shows of a worker, for a diagnosis; None where there is nothing but what `observe` says."""
        ...

    def clean_up(self, name: str, attempt_id: str) -> None:
        """Remove the object of a worker that is gone. Twice is harmless; while it lives nothing is removed."""
        ...

    def wait_for_change(self, timeout_seconds: float) -> bool:
        """Wait until a worker appeared or ended, at most `timeout_seconds`; whether one did. Only a hint to look sooner."""
        ...

    def prepare(self) -> None:
        """Make beforehand what the first launch would wait for. Twice is harmless. Raises: OSError, which the launch will too."""
        ...

    def close(self) -> None:
        """Stop what it does in the background: nobody asks it any more."""
        ...
