"""Rules for a pod that does not run yet: it waits for a node, an image, a volume. Pure."""

import re
from collections.abc import Sequence

from jobs.contract import FailureReason
from jobs.diagnosis.catalogue import placement, startup
from jobs.diagnosis.kubernetes.cause import Cause
from jobs.diagnosis.kubernetes.objects import Event
from jobs.diagnosis.kubernetes.pod_timeline import (
    is_bare,
    lacks_pull_error,
    node_named,
    pull_error,
    start_error,
)
from jobs.diagnosis.kubernetes.pods import NONE, Container, Pod
from jobs.diagnosis.kubernetes.rules_exit import init_failed
from jobs.diagnosis.kubernetes.rules_image import with_pull_secret
from jobs.diagnosis.kubernetes.rules_placement import placement_cause
from jobs.diagnosis.kubernetes.rules_start import (
    MOUNT_EVENTS,
    NO_ERROR,
    SANDBOX_EVENTS,
    START_REASONS,
    waiting_cause,
)
from jobs.diagnosis.kubernetes.worker_objects import WorkerObjects

_PULL_SECRET = re.compile(r"pull secrets? \(([^)]+)\)")


def waiting_for(objects: WorkerObjects, pod: Pod) -> Cause:
    """Return what a pod waits for if its worker does not run yet."""
    scheduled = pod.conditions.get("PodScheduled", NONE)
    placed = pod.node or scheduled.holds or objects.has("Scheduled")
    if not placed and scheduled.reason:
        event = objects.scheduler_event()
        message = scheduled.message or (event.message if event else "") or scheduled.reason
        return placement_cause(message, objects.spec, objects.nodes, objects.notes())
    own = pod.worker()
    found = _of_container(objects, own, objects.events) if own else None
    if found is None and (own is None or own.reason in NO_ERROR):
        found = _of_init(objects, pod)
    return found or _of_events(objects, pod, own) or _starting(objects, pod, placed=bool(placed))


def _of_container(
    objects: WorkerObjects, container: Container, events: Sequence[Event]
) -> Cause | None:
    """Return the cause in a container's waiting reason; None if it names none."""
    if container.kind != "waiting":
        return None
    image = container.image or objects.spec.image
    message = container.message
    if lacks_pull_error(container.reason, message):
        message = pull_error(events) or message
    if container.reason in START_REASONS and is_bare(message):
        message = start_error(events) or message
    found = waiting_cause(container.reason, message, objects.spec, image)
    return _with_pull_secret(objects, found) if found else None


def _of_init(objects: WorkerObjects, pod: Pod) -> Cause | None:
    """Return the state of the init container that the worker's container waits for.

    None if there is none, or if it waits without an error.
    """
    init = pod.init()
    if init is None:
        return None
    if init.kind == "terminated":
        return init_failed(init, ended=False)
    if init.kind == "running":
        return _init_runs(init)
    events = [event for event in objects.other_events if event.container == init.name]
    found = _of_container(objects, init, events)
    return _init_cannot_start(found, init) if found else None


def _of_events(objects: WorkerObjects, pod: Pod, own: Container | None) -> Cause | None:
    """Return the cause from the pod's events, ignoring events of completed stages."""
    image = (own.image if own else "") or objects.spec.image
    begun = pod.conditions.get("PodReadyToStartContainers", NONE)
    over = MOUNT_EVENTS | SANDBOX_EVENTS
    timeline = objects.timeline(image)
    for event in objects.events:
        if not (begun.holds and event.at <= begun.at and event.reason in over):
            timeline.read(event)
    return _with_pull_secret(objects, timeline.problem) if timeline.problem else None


def _with_pull_secret(objects: WorkerObjects, found: Cause) -> Cause:
    """Name the missing pull secret as the cause of a registry's refusal."""
    event = objects.has("FailedToRetrieveImagePullSecret")
    named = _PULL_SECRET.search(event.message) if event else None
    if found.category is not FailureReason.IMAGE_PULL_DENIED or named is None:
        return found
    return with_pull_secret(found, named[1])


def _init_runs(init: Container) -> Cause:
    """Return the cause of a wait for an init container, which a controller in the cluster added."""
    kind = "sidecar" if init.native else "init container"
    params = {"container": init.name, "kind": kind}
    return Cause(startup.INIT_RUNS, params, f"{init.name}: running")


def _init_cannot_start(found: Cause, init: Container) -> Cause:
    """Return why an init container cannot start. Its image and command are not the worker's."""
    params = {**found.params, "container": init.name, "problem": found.problem()}
    return Cause(startup.init_blocked(found.category), params, found.raw, found.cluster_reason)


def _starting(objects: WorkerObjects, pod: Pod, *, placed: bool) -> Cause:
    if not placed:
        return Cause(placement.NOT_SCHEDULED)
    event = objects.has("Scheduled")
    node = pod.node or (node_named(event.message) if event else "")
    found = startup.STARTING if pod.acknowledged else placement.NOT_CONFIRMED_BY_NODE
    return Cause(found, {"node": node})


def suspended(*, ran: bool = False) -> Cause:
    """Return the cause of a suspended Job: before its worker started, or while it ran."""
    found = startup.SUSPENDED_WHILE_RUNNING if ran else startup.SUSPENDED
    return Cause(found, {}, "Suspended")
