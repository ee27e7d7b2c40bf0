"""How a pod ended, or is being ended: by itself, by its limits, by its node, by the cluster, by a person. Pure."""

import re

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.amounts import Asked, quantity
from jobs.diagnosis.kubernetes.exits import NOT_ITS_FAULT, NOTHING_WRITTEN, container_finding
from jobs.diagnosis.kubernetes.pods import Pod
from jobs.diagnosis.kubernetes.values import AGAIN, Finding
from mimir.lib.formatting import duration_text, memory_text

_NODE_LOW = re.compile(r"low on resource(?:s)?: \[?([a-z-]+)", re.I)
_NODE_CONDITION = re.compile(r"\[?(DiskPressure|MemoryPressure|PIDPressure)", re.I)
_OWN_LIMIT = re.compile(
    r"exceed(?:s|ed)? (?:the )?(?:total )?(?:limit|its local|local ephemeral)|ephemeral local storage usage exceeds|size limit",
    re.I,
)
_LIMIT_AMOUNT = re.compile(r'limit(?: of containers)? "?([0-9.]+[A-Za-z]*)"?')
_EMPTY_DIR = re.compile(r'EmptyDir volume "([^"]+)"')
_SHUTDOWN = re.compile(r"^Shutdown\b|node[- ]?shutdown|node is (?:in progress of )?shutting", re.I)
_CRITICAL = re.compile(r"critical pod|Preempting|admit critical", re.I)
_SAYS_WHY = re.compile(r"^(?:Pod was rejected: |Predicate \S+ failed due to |Pod )?", re.I)
_NODE_REASONS = frozenset(
    {
        "NodeAffinity",
        "NodeUnschedulable",
        "UnexpectedAdmissionError",
        "TopologyAffinityError",
        "InvalidNodeInfo",
        "HostPortConflict",
        "UnsupportedPodSpec",
    }
)


def ended_finding(pod: Pod, asked: Asked, *, claimed: bool = True) -> Finding | None:
    """Why a pod that has ended did so without success; None for a success, and for no known cause.

    A worker that ended before it claimed its job did not succeed, whatever its exit code says.
    """
    if pod.succeeded() and claimed:
        return None
    return of_node(pod) or disrupted_finding(pod) or container_finding(pod, asked, claimed=claimed)


def of_node(pod: Pod) -> Finding | None:
    """What its node says: evicted, refused, shut down, lost."""
    raw = ": ".join(part for part in (pod.reason, pod.message) if part)
    if pod.reason == "Evicted":
        return evicted_finding(pod.message, pod.node)
    if _CRITICAL.search(raw):
        return _preempted(raw, pod.node, "a pod that its node cannot do without took its room")
    if _SHUTDOWN.search(raw):
        return node_shutdown(raw, pod.node)
    if pod.reason == "NodeLost" or pod.phase == "Unknown":
        return node_lost(raw or "phase Unknown", pod.node)
    if (
        pod.reason.startswith("OutOf")
        or pod.reason in _NODE_REASONS
        or re.match(r"Pod was rejected|Predicate ", pod.message)
    ):
        return _rejected(raw, pod)
    if pod.reason == "DeadlineExceeded":
        return deadline_finding(raw, None)
    return None


def evicted_finding(message: str, node: str) -> Finding:
    """Why a node evicted the pod, by what its kubelet says."""
    raw = f"Evicted: {message}" if message else "Evicted"
    on = f" {node}" if node else ""
    if _OWN_LIMIT.search(message):
        return _own_disk(message, raw)
    low = (_NODE_LOW.search(message) or _NODE_CONDITION.search(message) or [None, ""])[1] or ""
    low = low.lower()
    if low.startswith(("memory", "allocatable-memory")):
        return Finding(
            FailureReason.EVICTED_MEMORY,
            f"Evicted: the node{on} ran out of memory.",
            f"{NOT_ITS_FAULT} If it comes back, have workers request the memory they use.",
            raw,
            (AGAIN, "Have workers request the memory they use"),
            facts={"node": node},
        )
    if low.startswith(("ephemeral", "nodefs", "imagefs", "containerfs", "disk", "inodes")):
        return Finding(
            FailureReason.EVICTED_DISK,
            f"Evicted: the node{on} ran out of disk.",
            f"{NOT_ITS_FAULT} If it comes back, an administrator should make room on the node's disk.",
            raw,
            (AGAIN, "Make room on the node's disk"),
            facts={"node": node},
        )
    why = (
        f"ran out of {'process ids' if low.startswith('pid') else low}"
        if low
        else f"says: {message}"
        if message
        else "gives no reason"
    )
    return Finding(
        FailureReason.EVICTED,
        f"Evicted: the node{on} {why}.",
        f"{NOT_ITS_FAULT} If it comes back, an administrator should look at the node.",
        raw,
        (AGAIN, "Look at the node"),
        facts={"node": node},
    )


def _own_disk(message: str, raw: str) -> Finding:
    volume, amount = _EMPTY_DIR.search(message), _LIMIT_AMOUNT.search(message)
    size = quantity(amount[1]) if amount else 0.0
    limit = f" of {memory_text(size)}" if size else ""
    what = f'its folder "{volume[1]}"' if volume else "its disk"
    return Finding(
        FailureReason.EVICTED_DISK_LIMIT,
        f"Evicted: it wrote more to {what} than its limit{limit}.",
        f"Write less, or have an administrator raise the limit (WORKER_DATA_BYTES). {NOTHING_WRITTEN}",
        raw,
        ("Write less to the disk", "Raise the limit (WORKER_DATA_BYTES)"),
        facts={"volume": volume[1] if volume else "", "limit_bytes": round(size) or None},
    )


