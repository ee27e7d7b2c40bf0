"""Pods that ended or are being ended."""

from typing import Any

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import ENDED, ENDING, WAITS, Case, disrupted, scheduler_message


def _ended(name: str, category: R, pod: dict[str, Any], *words: str, **more: Any) -> Case:
    return Case(
        name, category, ENDED, words, [pod], more.pop("events", []), kube.job(failed=1), **more
    )


_LOW = (
    "The node was low on resource: {}. Threshold quantity: 100Mi, available: 51Mi. Container "
    "worker was using 3Gi, request is 2Gi, has larger"
    " consumption of {}. "
)

ENDINGS = [
    _ended(
        "oom-of-a-child",
        R.OUT_OF_MEMORY,
        kube.terminated(1, "OOMKilled", "killed"),
        "4 GiB",
        "8 GiB",
    ),
    _ended(
        "exit-code",
        R.EXIT_CODE,
        kube.terminated(2, message="usage: worker\nerror: no such option"),
        "exit code 2",
        "no such option",
    ),
    _ended("exit-without-words", R.EXIT_CODE, kube.terminated(255), "exit code 255"),
    _ended("segfault", R.SIGNAL, kube.terminated(139), "signal 11", "segmentation fault"),
    _ended("abort", R.SIGNAL, kube.terminated(134), "signal 6", "aborted"),
    _ended(
        "killed",
        R.WORKER_LOST,
        kube.terminated(137),
        "signal 9",
        "killed",
        "exit code 137",
        "not OOMKilled",
    ),
    _ended("stopped", R.WORKER_LOST, kube.terminated(143), "signal 15", "stopped", "from outside"),
    _ended("real-time-signal", R.SIGNAL, kube.terminated(128 + 40), "signal 40"),
    _ended(
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
    _ended(
        "not-executable",
        R.BAD_COMMAND,
        kube.terminated(128, "StartError", 'exec: "/w": permission denied: unknown'),
        "is not executable",
    ),
    _ended(
        "wrong-architecture",
        R.BAD_COMMAND,
        kube.terminated(128, "StartError", "exec /w: exec format error: unknown"),
        "processor architecture",
    ),
    _ended(
        "too-little-memory-to-start",
        R.OUT_OF_MEMORY,
        kube.terminated(128, "StartError", "container init was OOM-killed (memory limit too low?)"),
        "before it started",
    ),
    _ended(
        "start-mount",
        R.MOUNT_FAILED,
        kube.terminated(
            128, "StartError", 'error mounting "/a" to rootfs at "/app/models": no such file'
        ),
        "cannot be mounted",
    ),
    _ended(
        "status-unknown",
        R.NODE_LOST,
        kube.terminated(
            137,
            "ContainerStatusUnknown",
            "The container could not be located when the pod was terminated",
        ),
        "node1",
    ),
    _ended(
        "evicted-memory",
        R.EVICTED_MEMORY,
        kube.pod(phase="Failed", reason="Evicted", message=_LOW.format("memory", "memory")),
        "ran out of memory",
        "node1",
    ),
    _ended(
        "evicted-disk",
        R.EVICTED_DISK,
        kube.pod(
            phase="Failed",
            reason="Evicted",
            message=_LOW.format("ephemeral-storage", "ephemeral-storage"),
        ),
        "disk",
    ),
    _ended(
        "evicted-inodes",
        R.EVICTED_DISK,
        kube.pod(
            phase="Failed", reason="Evicted", message="The node was low on resource: inodes. "
        ),
        "disk",
    ),
    _ended(
        "disk-pressure",
        R.EVICTED_DISK,
        kube.pod(
            phase="Failed",
            reason="Evicted",
            message="Pod was rejected: The node had condition: [DiskPressure]. ",
        ),
        "disk",
    ),
    _ended(
        "evicted-pids",
        R.EVICTED,
        kube.pod(phase="Failed", reason="Evicted", message="The node was low on resource: pids. "),
        "process ids",
    ),
    _ended(
        "empty-dir",
        R.EVICTED_DISK_LIMIT,
        kube.pod(
            phase="Failed",
            reason="Evicted",
            message='Usage of EmptyDir volume "job-data" exceeds the limit "1Gi". ',
        ),
        "job-data",
        "1 GiB",
        "WORKER_DATA_BYTES",
    ),
    _ended(
        "container-disk-limit",
        R.EVICTED_DISK_LIMIT,
        kube.pod(
            phase="Failed",
            reason="Evicted",
            message='Container worker exceeded its local ephemeral storage limit "2Gi". ',
        ),
        "2 GiB",
    ),
    _ended(
        "pod-disk-limit",
        R.EVICTED_DISK_LIMIT,
        kube.pod(
            phase="Failed",
            reason="Evicted",
            message="Pod ephemeral local storage usage exceeds the total limit of containers 3Gi. ",
        ),
        "3 GiB",
    ),
    _ended(
        "drain",
        R.EVICTED_BY_REQUEST,
        disrupted("EvictionByEvictionAPI", "Eviction API: evicting"),
        "by request",
        "node1",
    ),
    _ended(
        "preempted",
        R.PREEMPTED,
        disrupted(
            "PreemptionByScheduler",
            "default-scheduler: preempting to accommodate a higher priority pod",
        ),
        "higher priority",
    ),
    _ended(
        "critical-pod",
        R.PREEMPTED,
        kube.pod(
            phase="Failed", reason="Preempting", message="Preempted in order to admit critical pod"
        ),
        "took its capacity",
    ),
    _ended(
        "taint-manager",
        R.NODE_LOST,
        disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
        "node1",
        "lost",
    ),
    _ended(
        "tainted-by-hand",
        R.EVICTED_BY_REQUEST,
        disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
        "by request",
        nodes=[kube.node(taints=[{"key": "maintenance", "effect": "NoExecute"}])],
    ),
    _ended(
        "pod-gc", R.NODE_LOST, disrupted("DeletionByPodGC", "PodGC: node no longer exists"), "lost"
    ),
    _ended(
        "device-taint",
        R.EVICTED,
        disrupted(
            "DeletionByDeviceTaintManager", "Device Taint manager: deleting due to NoExecute taint"
        ),
        "Device Taint manager",
    ),
    _ended(
        "node-shutdown",
        R.NODE_SHUTDOWN,
        kube.pod(
            phase="Failed",
            reason="Terminated",
            message="Pod was terminated in response to imminent node shutdown.",
        ),
        "shut down",
    ),
    _ended(
        "node-shutting-down",
        R.NODE_SHUTDOWN,
        kube.pod(
            phase="Failed",
            reason="NodeShutdown",
            message="Pod was rejected as the node is shutting down.",
        ),
        "shut",
    ),
    _ended(
        "kubelet-ended-it",
        R.NODE_SHUTDOWN,
        disrupted(
            "TerminationByKubelet", "Pod was terminated in response to imminent node shutdown."
        ),
        "shut down",
    ),
    _ended(
        "out-of-cpu",
        R.NODE_REJECTED,
        kube.pod(
            phase="Failed",
            reason="OutOfcpu",
            message="Pod was rejected: Node didn't have enough resource: cpu, "
            "requested: 500, used: "
            "3800, capacity: 4000",
        ),
        "cpu",
    ),
    _ended(
        "node-affinity",
        R.NODE_REJECTED,
        kube.pod(
            phase="Failed",
            reason="NodeAffinity",
            message="Pod was rejected: Predicate NodeAffinity failed: node(s) "
            "didn't match Pod's node "
            "affinity/selector",
        ),
        "node1",
    ),
    _ended(
        "gpu-broken",
        R.NODE_REJECTED,
        kube.pod(
            phase="Failed",
            reason="UnexpectedAdmissionError",
            message="Pod was rejected: Allocate failed due to no healthy devices present; cannot "
            "allocate unhealthy devices nvidia.com/gpu,"
            " which is unexpected",
        ),
        "no healthy devices",
    ),
    _ended(
        "old-node-lost",
        R.NODE_LOST,
        kube.pod(
            phase="Failed",
            reason="NodeLost",
            message="Node node1 which was running pod is unresponsive",
        ),
        "node1",
    ),
    _ended(
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
