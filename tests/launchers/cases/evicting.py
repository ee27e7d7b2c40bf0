"""Pods that were evicted, preempted or drained, or rejected by their node."""

from jobs.contract import FailureReason as R
from tests.launchers import kube
from tests.launchers.cases.base import disrupted, ended

_LOW = (
    "The node was low on resource: {}. Threshold quantity: 100Mi, available: 51Mi. Container "
    "worker was using 3Gi, request is 2Gi, has larger"
    " consumption of {}. "
)

EVICTIONS = [
    ended(
        "evicted-memory",
        R.EVICTED_MEMORY,
        kube.pod(phase="Failed", reason="Evicted", message=_LOW.format("memory", "memory")),
        "ran out of memory",
        "node1",
    ),
    ended(
        "evicted-disk",
        R.EVICTED_DISK,
        kube.pod(
            phase="Failed",
            reason="Evicted",
            message=_LOW.format("ephemeral-storage", "ephemeral-storage"),
        ),
        "disk",
    ),
    ended(
        "evicted-inodes",
        R.EVICTED_DISK,
        kube.pod(
            phase="Failed", reason="Evicted", message="The node was low on resource: inodes. "
        ),
        "disk",
    ),
    ended(
        "disk-pressure",
        R.EVICTED_DISK,
        kube.pod(
            phase="Failed",
            reason="Evicted",
            message="Pod was rejected: The node had condition: [DiskPressure]. ",
        ),
        "disk",
    ),
    ended(
        "evicted-pids",
        R.EVICTED,
        kube.pod(phase="Failed", reason="Evicted", message="The node was low on resource: pids. "),
        "process ids",
    ),
    ended(
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
    ended(
        "container-disk-limit",
        R.EVICTED_DISK_LIMIT,
        kube.pod(
            phase="Failed",
            reason="Evicted",
            message='Container worker exceeded its local ephemeral storage limit "2Gi". ',
        ),
        "2 GiB",
    ),
    ended(
        "pod-disk-limit",
        R.EVICTED_DISK_LIMIT,
        kube.pod(
            phase="Failed",
            reason="Evicted",
            message="Pod ephemeral local storage usage exceeds the total limit of containers 3Gi. ",
        ),
        "3 GiB",
    ),
    ended(
        "drain",
        R.EVICTED_BY_REQUEST,
        disrupted("EvictionByEvictionAPI", "Eviction API: evicting"),
        "by request",
        "node1",
    ),
    ended(
        "preempted",
        R.PREEMPTED,
        disrupted(
            "PreemptionByScheduler",
            "default-scheduler: preempting to accommodate a higher priority pod",
        ),
        "higher priority",
    ),
    ended(
        "critical-pod",
        R.PREEMPTED,
        kube.pod(
            phase="Failed", reason="Preempting", message="Preempted in order to admit critical pod"
        ),
        "took its capacity",
    ),
    ended(
        "taint-manager",
        R.NODE_LOST,
        disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
        "node1",
        "lost",
    ),
    ended(
        "tainted-by-hand",
        R.EVICTED_BY_REQUEST,
        disrupted("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
        "by request",
        nodes=[kube.node(taints=[{"key": "maintenance", "effect": "NoExecute"}])],
    ),
    ended(
        "pod-gc", R.NODE_LOST, disrupted("DeletionByPodGC", "PodGC: node no longer exists"), "lost"
    ),
    ended(
        "device-taint",
        R.EVICTED,
        disrupted(
            "DeletionByDeviceTaintManager", "Device Taint manager: deleting due to NoExecute taint"
        ),
        "Device Taint manager",
    ),
    ended(
        "node-shutdown",
        R.NODE_SHUTDOWN,
        kube.pod(
            phase="Failed",
            reason="Terminated",
            message="Pod was terminated in response to imminent node shutdown.",
        ),
        "shut down",
    ),
    ended(
        "node-shutting-down",
        R.NODE_SHUTDOWN,
        kube.pod(
            phase="Failed",
            reason="NodeShutdown",
            message="Pod was rejected as the node is shutting down.",
        ),
        "shut",
    ),
    ended(
        "kubelet-ended-it",
        R.NODE_SHUTDOWN,
        disrupted(
            "TerminationByKubelet", "Pod was terminated in response to imminent node shutdown."
        ),
        "shut down",
    ),
    ended(
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
    ended(
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
    ended(
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
]
