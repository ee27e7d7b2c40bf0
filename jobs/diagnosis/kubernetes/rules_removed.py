"""Rules for a pod that was removed, or is being removed. Pure.

The cluster's own statement comes first, then its events, then the remaining possible causes.
"""

import re

from jobs.contract import FailureReason
from jobs.diagnosis.catalogue import launch
from jobs.diagnosis.kubernetes import rules_ended as ended
from jobs.diagnosis.kubernetes.cause import Cause
from jobs.diagnosis.kubernetes.objects import at, items, text
from jobs.diagnosis.kubernetes.pods import Condition, Pod
from jobs.diagnosis.kubernetes.rules_exit import exit_cause
from jobs.diagnosis.kubernetes.rules_waiting import suspended, waiting_for
from jobs.diagnosis.kubernetes.worker_objects import WorkerObjects, is_ready

_TAINT_EVENT, _TAINT_CONDITION = "TaintManagerEviction", "DeletionByTaintManager"
_CANCELLED = "Cancelling"  # the taint manager withdraws an eviction with the same reason
_NODE_TAINTS = "node.kubernetes.io/"
_EXIT_CODE = re.compile(r"failed with exit code (\d{1,9})")


def removed(objects: WorkerObjects, pod: Pod, *, ending_now: bool) -> Cause:
    """Return why a pod is being removed or was removed."""
    if stated := disruption_of(objects, pod):
        return refined(objects, pod, stated)
    if objects.late():
        return late(objects, pod, ending_now=ending_now)
    failure, raw = objects.failure(), objects.failure_text()
    if stated := reported_by_job(failure, raw, pod.node):
        return stated
    if objects.suspended():
        return suspended(ran=objects.ran(pod))
    if objects.node_is_away(pod):
        return ended.node_lost("its node is not ready, or gone", pod.node)
    killing = objects.has("Killing")
    killed = f"Killing: {killing.message}" if killing else ""
    if not objects.job:
        raw = killed or "the Job is gone"
        return ended.deleted(raw, pod.node, job=True, ending=ending_now)
    if killing or pod.deleting or (failure.holds and not objects.ran(pod)):
        return ended.deleted(killed or raw or "the pod is gone", pod.node, ending=ending_now)
    return ended.vanished(raw or "the pod is gone", pod.node)


def disruption_of(objects: WorkerObjects, pod: Pod) -> Cause | None:
    """Return the cluster's own statement of the removal, in the pod or in events."""
    return ended.disruption_cause(pod) or ended.node_cause(pod) or _by_event(objects, pod)


def reported_by_job(failure: Condition, raw: str, node: str) -> Cause | None:
    """Return what a Job reports about its pod when its podFailurePolicy ended it."""
    if failure.reason != "PodFailurePolicy":
        return None
    code = _EXIT_CODE.search(failure.message)
    if code and int(code[1]):
        return exit_cause(int(code[1]), raw)
    disrupted = "DisruptionTarget" in failure.message
    return ended.evicted_by_request(raw, node) if disrupted else None


def _by_event(objects: WorkerObjects, pod: Pod) -> Cause | None:
    if evicted := objects.has("Evicted"):
        return ended.evicted(evicted.message, pod.node)
    if preempted := objects.has("Preempted", "Preempting"):
        return ended.preempted(preempted.message, pod.node)
    tainted = objects.has(_TAINT_EVENT)
    if tainted and _CANCELLED not in tainted.message:
        raw = f"{_TAINT_EVENT}: {tainted.message}"
        return ended.node_lost(raw, pod.node, cluster_reason=_TAINT_EVENT)
    away, killing = objects.has("NodeNotReady"), objects.has("Killing")
    # A node that came back kills the pod itself.
    if away and (killing is None or killing.at <= away.at):
        return ended.node_lost(f"NodeNotReady: {away.message}", pod.node)
    return None


def refined(objects: WorkerObjects, pod: Pod, found: Cause) -> Cause:
    """Replace a lost node by an eviction on request if it is ready and a person tainted it."""
    if found.cluster_reason not in (_TAINT_EVENT, _TAINT_CONDITION):
        return found
    node = objects.node(pod)
    if found.category is not FailureReason.NODE_LOST or node is None or not is_ready(node):
        return found
    taints = [
        text(each.get("key"))
        for each in items(at(node, "spec").get("taints"))
        if each.get("effect") == "NoExecute"
    ]
    chosen = [key for key in taints if not key.startswith(_NODE_TAINTS)]
    if not chosen:
        return found
    return ended.evicted_by_request(f"{found.raw} ({', '.join(chosen)})", pod.node)


def late(objects: WorkerObjects, pod: Pod, *, ending_now: bool) -> Cause:
    """Return the cause after a Job's deadline: the deadline if the worker ran, else its wait."""
    failure = objects.failure_text()
    if objects.ran(pod):
        return ended.deadline(failure, objects.spec.deadline_seconds, ending=ending_now)
    found = waiting_for(objects, pod)
    return timed_out(failure) if found.category is FailureReason.STARTING else found


def timed_out(raw: str) -> Cause:
    """Return the cause of a worker that did not start in time, for an unknown reason."""
    return Cause(launch.LAUNCH_TIMEOUT, {}, raw)
