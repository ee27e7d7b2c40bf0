"""Rules for the end of a pod: by its limits, by its node, by the cluster, by a person. Pure."""

import re

from jobs.diagnosis.catalogue import worker_end as says
from jobs.diagnosis.kubernetes.cause import Cause
from jobs.diagnosis.kubernetes.pods import Pod
from jobs.diagnosis.kubernetes.quantities import quantity
from jobs.diagnosis.kubernetes.rules_exit import container_cause
from jobs.diagnosis.kubernetes.worker_spec import WorkerSpec

_NODE_LOW = re.compile(r"low on resource(?:s)?: \[?([a-z-]+)", re.I)
_NODE_CONDITION = re.compile(r"\[?(DiskPressure|MemoryPressure|PIDPressure)", re.I)
_OWN_LIMIT = re.compile(
    r"exceed(?:s|ed)? (?:the )?(?:total )?(?:limit|its local|local ephemeral)"
    r"|ephemeral local storage usage exceeds|size limit",
    re.I,
)
_LIMIT_AMOUNT = re.compile(r'limit(?: of containers)? "?([0-9.]+[A-Za-z]*)"?')
_EMPTY_DIR = re.compile(r'EmptyDir volume "([^"]+)"')
_SHUTDOWN = re.compile(r"^Shutdown\b|node[- ]?shutdown|node is (?:in progress of )?shutting", re.I)
_CRITICAL = re.compile(r"critical pod|Preempting|admit critical", re.I)
_REJECTION = re.compile(r"^(?:Pod was rejected: |Predicate \S+ failed due to |Pod )?", re.I)
_IS_REJECTION = re.compile(r"Pod was rejected|Predicate ")
_SHORTAGE = "OutOf"  # a kubelet names a short resource as in OutOfcpu
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
_MEMORY = ("memory", "allocatable-memory")
_DISK = ("ephemeral", "nodefs", "imagefs", "containerfs", "disk", "inodes")


def ended_cause(pod: Pod, spec: WorkerSpec, *, claimed: bool = True) -> Cause | None:
    """Return why an ended pod did not succeed; None for a success, and for no known cause.

    A worker that ended before it claimed its job did not succeed, whatever its exit code.
    """
    if pod.succeeded() and claimed:
        return None
    return node_cause(pod) or disruption_cause(pod) or container_cause(pod, spec, claimed=claimed)


def node_cause(pod: Pod) -> Cause | None:
    """Return the cause that its node reports: evicted, rejected, shut down, lost; else None."""
    raw = _joined(pod.reason, pod.message)
    if pod.reason == "Evicted":
        return evicted(pod.message, pod.node)
    if _CRITICAL.search(raw):
        return Cause(says.PREEMPTED_BY_CRITICAL, {"node": pod.node}, raw)
    if _SHUTDOWN.search(raw):
        return Cause(says.NODE_SHUTDOWN, {"node": pod.node}, raw)
    if pod.reason == "NodeLost" or pod.phase == "Unknown":
        return node_lost(raw or "phase Unknown", pod.node)
    if (
        pod.reason.startswith(_SHORTAGE)
        or pod.reason in _NODE_REASONS
        or _IS_REJECTION.match(pod.message)
    ):
        return _rejected(raw, pod)
    return deadline(raw, None) if pod.reason == "DeadlineExceeded" else None


def evicted(message: str, node: str) -> Cause:
    """Return why a node evicted the pod, by its kubelet's message."""
    raw = f"Evicted: {message}" if message else "Evicted"
    if _OWN_LIMIT.search(message):
        return _own_disk(message, raw)
    match = _NODE_LOW.search(message) or _NODE_CONDITION.search(message)
    low = match[1].lower() if match else ""
    if low.startswith(_MEMORY):
        return Cause(says.EVICTED_MEMORY, {"node": node}, raw)
    if low.startswith(_DISK):
        return Cause(says.EVICTED_DISK, {"node": node}, raw)
    if low:
        resource = "process ids" if low.startswith("pid") else low
        return Cause(says.EVICTED_SHORTAGE, {"node": node, "resource": resource}, raw)
    if message:
        return Cause(says.EVICTED_REPORT, {"node": node, "report": message.rstrip(".")}, raw)
    return Cause(says.EVICTED, {"node": node}, raw)


