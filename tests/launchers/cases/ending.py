"""Pods that ended or are being ended."""

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import (
    ENDED,
    ENDING,
    WAITS,
    Case,
    disrupted,
    ended,
    scheduler_message,
)

ENDINGS = [
    ended(
        "oom-of-a-child",
        R.OUT_OF_MEMORY,
        kube.terminated(1, "OOMKilled", "killed"),
        "4 GiB",
        "8 GiB",
    ),
    ended(
        "exit-code",
        R.EXIT_CODE,
        kube.terminated(2, message="usage: worker\nerror: no such option"),
        "exit code 2",
        "no such option",
    ),
    ended("exit-without-words", R.EXIT_CODE, kube.terminated(255), "exit code 255"),
    ended("segfault", R.SIGNAL, kube.terminated(139), "signal 11", "segmentation fault"),
    ended("abort", R.SIGNAL, kube.terminated(134), "signal 6", "aborted"),
    ended(
        "killed",
        R.WORKER_LOST,
        kube.terminated(137),
        "signal 9",
        "killed",
        "exit code 137",
        "not OOMKilled",
    ),
    ended("stopped", R.WORKER_LOST, kube.terminated(143), "signal 15", "stopped", "from outside"),
    ended("real-time-signal", R.SIGNAL, kube.terminated(128 + 40), "signal 40"),
    ended(
        "docker-cannot-run",
        R.BAD_COMMAND,
        kube.terminated(
            127,
            "ContainerCannotRun",
            'OCI runtime create failed: exec: "mimir-worker": executable file not found in $PATH: '
            "unknown",
        ),
        "mimir-worker",
    ),
    ended(
        "not-executable",
        R.BAD_COMMAND,
        kube.terminated(128, "StartError", 'exec: "/w": permission denied: unknown'),
        "is not executable",
    ),
    ended(
        "wrong-architecture",
        R.BAD_COMMAND,
        kube.terminated(128, "StartError", "exec /w: exec format error: unknown"),
        "processor architecture",
    ),
    ended(
        "too-little-memory-to-start",
        R.OUT_OF_MEMORY,
        kube.terminated(128, "StartError", "container init was OOM-killed (memory limit too low?)"),
        "before it started",
    ),
    ended(
        "start-mount",
        R.MOUNT_FAILED,
        kube.terminated(
            128, "StartError", 'error mounting "/a" to rootfs at "/app/models": no such file'
        ),
        "cannot be mounted",
    ),
    ended(
        "status-unknown",
        R.NODE_LOST,
        kube.terminated(
            137,
            "ContainerStatusUnknown",
            "The container could not be located when the pod was terminated",
        ),
        "node1",
    ),
    ended(
        "old-node-lost",
        R.NODE_LOST,
        kube.pod(
            phase="Failed",
            reason="NodeLost",
            message="Node node1 which was running pod is unresponsive",
        ),
        "node1",
    ),
    ended(
        "strange-end",
        R.WORKER_LOST,
        kube.pod(phase="Failed", reason="Weird", message="it rained"),
        "Weird: it rained",
    ),
    Case(
        "deleted-while-it-ends",
        R.DELETED_BY_HAND,
        ENDED,
        ("from outside",),
        [kube.terminated(137, deleting=True)],
        [],
        kube.job(failed=1),
    ),
    Case(
        "being-deleted",
        R.DELETED_BY_HAND,
        ENDING,
        ("is being deleted",),
        [kube.running(deleting=True)],
        [kube.event("Killing", "Stopping container worker")],
    ),
    Case(
        "being-drained",
        R.EVICTED_BY_REQUEST,
        ENDING,
        ("by request",),
        [
            kube.running(
                deleting=True,
                conditions=[
                    ("DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting")
                ],
            )
        ],
    ),
    Case(
        "killed-by-the-deadline",
        R.DEADLINE_EXCEEDED,
        ENDED,
        ("time limit of 20 s",),
        [kube.terminated(137, deleting=True)],
        [],
        kube.job(
            ("FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline"),
            deadline=20,
        ),
    ),
    Case(
        "stopped-by-suspension",
        R.SUSPENDED,
        ENDING,
        ("was stopped",),
        [kube.running(deleting=True)],
        [],
        kube.job(suspend=True),
    ),
    Case(
        "node-away",
        R.NODE_LOST,
        WAITS,
        ("does not answer", "continues"),
        [kube.running(conditions=[("Ready", "False", "", "")])],
        [kube.event("NodeNotReady", "Node is not ready")],
    ),
    Case(
        "node-away-by-its-row",
        R.NODE_LOST,
        WAITS,
        ("node1 does not answer",),
        [kube.running()],
        nodes=[kube.node(ready="Unknown")],
    ),
    Case(
        "node-away-before-start",
        R.NODE_LOST,
        WAITS,
        ("node1 does not answer",),
        [kube.waiting("ContainerCreating")],
        nodes=[kube.node("node2")],
    ),
    Case(
        "replaced",
        R.EVICTED_BY_REQUEST,
        WAITS,
        ("another pod in its place",),
        [
            disrupted("EvictionByEvictionAPI", "Eviction API: evicting"),
            kube.running(name=f"{kube.JOB}-zzzzz", created=90),
        ],
    ),
    Case(
        "replacement-waits",
        R.UNSCHEDULABLE,
        WAITS,
        ("cordoned", "An earlier pod of this attempt: Evicted by request"),
        [
            disrupted("EvictionByEvictionAPI", "Eviction API: evicting"),
            kube.pod(
                name=f"{kube.JOB}-zzzzz",
                created=90,
                node="",
                conditions=[
                    (
                        "PodScheduled",
                        "False",
                        "Unschedulable",
                        scheduler_message(1, "1 node(s) were unschedulable"),
                    )
                ],
            ),
        ],
    ),
    Case(
        "replaced-by-events",
        R.PREEMPTED,
        WAITS,
        ("another pod in its place",),
        [kube.running(name=f"{kube.JOB}-zzzzz", created=90)],
        [
            kube.event("Started"),
            kube.event("Preempted", "Preempted by pod 4a1f on node node1"),
            kube.event("Killing", seconds=11),
        ],
    ),
    Case(
        "replaced-after-a-drain",
        R.EVICTED_BY_REQUEST,
        WAITS,
        ("another pod in its place",),
        [kube.running(name=f"{kube.JOB}-zzzzz", created=90)],
        [kube.event("Started"), kube.event("Killing", "Stopping container worker", seconds=11)],
    ),
]
