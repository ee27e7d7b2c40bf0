"""Acts on existing pods, with the status, conditions and Events that a real cluster produces."""

from typing import TYPE_CHECKING

from tests.fakes.kubernetes.podstate import Ending, PodState
from tests.fakes.kubernetes.resources import PODS, Object, is_deleting, is_terminal, with_status
from tests.fakes.kubernetes.scripts import Act
from tests.fakes.kubernetes.shapes import condition

if TYPE_CHECKING:
    from tests.fakes.kubernetes.kubelet import Kubelets

SHUTDOWN = "Pod was terminated in response to imminent node shutdown."
_EVICTIONS = {
    Act.EVICT_MEMORY: (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. "
        "Container worker was using 1Gi, request is 64Mi, "
        "has larger consumption of memory. "
    ),
    Act.EVICT_DISK: (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 26414221, "
        "available: 20Mi. Container worker was using 5Gi, "
        "request is 0, has larger consumption of ephemeral-storage. "
    ),
    Act.EVICT_EMPTY_DIR: 'Usage of EmptyDir volume "job-data" exceeds the limit "1Gi". ',
}


def act(
    kubelets: "Kubelets", state: PodState, what: Act, *, exit_code: int = 0, message: str = ""
) -> bool:
    """Apply the act and return whether it still had an effect.

    Return False if it came too late. A container on a disconnected node can only end.
    """
    if what is Act.START:
        kubelets.resume(state)
        return True
    if what in (Act.EXIT, Act.OUT_OF_MEMORY):
        if state.run is None or state.ending:
            return False
        if what is Act.EXIT:
            kubelets.end(state, Ending(exit_code, "Error" if exit_code else "Completed", message))
        else:
            kubelets.end(state, Ending(exit_code or 137, "OOMKilled", message))
        return True
    pod = kubelets.pod(state)
    if pod is None or is_terminal(pod) or (is_deleting(pod) and what is not Act.FORCE_DELETE):
        return False
    if (what is Act.NODE_SHUTDOWN and not kubelets.nodes.is_up(state.node)) or (
        what is Act.PREEMPT and not state.node
    ):
        return False
    if what in _EVICTIONS:
        return _evict(kubelets, state, pod, what, message)
    if what is Act.NODE_SHUTDOWN:
        kubelets.end(
            state,
            Ending(137, "Error", "", "Terminated", SHUTDOWN, "TerminationByKubelet", SHUTDOWN),
        )
    elif what is Act.EVICT_REQUEST:
        _disrupt(kubelets, pod, "EvictionByEvictionAPI", "Eviction API: evicting")
    elif what is Act.PREEMPT:
        words = f"Preempted by pod 5e0f8f6e-0000-4000-8000-000000000001 on node {state.node}"
        kubelets.events.scheduler(pod, PODS, "Preempted", words, action="Preempting")
        _disrupt(
            kubelets,
            pod,
            "PreemptionByScheduler",
            "default-scheduler: preempting to accommodate a higher priority pod",
        )
    else:
        kubelets.delete(pod, force=what is Act.FORCE_DELETE)
    return True


def _evict(kubelets: "Kubelets", state: PodState, pod: Object, what: Act, message: str) -> bool:
    """Evict the pod, as its kubelet does.

    The pod stays, in the phase Failed. Only a shortage on the node counts as a disruption;
    exceeding an emptyDir limit is the fault of the pod.
    """
    if not kubelets.nodes.is_up(state.node):
        return False
    why = message or _EVICTIONS[what]
    kubelets.events.kubelet(pod, PODS, "Evicted", why, warning=True, container=False)
    disrupted = "" if what is Act.EVICT_EMPTY_DIR else "TerminationByKubelet"
    kubelets.end(
        state, Ending(137, "Error", "", "Evicted", why, disrupted, why if disrupted else "")
    )
    return True


def _disrupt(kubelets: "Kubelets", pod: Object, reason: str, message: str) -> None:
    """Mark a pod as disrupted, then delete it."""
    new = condition(
        "DisruptionTarget", "True", kubelets.store.clock.stamp(), reason=reason, message=message
    )
    pod = kubelets.store.update(
        PODS, with_status(pod, conditions=[*pod["status"].get("conditions", ()), new])
    )
    kubelets.delete(pod)


def taint_eviction(kubelets: "Kubelets", pod: Object) -> None:
    """Evict the pods of a silent node, as the control plane does.

    The pods are marked for deletion, but no kubelet is there to delete them.
    """
    where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    kubelets.events.controller(
        pod,
        PODS,
        "TaintManagerEviction",
        f"Marking for deletion Pod {where}",
        component="taint-eviction-controller",
    )
    _disrupt(
        kubelets, pod, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"
    )