def _own_disk(message: str, raw: str) -> Cause:
    volume, amount = _EMPTY_DIR.search(message), _LIMIT_AMOUNT.search(message)
    params = {
        "volume": volume[1] if volume else "",
        "limit_bytes": (round(quantity(amount[1])) if amount else 0) or None,
    }
    return Cause(says.DISK_LIMIT_OF_FOLDER if volume else says.DISK_LIMIT, params, raw)


def _rejected(raw: str, pod: Pod) -> Cause:
    if pod.reason.startswith(_SHORTAGE):
        params = {"node": pod.node, "resource": pod.reason.removeprefix(_SHORTAGE)}
        return Cause(says.REJECTED_SHORTAGE, params, raw)
    report = _REJECTION.sub("", pod.message).rstrip(".") or pod.reason
    return Cause(says.REJECTED, {"node": pod.node, "report": report}, raw)


def disruption_cause(pod: Pod) -> Cause | None:
    """Return why the cluster removes the pod, by its condition DisruptionTarget."""
    condition = pod.disruption()
    if not condition.holds:
        return None
    reason, raw = condition.reason, _joined(condition.reason, condition.message)
    params = {"node": pod.node}
    if reason == "PreemptionByScheduler":
        return Cause(says.PREEMPTED, params, raw)
    if reason == "EvictionByEvictionAPI":
        return Cause(says.EVICTED_BY_REQUEST, params, raw)
    if reason in ("DeletionByTaintManager", "DeletionByPodGC"):
        return node_lost(raw, pod.node, cluster_reason=reason)
    if reason == "TerminationByKubelet":
        if _CRITICAL.search(raw):
            return Cause(says.PREEMPTED_BY_CRITICAL, params, raw)
        if _SHUTDOWN.search(raw):
            return Cause(says.NODE_SHUTDOWN, params, raw)
        return evicted(condition.message, pod.node)
    report = (raw or "it gives no reason").rstrip(".")
    return Cause(says.REMOVED_BY_CLUSTER, {**params, "report": report}, raw or "DisruptionTarget")


def preempted(message: str, node: str) -> Cause:
    """Return the cause of a preempted pod, by the scheduler's event about it."""
    return Cause(says.PREEMPTED, {"node": node}, f"Preempted: {message}")


def evicted_by_request(raw: str, node: str) -> Cause:
    """Return the cause of an eviction on request, for example by a drain or an autoscaler."""
    return Cause(says.EVICTED_BY_REQUEST, {"node": node}, raw)


def node_lost(raw: str, node: str, *, cluster_reason: str = "") -> Cause:
    """Return the cause of a pod whose node no longer answers."""
    return Cause(says.NODE_LOST, {"node": node}, raw, cluster_reason=cluster_reason)


def deleted(raw: str, node: str, *, job: bool = False, ending: bool = False) -> Cause:
    """Return the cause of a pod that a person or a program deleted, directly or with its Job."""
    of_job = says.JOB_BEING_DELETED if ending else says.JOB_DELETED
    of_pod = says.POD_BEING_DELETED if ending else says.POD_DELETED
    return Cause(of_job if job else of_pod, {"node": node}, raw)


def vanished(raw: str, node: str) -> Cause:
    """Return the cause of a pod that is gone for an unknown reason."""
    return Cause(says.VANISHED, {"node": node}, raw)


def deadline(raw: str, seconds: int | None, *, ending: bool = False) -> Cause:
    """Return the cause of a worker that exceeded its Job's deadline."""
    found = says.DEADLINE_ENDING if ending else says.DEADLINE_EXCEEDED
    return Cause(found, {"limit_seconds": seconds}, raw)


def _joined(*parts: str) -> str:
    return ": ".join(part for part in parts if part)
