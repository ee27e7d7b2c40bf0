"""Why a pod was taken away, or is being: what the cluster says first, what its events say, who is left to have done it. Pure."""

import re

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes import ending
from jobs.diagnosis.kubernetes.exits import exit_finding
from jobs.diagnosis.kubernetes.pods import Condition, Pod
from jobs.diagnosis.kubernetes.reading import at, items, text
from jobs.diagnosis.kubernetes.scene import Scene, is_ready
from jobs.diagnosis.kubernetes.values import Finding
from jobs.diagnosis.kubernetes.waits import suspended, wait

TAINTED = "TaintManagerEviction"


def taken_away(scene: Scene, pod: Pod, *, ending_now: bool) -> Finding:
    """Why a pod is taken away, or was: what the cluster says first, then what its events say, then who is left to have done it."""
    stated = disruption_of(scene, pod)
    if stated:
        return refined(scene, pod, stated)
    if scene.late():
        return late_finding(scene, pod, ending_now=ending_now)
    failure = scene.failure()
    raw = scene.failure_words()
    stated = said_by_job(failure, raw, pod.node)
    if stated:
        return stated
    if scene.suspended():
        return suspended(ran=scene.ran(pod))
    if scene.node_is_away(pod):
        return ending.node_lost("its node is not ready, or gone", pod.node)
    killing = scene.has("Killing")
    if not scene.job:
        return ending.deleted_finding(
            f"Killing: {killing.message}" if killing else "the Job is gone",
            pod.node,
            what="Job",
            ending=ending_now,
        )
    if killing or pod.deleting or (failure.holds and not scene.ran(pod)):
        return ending.deleted_finding(
            f"Killing: {killing.message}" if killing else raw or "the pod is gone",
            pod.node,
            ending=ending_now,
        )
    return ending.vanished_finding(raw or "the pod is gone", pod.node)


def disruption_of(scene: Scene, pod: Pod) -> Finding | None:
    """What the cluster itself says of taking the pod away, in the pod or in events."""
    return ending.disrupted_finding(pod) or ending.of_node(pod) or _by_event(scene, pod)


def said_by_job(failure: Condition, raw: str, node: str) -> Finding | None:
    """What a Job says of its pod when its podFailurePolicy ended it."""
    if failure.reason != "PodFailurePolicy":
        return None
    code = re.search(r"failed with exit code (\d{1,9})", failure.message)
    if code and int(code[1]):
        return exit_finding(int(code[1]), raw)
    return ending.evicted_by_request(raw, node) if "DisruptionTarget" in failure.message else None


def _by_event(scene: Scene, pod: Pod) -> Finding | None:
    evicted, preempted = scene.has("Evicted"), scene.has("Preempted", "Preempting")
    if evicted:
        return ending.evicted_finding(evicted.message, pod.node)
    if preempted:
        return ending.preempted_finding(preempted.message, pod.node)
    tainted, away, killing = (
        scene.has("TaintManagerEviction"),
        scene.has("NodeNotReady"),
        scene.has("Killing"),
    )
    if tainted and "Cancelling" not in tainted.message:
        return ending.node_lost(f"{TAINTED}: {tainted.message}", pod.node)
    if away and (
        killing is None or killing.at <= away.at
    ):  # a node that came back does the killing itself
        return ending.node_lost(f"NodeNotReady: {away.message}", pod.node)
    return None


def refined(scene: Scene, pod: Pod, found: Finding) -> Finding:
    """A node that answers was not lost: a person tainted it."""
    if found.category is not FailureReason.NODE_LOST or not found.raw.startswith(
        (TAINTED, "DeletionByTaintManager")
    ):
        return found
    node = scene.node(pod)
    if node is None or not is_ready(node):
        return found
    taints = [
        text(each.get("key"))
        for each in items(at(node, "spec").get("taints"))
        if each.get("effect") == "NoExecute"
    ]
    chosen = [key for key in taints if not key.startswith("node.kubernetes.io/")]
    return (
        ending.evicted_by_request(f"{found.raw} ({', '.join(chosen)})", pod.node)
        if chosen
        else found
    )


def late_finding(scene: Scene, pod: Pod, *, ending_now: bool) -> Finding:
    """Its Job's deadline passed: while it ran, or while it waited for what is then the cause."""
    if scene.ran(pod):
        return ending.deadline_finding(
            scene.failure_words(), scene.asked.deadline_seconds, ending=ending_now
        )
    found = wait(scene, pod)
    if found.category is not FailureReason.STARTING:
        return found
    return timed_out(scene.failure_words())


def timed_out(raw: str) -> Finding:
    """It never started in time, for no known cause."""
    return Finding(
        FailureReason.LAUNCH_TIMEOUT,
        "The worker did not start before its Job's deadline, and the cluster does not say what held it up.",
        "An administrator should look at the cluster.",
        raw,
        ("Look at the cluster",),
    )
