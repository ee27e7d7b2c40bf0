"""Nodes that disconnect, return or disappear, and what happens to their pods."""

from typing import TYPE_CHECKING

from tests.fakes.kubernetes import acts
from tests.fakes.kubernetes.podstate import Ending, PodState
from tests.fakes.kubernetes.resources import PODS, Object, is_deleting, is_terminal, with_status
from tests.fakes.kubernetes.shapes import condition

if TYPE_CHECKING:
    from tests.fakes.kubernetes.kubelet import Kubelets

ORPHAN_SECONDS = 1.0  # grace of a container whose object is gone


def lost(kubelets: "Kubelets", name: str, toleration_seconds: float) -> None:
    """Disconnect a node. Its containers continue; its pods are deleted after the toleration."""
    kubelets.nodes.silent(name)
    for state in _pods_on(kubelets, name):
        pod = kubelets.pod(state)
        if pod and not is_terminal(pod) and "conditions" in pod["status"]:
            unready = {"status": "False", "lastTransitionTime": kubelets.store.clock.stamp()}
            pod = kubelets.store.update(PODS, _with_ready(pod, unready))
            kubelets.events.controller(
                pod,
                PODS,
                "NodeNotReady",
                "Node is not ready",
                warning=True,
                component="node-controller",
            )
    kubelets.store.clock.after(toleration_seconds, lambda: _evict_pods(kubelets, name))


def _with_ready(pod: Object, change: Object) -> Object:
    conditions = [
        {**each, **change} if each["type"] == "Ready" else each
        for each in pod["status"]["conditions"]
    ]
    return with_status(pod, conditions=conditions)


def _evict_pods(kubelets: "Kubelets", name: str) -> None:
    if kubelets.nodes.is_up(name):
        return
    for state in _pods_on(kubelets, name):
        pod = kubelets.pod(state)
        if pod and not is_terminal(pod) and not is_deleting(pod):
            acts.taint_eviction(kubelets, pod)


def back(kubelets: "Kubelets", name: str) -> None:
    """Reconnect a node.

    Its kubelet sends the delayed reports, and kills the pods that are deleted or have no object.
    """
    kubelets.nodes.heard(name)
    for state in _pods_on(kubelets, name):
        missed, state.missed = state.missed, []
        for report in missed:
            report()
        pod = kubelets.pod(state)
        if pod is None:
            kubelets.kill(state, ORPHAN_SECONDS)
        elif is_deleting(pod):
            kubelets.kill(state, float(pod["metadata"]["deletionGracePeriodSeconds"]))
        elif state.run is None and not state.ending:
            kubelets.create(state)
        elif not is_terminal(pod):
            kubelets.store.update(PODS, _with_ready(pod, {"status": "True"}))


def gone(kubelets: "Kubelets", name: str) -> None:
    """Delete the object of a node.

    The garbage collector fails and removes its pods. Its containers end with the machine.
    """
    kubelets.nodes.remove(name)
    for state in _pods_on(kubelets, name):
        if state.run and state.run.is_running:
            kubelets.ledger.end(
                state.run, at=kubelets.store.clock.now, exit_code=137, reason="NodeGone"
            )
        state.ending = state.ending or Ending(137)
        pod = kubelets.pod(state)
        if pod is None:
            continue
        if not is_terminal(pod):
            pod = kubelets.store.update(PODS, _collected(kubelets, pod))
        kubelets.delete(pod, force=True)


def _collected(kubelets: "Kubelets", pod: Object) -> Object:
    """Return the pod with the status Failed that the garbage collector sets."""
    kept = [
        each for each in pod["status"].get("conditions", ()) if each["type"] != "DisruptionTarget"
    ]
    disrupted = condition(
        "DisruptionTarget",
        "True",
        kubelets.store.clock.stamp(),
        reason="DeletionByPodGC",
        message="PodGC: node no longer exists",
    )
    return with_status(pod, phase="Failed", conditions=[*kept, disrupted])


def _pods_on(kubelets: "Kubelets", node: str) -> list[PodState]:
    return [
        state
        for state in kubelets.states.values()
        if state.node == node and not (state.removed and not state.missed and state.ending)
    ]
