"""Taints that keep a worker off nodes: those of a node's state or of an autoscaler, which pass, and those that a person chose. Pure.

A taint is judged by its key: by its full name, else by its prefix. A state passes by itself, so that nobody is told to tolerate it: a worker
that tolerates `not-ready` or `ToBeDeletedByClusterAutoscaler` is put on a node that cannot run it.
"""

from collections.abc import Iterable, Mapping, Sequence

from jobs.diagnosis.kubernetes.objects import Object, at, items, text

# Sources: kubernetes.io/docs/reference/labels-annotations-taints, and the documents of each autoscaler and network plugin.
_STATES = {
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "unreachable",
    "node.kubernetes.io/disk-pressure": "short of disk",
    "node.kubernetes.io/memory-pressure": "short of memory",
    "node.kubernetes.io/pid-pressure": "short of process ids",
    "node.kubernetes.io/network-unavailable": "without network",
    "node.kubernetes.io/unschedulable": "cordoned",
    "node.kubernetes.io/out-of-service": "out of service",
    "node.kubernetes.io/out-of-disk": "short of disk",
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
    ("node.kubernetes.io/", "in a state that keeps pods away"),
    ("node.cloudprovider.kubernetes.io/", "still being set up"),
    ("karpenter.sh/disrupt", "being removed by the node autoscaler"),
    ("karpenter.sh/", "being changed by the node autoscaler"),
    ("karpenter.k8s.aws/", "being changed by the node autoscaler"),
    ("startup-taint.cluster-autoscaler.kubernetes.io/", "still being set up"),
    ("ignore-taint.cluster-autoscaler.kubernetes.io/", "still being set up"),
    ("status-taint.cluster-autoscaler.kubernetes.io/", "in a state that keeps pods away"),
    ("cluster-autoscaler.kubernetes.io/", "being changed by the node autoscaler"),
    ("node.cilium.io/", "still being set up"),
    ("aws-node-termination-handler/", "about to be shut down"),
    ("remediation.medik8s.io/", "being repaired"),
    ("machineconfiguration.openshift.io/", "being updated"),
)
# Agents (CSI drivers, network plugins) that have not started on a new node yet end their keys so.
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
# A person may write a taint under a prefix of Karpenter's; these name what a node is for, and do not pass.
_CHOSEN = frozenset(
    {
        "karpenter.sh/nodepool",
        "karpenter.sh/capacity-type",
        "karpenter.sh/provisioner-name",
        "node.kubernetes.io/instance-type",
    }
)


def key_of(taint: str) -> str:
    """The key of a taint as the scheduler writes it: `key: value`."""
    return taint.partition(": ")[0].rstrip(":").strip()


def state_of(taint: str) -> str:
    """What a node with this taint is, where the taint passes by itself; empty for a taint that a person chose."""
    key = key_of(taint)
    if key in _STATES:
        return _STATES[key]
    if key in _CHOSEN:
        return ""
    found = next((state for prefix, state in _PREFIXES if key.startswith(prefix)), "")
    return found or next((state for suffix, state in _SUFFIXES if key.endswith(suffix)), "")


def is_control_plane(taint: str) -> bool:
    """Whether the taint reserves a node for the cluster's own control plane."""
    return key_of(taint) in _CONTROL_PLANE


def blocking(node: Object, tolerations: Sequence[Object]) -> list[str]:
    """The taints that keep a worker with these tolerations off a node, as `key: value`. A cordoned node counts as tainted."""
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
    """The nodes that a worker may be put on: without a taint that it does not tolerate, with the labels that it asks for."""
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
