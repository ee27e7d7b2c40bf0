"""Kubernetes objects of one worker, sorted: its Job, its newest pod, the events of each. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jobs.diagnosis.kubernetes.objects import (
    Event,
    Object,
    at,
    items,
    mapping,
    read_events,
    text,
)
from jobs.diagnosis.kubernetes.pod_timeline import (
    PodTimeline,
    is_autoscaler,
    node_named,
    scaling_notes,
)
from jobs.diagnosis.kubernetes.pods import NONE, WORKER, Condition, Pod, read_conditions, read_pods
from jobs.diagnosis.kubernetes.reduced import reduce_job
from jobs.diagnosis.kubernetes.worker_spec import WorkerSpec, read_spec

KUBELET_EVENTS = frozenset(
    {
        "Pulling",
        "Pulled",
        "Created",
        "Started",
        "Killing",
        "Failed",
        "BackOff",
        "FailedMount",
        "FailedCreatePodSandBox",
    }
)


@dataclass(frozen=True, slots=True)
class WorkerObjects:
    """The objects of one worker.

    `events`: of its newest pod and of the worker's own container. `other_events`: of other
    containers of that pod. `pod_events`: of all pods. `nodes` is None without permission to
    read them. `claimed`: the worker had claimed its job.
    """

    job: Object
    conditions: Mapping[str, Condition]
    pods: Sequence[Pod]
    events: Sequence[Event]
    pod_events: Sequence[Event]
    job_events: Sequence[Event]
    claim_events: Sequence[Event]
    nodes: Sequence[Object] | None
    spec: WorkerSpec
    other_events: Sequence[Event] = ()
    claimed: bool = True

    def failure(self) -> Condition:
        """Return the condition by which its Job failed or is about to fail; NONE without one."""
        for name in ("Failed", "FailureTarget"):
            if self.conditions.get(name, NONE).holds:
                return self.conditions[name]
        return NONE

    def failure_text(self) -> str:
        """Return the reason and message of its Job's failure; empty for none."""
        failure = self.failure()
        return ": ".join(part for part in (failure.reason, failure.message) if part)

    def late(self) -> bool:
        """Whether its Job's deadline has passed."""
        return self.failure().reason == "DeadlineExceeded"

    def succeeded(self) -> bool:
        """Whether its Job succeeded, or is about to."""
        return any(
            self.conditions.get(name, NONE).holds for name in ("Complete", "SuccessCriteriaMet")
        )

    def suspended(self) -> bool:
        """Whether its Job is suspended."""
        return is_suspended(self.job)

    def of(self, pod: Pod) -> "WorkerObjects":
        """Return these objects with the events of another pod of the attempt."""
        return replace(
            self,
            events=[
                event for event in self.pod_events if _is_about(event, pod) and _is_own(event, pod)
            ],
        )

    def ran(self, pod: Pod) -> bool:
        """Whether the worker was started in `pod`."""
        return pod.ran() or self.has("Started") is not None

    def node(self, pod: Pod) -> Object | None:
        """Return the node of `pod`; None when it is not known."""
        return next(
            (
                each
                for each in self.nodes or ()
                if pod.node and at(each, "metadata").get("name") == pod.node
            ),
            None,
        )

    def node_is_away(self, pod: Pod) -> bool:
        """Whether the node of a pod that should run does not answer, as far as is known."""
        node = self.node(pod)
        if node is not None:
            return not is_ready(node)
        if self.nodes and pod.node:
            return True  # nodes are known, and its own is not among them
        ready = pod.conditions.get("Ready")
        away = self.has("NodeNotReady")
        return (
            away is not None
            and ready is not None
            and not ready.holds
            and not self.has_since(away.at)
        )

    def notes(self) -> tuple[str, ...]:
        """Return the last reports of an autoscaler and of a volume's provisioner."""
        return scaling_notes(self.events, self.claim_events)

    def timeline(self, image: str) -> PodTimeline:
        """Return a timeline that has read no event yet. `image`: the container's image."""
        return PodTimeline(self.spec, image, self.nodes, self.notes())

    def has_since(self, instant: float) -> bool:
        """Whether the node's kubelet has reported on the pod after `instant` (epoch seconds)."""
        return any(event.at > instant and event.reason in KUBELET_EVENTS for event in self.events)

    def scheduler_event(self) -> Event | None:
        """Return the scheduler's last refusal. An autoscaler's has the same reason."""
        found = (
            event
            for event in reversed(self.events)
            if event.reason == "FailedScheduling" and not is_autoscaler(event)
        )
        return next(found, None)

    def has(self, *reasons: str) -> Event | None:
        """Return the last event of its pod with one of `reasons`."""
        return next((event for event in reversed(self.events) if event.reason in reasons), None)


