"""What a pod that does not run yet waits for: a node, an image, a volume, what is missing. Pure."""

import re
from dataclasses import replace

from jobs.contract import FailureReason
from jobs.launchers.diagnosis.pods import NONE, Pod, worker_of
from jobs.launchers.diagnosis.scene import Scene
from jobs.launchers.diagnosis.scheduling import unschedulable_finding
from jobs.launchers.diagnosis.starting import MOUNT_EVENTS, SANDBOX_EVENTS, waiting_finding
from jobs.launchers.diagnosis.timeline import needs_pull_words, pull_words, trouble
from jobs.launchers.diagnosis.values import NOTHING_TO_DO, Finding


def wait(scene: Scene, pod: Pod) -> Finding:
    """What a pod that does not run yet waits for."""
    scheduled = pod.conditions.get("PodScheduled", NONE)
    placed = pod.node or scheduled.holds or scene.has("Scheduled")
    if not placed and scheduled.reason:
        message = scheduled.message or (event.message if (event := scene.has("FailedScheduling")) else "") or scheduled.reason
        return unschedulable_finding(message, scene.asked, scene.nodes, scene.more())
    container = worker_of(pod, ("waiting",))
    image = (container.image if container else "") or scene.asked.image
    if container:
        reason, message = container.reason, container.message
        if needs_pull_words(reason, message):
            message = pull_words(scene.events) or message
        found = waiting_finding(reason, message, scene.asked, image)
        if found:
            return _with_pull_secret(scene, found)
    begun = pod.conditions.get("PodReadyToStartContainers", NONE)
    events = [event for event in scene.events if not (begun.holds and event.at <= begun.at and event.reason in MOUNT_EVENTS | SANDBOX_EVENTS)]
    found = trouble(events, scene.asked, image, nodes=scene.nodes, more=scene.more())
    return _with_pull_secret(scene, found) if found else _starting(pod, placed=bool(placed))


def _with_pull_secret(scene: Scene, found: Finding) -> Finding:
    """A registry that refuses is no riddle when the secret for it was not found."""
    event = scene.has("FailedToRetrieveImagePullSecret")
    named = re.search(r"pull secrets? \(([^)]+)\)", event.message) if event else None
    if found.category is not FailureReason.IMAGE_PULL_DENIED or named is None:
        return found
    secret = named[1]
    return replace(
        found,
        advice=f"The pull secret {secret} is missing in the workers' namespace: an administrator has to create it.",
        steps=(f"Create the pull secret {secret}", *found.steps[1:]),
        facts={**found.facts, "secret": secret},
    )


def _starting(pod: Pod, *, placed: bool) -> Finding:
    if not placed:
        what = "Waiting for the scheduler to choose a node for the worker."
    else:
        what = f"The worker is being started{f' on node {pod.node}' if pod.node else ''}."
    return Finding(FailureReason.STARTING, what, "Nothing is wrong so far.", "", (NOTHING_TO_DO,), facts={"node": pod.node})


def suspended(*, ran: bool = False) -> Finding:
    """Something holds the Job back."""
    return Finding(
        FailureReason.SUSPENDED,
        f"{'The worker was stopped' if ran else 'Waiting'}: its Job is suspended, by a queueing controller or by a person.",
        "It starts once its Job is released. An administrator should look at who holds it back.",
        "Suspended",
        ("Release the Job",),
    )
