"""Type of a case, and helpers that several areas share."""

from dataclasses import dataclass, field
from typing import Any

from jobs.contract import FailureReason as R
from tests.launchers import kube

WAITS, STUCK, ENDING, ENDED = "waits", "stuck", "ending", "ended"
IMAGE = "mimir-aip/worker:1.0.0"


@dataclass(frozen=True, slots=True)
class Case:
    """Objects of a cluster, with the expected diagnosis."""

    name: str
    category: R
    stage: str
    words: tuple[str, ...]
    pods: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    job: dict[str, Any] | None = field(default_factory=lambda: kube.job(active=1))
    nodes: list[dict[str, Any]] | None = None
    kept: list[dict[str, Any]] = field(default_factory=list)


def scheduler_message(total: int, parts: str) -> str:
    """Return a message of the scheduler."""
    return (
        f"0/{total} nodes are available: {parts}. preemption: 0/{total} nodes are available: "
        f"{total} Preemption is not helpful for scheduling."
    )


def disrupted(reason: str, message: str, **changes: Any) -> dict[str, Any]:
    """Return a pod that the cluster ended, as its condition states."""
    return kube.terminated(
        137, conditions=[("DisruptionTarget", "True", reason, message)], **changes
    )


FAILED_JOB = kube.job(
    ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"), failed=1
)


def ended(name: str, category: R, pod: dict[str, Any], *words: str, **more: Any) -> Case:
    """Return a case whose pod and Job have ended."""
    return Case(
        name, category, ENDED, words, [pod], more.pop("events", []), kube.job(failed=1), **more
    )
