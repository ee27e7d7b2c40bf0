"""Pods that no longer exist in the cluster."""

from typing import Any

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import ENDED, Case, scheduler_message

_FAILED = kube.job(
    ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"), failed=1
)
_POLICY = "PodFailurePolicy"


def _gone(
    name: str,
    category: R,
    kept: dict[str, Any],
    events: list[dict[str, Any]],
    *words: str,
    job: dict[str, Any] | None = _FAILED,
    **more: Any,
) -> Case:
    return Case(name, category, ENDED, words, [], events, job, kept=[kept], **more)


GONE = [
    _gone(
        "pod-deleted",
        R.DELETED_BY_HAND,
        kube.running(),
        [kube.event("Started"), kube.event("Killing", "Stopping container worker")],
        "pod was deleted",
    ),
    _gone(
        "job-deleted",
        R.DELETED_BY_HAND,
        kube.running(),
        [kube.event("Killing", "Stopping container worker")],
        "Job was deleted",
        job=None,
    ),
    _gone(
        "deleted-unscheduled",
        R.DELETED_BY_HAND,
        kube.unscheduled(scheduler_message(1, "1 Insufficient cpu")),
        [],
        "was deleted",
    ),
    _gone("no-trace", R.VANISHED, kube.running(), [], "vanished"),
    _gone(
        "kept-end",
        R.OUT_OF_MEMORY,
        kube.terminated(137, "OOMKilled"),
        [kube.event("Killing")],
        "Ran out of memory",
        job=None,
    ),
    _gone(
        "kept-drain",
        R.EVICTED_BY_REQUEST,
        kube.running(
            deleting=True, conditions=[("DisruptionTarget", "True", "EvictionByEvictionAPI", "")]
        ),
        [],
        "request",
    ),
    _gone(
        "node-lost-by-events",
        R.NODE_LOST,
        kube.running(),
        [
            kube.event("NodeNotReady", "Node is not ready"),
            kube.event("TaintManagerEviction", "Marking for deletion Pod ns/x", seconds=60),
        ],
        "node1",
    ),
    _gone(
        "taint-cancelled",
        R.DELETED_BY_HAND,
        kube.running(),
        [
            kube.event("NodeNotReady", "Node is not ready"),
            kube.event("TaintManagerEviction", "Cancelling deletion of Pod ns/x", seconds=20),
            kube.event("Killing", "Stopping container worker", seconds=90),
        ],
        "deleted",
    ),
    _gone("node-gone", R.NODE_LOST, kube.running(), [], "lost", nodes=[kube.node("node2")]),
    _gone(
        "preempted-by-event",
        R.PREEMPTED,
        kube.running(),
        [kube.event("Preempted", "Preempted by pod 4a1f on node node1"), kube.event("Killing")],
        "capacity",
    ),
    _gone(
        "evicted-by-event",
        R.EVICTED_DISK_LIMIT,
        kube.running(),
        [
            kube.event("Evicted", 'Usage of EmptyDir volume "job-data" exceeds the limit "1Gi". '),
            kube.event("Killing"),
        ],
        "job-data",
    ),
    _gone(
        "policy-exit-code",
        R.EXIT_CODE,
        kube.running(),
        [],
        "exit code 7",
        job=kube.job(
            (
                "Failed",
                _POLICY,
                f"Container worker for pod ns/{kube.POD} failed with exit code 7 matching FailJob "
                "rule at index 0",
            )
        ),
    ),
    _gone(
        "policy-disruption",
        R.EVICTED_BY_REQUEST,
        kube.running(),
        [],
        "by request",
        job=kube.job(
            (
                "Failed",
                _POLICY,
                f"Pod ns/{kube.POD} has condition DisruptionTarget matching FailJob rule at index "
                "0",
            )
        ),
    ),
    Case("nothing-left", R.VANISHED, ENDED, ("vanished",), [], [], None),
    Case("never-known", R.VANISHED, ENDED, ("BackoffLimitExceeded",), [], [], _FAILED),
    Case(
        "deadline-without-cause",
        R.LAUNCH_TIMEOUT,
        ENDED,
        ("did not start", "DeadlineExceeded"),
        [],
        [kube.event("Scheduled")],
        kube.job(("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")),
    ),
    Case(
        "secret-never-came",
        R.MISSING_SECRET,
        ENDED,
        ("Never started", '"redis" is missing'),
        [],
        [],
        kube.job(("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")),
        kept=[kube.waiting("CreateContainerConfigError", 'secret "redis" not found')],
    ),
]
