"""What a pod that does not run yet waits for: a node, an image, a volume, what is missing. Pure."""

import re
from collections.abc import Sequence
from dataclasses import replace

from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes.exits import init_failed
from jobs.diagnosis.kubernetes.pods import NONE, Container, Pod
from jobs.diagnosis.kubernetes.reading import Event
from jobs.diagnosis.kubernetes.scene import Scene
from jobs.diagnosis.kubernetes.scheduling import unschedulable_finding
from jobs.diagnosis.kubernetes.starting import (
    MOUNT_EVENTS,
    QUIET,
    SANDBOX_EVENTS,
    START_REASONS,
    waiting_finding,
)
from jobs.diagnosis.kubernetes.timeline import (
    is_bare,
    needs_pull_words,
    node_named,
    pull_words,
    start_words,
    trouble,
)
from jobs.diagnosis.kubernetes.values import NOTHING_TO_DO, Finding
from jobs.reasons import FINAL_REASONS


def wait(scene: Scene, pod: Pod) -> Finding:
    """What a pod waits for whose worker does not run yet."""
    scheduled = pod.conditions.get("PodScheduled", NONE)
    placed = pod.node or scheduled.holds or scene.has("Scheduled")
    if not placed and scheduled.reason:
        event = scene.scheduler_event()
        message = scheduled.message or (event.message if event else "") or scheduled.reason
        return unschedulable_finding(message, scene.asked, scene.nodes, scene.more())
    own = pod.worker()
    found = _of_container(scene, own, scene.events) if own else None
    if found is None and (own is None or own.reason in QUIET):
        found = _of_init(scene, pod)
    return found or _of_events(scene, pod, own) or _starting(scene, pod, placed=bool(placed))


def _of_container(scene: Scene, container: Container, events: Sequence[Event]) -> Finding | None:
    """What the waiting reason of a container says; None where it says nothing."""
    if container.kind != "waiting":
        return None
    image = container.image or scene.asked.image
    message = container.message
    if needs_pull_words(container.reason, message):
        message = pull_words(events) or message
    if container.reason in START_REASONS and is_bare(message):
        message = start_words(events) or message
    found = waiting_finding(container.reason, message, scene.asked, image)
    return _with_pull_secret(scene, found) if found else None


def _of_init(scene: Scene, pod: Pod) -> Finding | None:
    """What the init container does that the worker's container waits for; None where there is none, or it has not begun."""
    init = pod.init()
    if init is None:
        return None
    if init.kind == "terminated":
        return init_failed(init, ended=False)
    if init.kind == "running":
        return init_running(init)
    events = [event for event in scene.other_events if event.container == init.name]
    found = _of_container(scene, init, events)
    return of_init(found, init) if found else None


def _of_events(scene: Scene, pod: Pod, own: Container | None) -> Finding | None:
    """What the pod's events say, without those of a stage that is over."""
    image = (own.image if own else "") or scene.asked.image
    begun = pod.conditions.get("PodReadyToStartContainers", NONE)
    events = [
        event
        for event in scene.events
        if not (
            begun.holds and event.at <= begun.at and event.reason in MOUNT_EVENTS | SANDBOX_EVENTS
        )
    ]
    found = trouble(events, scene.asked, image, nodes=scene.nodes, more=scene.more())
    return _with_pull_secret(scene, found) if found else None


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


def init_running(init: Container) -> Finding:
    """An init container, which something in the cluster added, runs before the worker."""
    kind = "sidecar" if init.native else "init container"
    return Finding(
        FailureReason.STARTING,
        f'Waiting: the {kind} "{init.name}" runs, and the worker starts only after it.',
        "Workers have no init containers of their own: something in the cluster added it. If it does not end, an administrator should look at its"
        " log.",
        f"{init.name}: running",
        (f'Look at the container "{init.name}", if it stays so',),
        facts={"container": init.name},
    )


def of_init(found: Finding, init: Container) -> Finding:
    """What keeps an init container from running, as a cause of the worker's waiting. Its image and command are not ours to correct."""
    reason = found.summary.removeprefix("Waiting: ")
    return replace(
        found,
        category=FailureReason.INIT_FAILED if found.category in FINAL_REASONS else found.category,
        summary=f'Waiting: the init container "{init.name}" cannot start: {reason}',
        advice="The worker starts only after it. Workers have no init containers of their own: something in the cluster added it. An administrator"
        " should correct it there.",
        steps=(f'Correct the init container "{init.name}"',),
        hopeless=False,
        facts={**found.facts, "container": init.name},
    )


def _starting(scene: Scene, pod: Pod, *, placed: bool) -> Finding:
    event = scene.has("Scheduled")
    node = pod.node or (node_named(event.message) if event else "")
    on = f" on node {node}" if node else ""
    if not placed:
        what = "Waiting for the scheduler to choose a node for the worker."
    elif not pod.acknowledged:
        return Finding(
            FailureReason.STARTING,
            f"Waiting: the worker is assigned to {f'the node {node}' if node else 'a node'}, which has not confirmed it yet.",
            "A node confirms its pods within seconds. If it does not, the node does not answer: an administrator should look at it.",
            "",
            ("Look at the node, if it stays so",),
            facts={"node": node},
        )
    else:
        what = f"The worker is being started{on}."
    return Finding(
        FailureReason.STARTING,
        what,
        "Nothing is wrong so far.",
        "",
        (NOTHING_TO_DO,),
        facts={"node": pod.node},
    )


def suspended(*, ran: bool = False) -> Finding:
    """Something suspends the Job: before its worker started, or while it ran."""
    if ran:
        return Finding(
            FailureReason.SUSPENDED,
            "The worker was stopped: its Job was suspended while it ran, by a queue manager (Kueue, for one) or an administrator.",
            "What it had done so far is lost. The job starts anew with another Job, which waits for as long as the cluster suspends that one, too."
            " Not the job's fault. An administrator should look at who suspends the Jobs.",
            "Suspended",
            ("Release the Job, or look at the queue manager",),
        )
    return Finding(
        FailureReason.SUSPENDED,
        "Waiting: its Job is suspended, by a queue manager (Kueue, for one) or an administrator.",
        "It starts once its Job is released. An administrator should look at who holds it back.",
        "Suspended",
        ("Release the Job",),
    )
