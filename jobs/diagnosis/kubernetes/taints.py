"""Taints that keep a worker off nodes: temporary node states, and taints set by people. Pure.

A taint is judged by its key: by the full key, else by a prefix or a suffix. A node state ends by
itself, and a diagnosis never recommends a toleration for it: a worker that tolerates `not-ready`
or `ToBeDeletedByClusterAutoscaler` would be scheduled on a node that cannot run it.
"""

from collections.abc import Iterable, Mapping, Sequence

from jobs.diagnosis.kubernetes.objects import Object, at, items, text

# Sources: kubernetes.io/docs/reference/labels-annotations-taints, and the documentation of each
# autoscaler and network plugin.
_STATES = {
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "unreachable",
    "node.kubernetes.io/disk-pressure": "low on disk",
    "node.kubernetes.io/memory-pressure": "low on memory",
    "node.kubernetes.io/pid-pressure": "low on process ids",
    "node.kubernetes.io/network-unavailable": "without network",
    "node.kubernetes.io/unschedulable": "cordoned",
    "node.kubernetes.io/out-of-service": "out of service",
    "node.kubernetes.io/out-of-disk": "low on disk",
    "node.cloudprovider.kubernetes.io/uninitialized": "still being set up",
    "node.cloudprovider.kubernetes.io/shutdown": "shut down",
    "node.alpha.kubernetes.io/notReady": "not ready",
    "node.alpha.kubernetes.io/unreachable": "unreachable",
    "ToBeDeletedByClusterAutoscaler": "being removed by the node autoscaler",
    "DeletionCandidateOfClusterAutoscaler": "about to be removed by the node autoscaler",
    "UpdateInProgress": "being updated",
    "karpenter.sh/unregistered": "still being set up",
    "karpenter.sh/unregistered-taint": "still being set up",
    "cloud.google.com/impending-node-termination": "about to be shut down",
    "cloud.google.com/gke-quick-remove": "about to be shut down",
    "node.cluster.x-k8s.io/uninitialized": "still being set up",
    "node.cluster.x-k8s.io/outdated-revision": "about to be replaced",
}
_PREFIXES = (
    ("node.kubernetes.io/", "in a state that repels pods"),
    ("node.cloudprovider.kubernetes.io/", "still being set up"),
    ("karpenter.sh/disrupt", "being removed by the node autoscaler"),
    ("karpenter.sh/", "being changed by the node autoscaler"),
    ("karpenter.k8s.aws/", "being changed by the node autoscaler"),
    ("startup-taint.cluster-autoscaler.kubernetes.io/", "still being set up"),
    ("ignore-taint.cluster-autoscaler.kubernetes.io/", "still being set up"),
    ("status-taint.cluster-autoscaler.kubernetes.io/", "in a state that repels pods"),
    ("cluster-autoscaler.kubernetes.io/", "being changed by the node autoscaler"),
    ("node.cilium.io/", "still being set up"),
    ("aws-node-termination-handler/", "about to be shut down"),
    ("remediation.medik8s.io/", "being repaired"),
    ("machineconfiguration.openshift.io/", "being updated"),
)
# Suffixes of the keys of agents (CSI drivers, network plugins) that have not started on a new node.
_SUFFIXES = (
    ("not-ready", "still being set up"),
    ("uninitialized", "still being set up"),
    ("-unready", "still being set up"),
)
_CONTROL_PLANE = frozenset(
    {
        "node-role.kubernetes.io/control-plane",
        "node-role.kubernetes.io/master",
        "node-role.kubernetes.io/etcd",
        "CriticalAddonsOnly",
    }
)
# People may set taints under a Karpenter prefix. These keys name the purpose of a node and do not
# end by themselves.
_CHOSEN = frozenset(
    {
        "karpenter.sh/nodepool",
        "karpenter.sh/capacity-type",
        "karpenter.sh/provisioner-name",
        "node.kubernetes.io/instance-type",
    }
)


def key_of(taint: str) -> str:
    """Return the key of a taint as the scheduler writes it: `key: value`."""
    return taint.partition(": ")[0].rstrip(":").strip()


def state_of(taint: str) -> str:
    """Return the temporary node state of a taint; empty for a taint set by people."""
    key = key_of(taint)
    if key in _STATES:
        return _STATES[key]
    if key in _CHOSEN:
        return ""
    found = next((state for prefix, state in _PREFIXES if key.startswith(prefix)), "")
    return found or next((state for suffix, state in _SUFFIXES if key.endswith(suffix)), "")


def is_control_plane(taint: str) -> bool:
    """Return whether the taint reserves a node for the cluster's own control plane."""
    return key_of(taint) in _CONTROL_PLANE


def blocking(node: Object, tolerations: Sequence[Object]) -> list[str]:
    """Return the taints that keep a worker with these tolerations off a node, as `key: value`.

    A cordoned node counts as tainted.
    """
    found = [
        f"{text(taint.get('key'))}: {text(taint.get('value'))}".rstrip(": ")
        for taint in items(at(node, "spec").get("taints"))
        if taint.get("effect") in ("NoSchedule", "NoExecute")
        and not any(_tolerates(each, taint) for each in tolerations)
    ]
    if at(node, "spec").get("unschedulable") is True:
        found.append("node.kubernetes.io/unschedulable")
    return list(dict.fromkeys(found))


def usable(
    nodes: Iterable[Object], tolerations: Sequence[Object], selector: Mapping[str, str]
) -> list[Object]:
    """Return the nodes that can take a worker: labels match, and all taints are tolerated."""
    return [
        node
        for node in nodes
        if not blocking(node, tolerations)
        and all(
            at(node, "metadata", "labels").get(name) == value for name, value in selector.items()
        )
    ]


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration.get("effect") != taint.get("effect"):
        return False
    if not toleration.get("key"):
        return toleration.get("operator") == "Exists"
    if toleration.get("key") != taint.get("key"):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (
        taint.get("value") or ""
    )
