"""What a launcher is, and the values that travel to and from it.

`launch` is idempotent by the worker's name; `observe` is the truth about what runs; everything else follows from it. No method knows rows.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

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
    extra_env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Launched:
    """The worker object is there. `adopted`: it was there before this call."""

    uid: str
    adopted: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """One worker object as the cluster shows it.

    `alive`: its supervisor runs, or a starter is just making it. `processes`: how many processes of a dead supervisor's workload are left.
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


@dataclass(frozen=True, slots=True)
class ClusterCapacity:
    """What a cluster has."""

    jobs: int
    cpu_millicores: int
    memory_bytes: int
    gpus: int


class LaunchRefused(Exception):
    """For certain not created. `retryable`: the same launch may work later."""

    def __init__(self, message: str, *, reason: FailureReason = FailureReason.LAUNCH_FAILED, retryable: bool = False) -> None:
        super().__init__(message)
        self.reason, self.retryable = reason, retryable


class LaunchUncertain(Exception):
    """Perhaps created: launch again under the same name, which adopts it if it is there."""


class Launcher(Protocol):
    """A way to run workers on one cluster."""

    def launch(self, spec: LaunchSpec, *, still_wanted: Callable[[], bool]) -> Launched:
        """Make the worker, or adopt the one of this attempt that is there.

        `still_wanted` reads the row again once nobody else can start this worker any more.
        Raises: LaunchRefused, LaunchUncertain.
        """
        ...

    def observe(self) -> list[Observed]:
        """Every worker object of this installation, from one look at the cluster. Raises: OSError when the cluster does not answer."""
        ...

    def terminate(self, name: str, attempt_id: str, *, grace_seconds: float) -> None:
        """Ask the worker to stop; with a grace of 0, or when its supervisor is dead, kill all of it. Not found is harmless."""
        ...

    def is_gone(self, name: str, attempt_id: str) -> bool:
        """Whether nothing of this attempt runs, and nobody is about to start it."""
        ...

    def tail(self, name: str, attempt_id: str, *, after: bytes, offset: int) -> bytes | None:
        """A piece of the log the worker left behind, from stored `offset` on; empty or None when there is no more.

        `after`: the last stored bytes, for clusters that know no offsets.
        """
        ...

    def clean_up(self, name: str, attempt_id: str) -> None:
        """Remove the object of a worker that is gone. Twice is harmless; while it lives nothing is removed."""
        ...

    def wait_for_change(self, timeout_seconds: float) -> bool:
        """Wait until a worker appeared or ended, at most `timeout_seconds`; whether one did. Only a hint to look sooner."""
        ...

    def capacity(self) -> ClusterCapacity:
        """What the cluster has now."""
        ...
