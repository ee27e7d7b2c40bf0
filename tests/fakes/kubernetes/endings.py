"""Status of a pod whose container has ended."""

from tests.fakes.kubernetes.clock import Clock
from tests.fakes.kubernetes.podstate import Ending, PodState
from tests.fakes.kubernetes.resources import Object, with_status
from tests.fakes.kubernetes.shapes import (
    addresses,
    condition,
    container_status,
    ended_conditions,
    sidecar_status,
)


def ended_pod(
    pod: Object, state: PodState, ending: Ending, finished_at: str, clock: Clock
) -> Object:
    """Return the pod with the status that its kubelet reports after the end of its container."""
    succeeded = ending.exit_code == 0 and not ending.pod_reason
    conditions = ended_conditions(
        clock.stamp(), state.scheduled_at or clock.stamp(), succeeded=succeeded
    )
    never_ran = not state.container_id
    terminated = _terminated(state, ending, finished_at, clock)
    status = (
        []
        if never_ran
        else container_status(pod, {"terminated": terminated}, container_id=state.container_id)
    )
    return with_status(
        pod,
        observedGeneration=pod["metadata"]["generation"],
        phase="Succeeded" if succeeded else "Failed",
        reason=ending.pod_reason or None,
        message=ending.pod_message or None,
        conditions=[*_disruption(pod, ending, clock), *conditions],
        startTime=pod["status"].get("startTime") or state.scheduled_at or None,
        **({} if never_ran else addresses(sandbox=True)),
        containerStatuses=status or pod["status"].get("containerStatuses"),
    )


def _terminated(state: PodState, ending: Ending, finished_at: str, clock: Clock) -> Object:
    tail = state.log.last_lines() if ending.exit_code else ""
    message = ending.message or tail
    return {
        "exitCode": ending.exit_code,
        "reason": ending.reason,
        **({"message": message} if message else {}),
        "startedAt": clock.stamp(state.run.started_at) if state.run else "1970-01-01T00:00:00Z",
        "finishedAt": finished_at,
        "containerID": f"containerd://{state.container_id}",
    }


def _disruption(pod: Object, ending: Ending, clock: Clock) -> list[Object]:
    """Return the condition DisruptionTarget, new or existing."""
    if not ending.disrupted:
        conditions = pod["status"].get("conditions", ())
        return [each for each in conditions if each["type"] == "DisruptionTarget"]
    return [
        condition(
            "DisruptionTarget",
            "True",
            clock.stamp(),
            reason=ending.disrupted,
            message=ending.disrupted_message,
        )
    ]


def sidecar_ended(pod: Object, at: str) -> Object:
    """Return the pod after its sidecar, the last container, was killed."""
    terminated = {"exitCode": 137, "reason": "Error", "startedAt": at, "finishedAt": at}
    others = [each for each in pod["status"]["containerStatuses"] if each["name"] != "istio-proxy"]
    ended = sidecar_status({"terminated": terminated})
    return with_status(pod, phase="Failed", containerStatuses=[*others, ended])
