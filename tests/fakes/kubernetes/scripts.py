"""Scripted behaviour of pods: start, duration and end."""

import fnmatch
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any


class Start(StrEnum):
    """Start of a new pod. All except the first block it until `start` or a deletion."""

    RUNS = "runs"
    HOLD = "hold"  # ContainerCreating, without a reason
    # no pod is created: FailedCreate events of the controller
    QUOTA = "quota"
    LIMIT_RANGE = "limit-range"
    POD_SECURITY = "pod-security"
    WEBHOOK = "webhook"
    NO_SERVICE_ACCOUNT = "no-service-account"
    # no node
    NO_CPU = "no-cpu"
    NO_MEMORY = "no-memory"
    NO_GPU = "no-gpu"
    NO_NODE_MATCHES = "no-node-matches"
    TAINTED = "tainted"
    NO_CLAIM = "no-claim"
    UNBOUND_CLAIM = "unbound-claim"
    # a node, no container
    IMAGE_NOT_FOUND = "image-not-found"
    PULL_DENIED = "pull-denied"
    REGISTRY_UNREACHABLE = "registry-unreachable"
    BAD_IMAGE_NAME = "bad-image-name"
    NEVER_PULL = "never-pull"
    PULLING = "pulling"
    NO_SECRET = "no-secret"  # noqa: S105 - a reason
    NO_CONFIG_MAP = "no-config-map"
    MOUNT_FAILED = "mount-failed"
    SANDBOX_FAILED = "sandbox-failed"
    BAD_COMMAND = "bad-command"  # ends at once, exit code 128


class Act(StrEnum):
    """Act on a pod, by script after `run_seconds` or by a test."""

    START = "start"  # the cause that blocked it is fixed
    EXIT = "exit"  # with `exit_code`
    OUT_OF_MEMORY = "out-of-memory"
    EVICT_MEMORY = "evict-memory"
    EVICT_DISK = "evict-disk"
    EVICT_EMPTY_DIR = "evict-empty-dir"  # without DisruptionTarget, as in real life
    EVICT_REQUEST = "evict-request"  # the Eviction API, as a drain uses it
    PREEMPT = "preempt"
    NODE_SHUTDOWN = "node-shutdown"
    DELETE = "delete"  # kubectl delete pod
    FORCE_DELETE = "force-delete"  # --grace-period=0 --force


@dataclass(frozen=True, slots=True)
class PodScript:
    """Scripted behaviour of a pod.

    Seconds are of the cluster's clock; with 0 the step happens before the next response.
    """

    start: Start = Start.RUNS
    create_seconds: float = 0.0  # Job to pod
    schedule_seconds: float = 0.0  # pod to node
    start_seconds: float = 0.0  # node to running container: image, volumes, sandbox
    run_seconds: float | None = None  # None: until an act
    end: Act = Act.EXIT
    exit_code: int = 0
    message: str = ""  # message of the scheduler, runtime or admission instead of the usual one
    stop_seconds: float | None = (
        0.0  # from SIGTERM to the container's end; None: only SIGKILL ends it
    )
    stop_exit_code: int = 143
    node: str = ""  # empty: the first ready node
    sidecar: bool = (
        False  # a classic sidecar runs beside the worker and ends only when its pod is deleted
    )


@dataclass(slots=True)
class Scripts:
    """The default script, and scripts for Jobs by name or by pattern (`*`).

    The newest matching pattern applies.
    """

    default: PodScript = field(default_factory=PodScript)
    _by_name: dict[str, PodScript] = field(default_factory=dict)
    _by_pattern: list[tuple[str, PodScript]] = field(default_factory=list)

    def put(self, job: str, script: PodScript) -> None:
        if job == "*":
            self.default = script
        elif "*" in job:
            self._by_pattern.insert(0, (job, script))
        else:
            self._by_name[job] = script

    def of(self, job: str) -> PodScript:
        if job in self._by_name:
            return self._by_name[job]
        return next(
            (script for pattern, script in self._by_pattern if fnmatch.fnmatchcase(job, pattern)),
            self.default,
        )


def script_from_json(data: dict[str, Any]) -> PodScript:
    """Parse a pod script. Raises: ValueError, TypeError."""
    known = {each.name for each in fields(PodScript)}
    if unknown := set(data) - known:
        raise ValueError(
            f"unknown in a script: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}"
        )
    data = {
        name: Start(value) if name == "start" else Act(value) if name == "end" else value
        for name, value in data.items()
    }
    return PodScript(**data)