def _rejected(raw: str, pod: Pod) -> Finding:
    short = pod.reason.removeprefix("OutOf") if pod.reason.startswith("OutOf") else ""
    on = f" {pod.node}" if pod.node else ""
    why = (
        f"it has not enough {short}"
        if short
        else _SAYS_WHY.sub("", pod.message).rstrip(".") or pod.reason
    )
    return Finding(
        FailureReason.NODE_REJECTED,
        f"The node{on} refused the worker that the scheduler had put there: {why}.",
        f"{NOT_ITS_FAULT} It was never started; another node, or the same later, takes it.",
        raw,
        (AGAIN, "Look at the node"),
        facts={"node": pod.node, "resource": short},
    )


def disrupted_finding(pod: Pod) -> Finding | None:
    """Why the cluster takes it away, by its condition DisruptionTarget."""
    condition = pod.disruption()
    if not condition.holds:
        return None
    raw = ": ".join(part for part in (condition.reason, condition.message) if part)
    if condition.reason == "PreemptionByScheduler":
        return _preempted(raw, pod.node, "a pod of a higher priority took its room")
    if condition.reason == "EvictionByEvictionAPI":
        return evicted_by_request(raw, pod.node)
    if condition.reason in ("DeletionByTaintManager", "DeletionByPodGC"):
        return node_lost(raw, pod.node)
    if condition.reason == "TerminationByKubelet":
        if _CRITICAL.search(raw):
            return _preempted(raw, pod.node, "a pod that its node cannot do without took its room")
        return (
            node_shutdown(raw, pod.node)
            if _SHUTDOWN.search(raw)
            else evicted_finding(condition.message, pod.node)
        )
    return Finding(
        FailureReason.EVICTED,
        f"The cluster took the worker away: {raw or 'it gives no reason'}.",
        NOT_ITS_FAULT,
        raw or "DisruptionTarget",
        (AGAIN,),
        facts={"node": pod.node},
    )


def _preempted(raw: str, node: str, why: str) -> Finding:
    return Finding(
        FailureReason.PREEMPTED,
        f"Preempted: {why}{f' on node {node}' if node else ''}.",
        f"{NOT_ITS_FAULT} A higher priority class, or one more node, keeps it from that.",
        raw,
        (AGAIN, "Add a node, or give jobs of this priority a higher priority class"),
        facts={"node": node},
    )


def preempted_finding(message: str, node: str) -> Finding:
    """By the scheduler's event on the victim."""
    return _preempted(f"Preempted: {message}", node, "a pod of a higher priority took its room")


def evicted_by_request(raw: str, node: str) -> Finding:
    """Somebody asked for it: a drain, an autoscaler."""
    return Finding(
        FailureReason.EVICTED_BY_REQUEST,
        f"Evicted by request{f' from node {node}' if node else ''}: a person or an autoscaler cleared the node (drain).",
        NOT_ITS_FAULT,
        raw,
        (AGAIN,),
        facts={"node": node},
    )


def node_shutdown(raw: str, node: str) -> Finding:
    """Its node was shut down in an orderly way."""
    return Finding(
        FailureReason.NODE_SHUTDOWN,
        f"Its node{f' {node}' if node else ''} was shut down.",
        NOT_ITS_FAULT,
        raw,
        (AGAIN,),
        facts={"node": node},
    )


def node_lost(raw: str, node: str, *, waits: bool = False) -> Finding:
    """Its node does not answer any more."""
    name = f" {node}" if node else ""
    if waits:
        return Finding(
            FailureReason.NODE_LOST,
            f"Its node{name} does not answer.",
            "If the node comes back the worker goes on; else the cluster gives it up after some minutes.",
            raw,
            ("Look at the node",),
            facts={"node": node},
        )
    return Finding(
        FailureReason.NODE_LOST,
        f"Its node{name} was lost: it stopped answering, or is gone, and the cluster gave its pods up.",
        f"{NOT_ITS_FAULT} An administrator should look at the node. The log may lack its last lines.",
        raw,
        (AGAIN, "Look at the node"),
        facts={"node": node},
    )


def deleted_finding(raw: str, node: str, *, what: str = "pod", ending: bool = False) -> Finding:
    """Somebody deleted it."""
    return Finding(
        FailureReason.DELETED_BY_HAND,
        f"The worker's {what} {'is being deleted' if ending else 'was deleted'} from outside, by a person or a program.",
        f"{NOT_ITS_FAULT} The log may lack its last lines.",
        raw,
        (AGAIN, "Find out who deletes the workers, if it comes back"),
        facts={"node": node},
    )


def vanished_finding(raw: str, node: str) -> Finding:
    """Gone without a trace."""
    return Finding(
        FailureReason.VANISHED,
        "The worker vanished from the cluster, which does not say why.",
        f"{NOT_ITS_FAULT} The log may lack its last lines.",
        raw,
        (AGAIN, "Find out what deletes the workers' pods, if it comes back"),
        facts={"node": node},
    )


def deadline_finding(raw: str, seconds: int | None, *, ending: bool = False) -> Finding:
    """It ran longer than its Job may."""
    limit = f" of {duration_text(seconds)}" if seconds else ""
    return Finding(
        FailureReason.DEADLINE_EXCEEDED,
        f"{'Being stopped' if ending else 'Stopped'} after its time limit{limit}.",
        f"Raise timeout_seconds, give it more CPU, or read less. {NOTHING_WRITTEN}",
        raw,
        ("Raise timeout_seconds", AGAIN),
        facts={"limit_seconds": seconds},
    )