def is_suspended(job: object) -> bool:
    """Whether a Job is suspended."""
    return (
        at(job, "spec").get("suspend") is True
        or read_conditions(at(job, "status")).get("Suspended", NONE).holds
    )


def is_ready(node: Object) -> bool:
    """Whether a node reports that it is ready."""
    return read_conditions(at(node, "status")).get("Ready", NONE).holds


def read_objects(
    *,
    job: object,
    pods: object,
    events: object,
    nodes: object,
    kept: object,
    resources: object,
    claimed: bool = True,
) -> WorkerObjects:
    """Sort the arguments of `diagnose`, which may be incomplete."""
    found = mapping(job)
    present = found if found.get("kind") != "Status" else {}
    cut = reduce_job(present) if present else {}
    known = read_pods(pods, kept)
    all_events = read_events(events)
    name = text(at(cut, "metadata").get("name"))
    of_pods = [
        event
        for event in all_events
        if event.kind == "Pod" and (not name or not event.name or event.name.startswith(name))
    ]
    known += _from_events(
        [event for event in of_pods if not any(_is_about(event, pod) for pod in known)]
    )
    pod = known[0] if known else None
    newest = [event for event in of_pods if pod is not None and _is_about(event, pod)]
    return WorkerObjects(
        job=cut,
        conditions=read_conditions(at(cut, "status")),
        pods=known,
        events=[event for event in newest if pod is not None and _is_own(event, pod)],
        other_events=[event for event in newest if pod is not None and not _is_own(event, pod)],
        pod_events=of_pods,
        job_events=[
            event
            for event in all_events
            if event.kind == "Job" and (not name or not event.name or event.name == name)
        ],
        claim_events=[event for event in all_events if event.kind == "PersistentVolumeClaim"],
        nodes=None if nodes is None else items(nodes),
        spec=read_spec(cut, pod.raw if pod else {}, resources),
        claimed=claimed,
    )


def _is_about(event: Event, pod: Pod) -> bool:
    if event.uid and pod.uid:
        return event.uid == pod.uid
    return not pod.name or not event.name or event.name == pod.name


def _is_own(event: Event, pod: Pod) -> bool:
    """Whether an event is about the pod or the worker's own container."""
    own = pod.worker()
    return event.container in ("", own.name if own else WORKER)


def _from_events(events: Sequence[Event]) -> list[Pod]:
    """Return the pods that are known from events only, newest first."""
    by_name: dict[str, list[Event]] = {}
    for event in events:
        by_name.setdefault(event.name, []).append(event)
    return [
        _pod_of(name, mine)
        for name, mine in sorted(by_name.items(), key=lambda each: each[1][0].at, reverse=True)
    ]


def _pod_of(name: str, events: Sequence[Event]) -> Pod:
    node = next((node_named(event.message) for event in events if event.reason == "Scheduled"), "")
    return Pod(
        name=name,
        uid="",
        created_at=events[0].at,
        deleting=False,
        node=node,
        phase="",
        reason="",
        message="",
        live=False,
        raw={},
    )
