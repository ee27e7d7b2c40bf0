"""A pod as a diagnosis sees it, live or kept, and the one that counts of several. Pure.

A pod is judged by the worker's own container. Sidecars that an admission webhook injects (Istio, Linkerd, a database proxy) may run for ever,
fail or end with any code: that says nothing about the worker. Init containers count until the worker's container starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.diagnosis.kubernetes.objects import Object, at, instant, items, remember, text, whole

WORKER = "worker"  # the container of `manifest.worker_job`
NEVER_RAN = frozenset({"StartError", "ContainerCannotRun"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition that is stated of a pod or a Job."""

    holds: bool
    reason: str
    message: str
    at: float


NONE = Condition(False, "", "", 0.0)


@dataclass(frozen=True, slots=True)
class Container:
    """State of one container. `kind`: waiting, running, terminated or empty. `role`: worker, init or sidecar (classic or native)."""

    name: str
    image: str
    kind: str
    reason: str
    message: str
    at: float
    exit_code: int | None
    signal: int | None
    memory_limit: str
    role: str = "worker"
    native: bool = False  # an init container that runs beside the worker (restartPolicy: Always)
    started: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """How one pod stands. `live`: the cluster has it now."""

    name: str
    uid: str
    created_at: float
    deleting: bool
    node: str
    phase: str
    reason: str
    message: str
    live: bool
    raw: Object
    conditions: dict[str, Condition] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    acknowledged: bool = True  # the node's kubelet has taken the pod on

    def disruption(self) -> Condition:
        """Why the cluster takes the pod away (DisruptionTarget)."""
        return self.conditions.get("DisruptionTarget", NONE)

    def disrupted(self) -> bool:
        return self.disruption().holds

    def worker(self) -> Container | None:
        """Return the worker's own container, None where the pod's status does not list it yet."""
        return next((each for each in self.containers if each.role == "worker"), None)

    def init(self) -> Container | None:
        """Return the init container that the worker's container waits for: the first that has not done its part."""
        return next(
            (each for each in self.containers if each.role == "init" and not _is_done(each)), None
        )

    def ended(self) -> bool:
        """Whether the worker's container has ended, or never will start, whatever else runs in the pod."""
        own = self.worker()
        return self.phase in ("Failed", "Succeeded") or (
            own is not None and own.kind == "terminated"
        )

    def succeeded(self) -> bool:
        """Whether the worker's container ended with exit code 0."""
        own = self.worker()
        return (
            own.exit_code == 0
            if own is not None and own.kind == "terminated"
            else self.phase == "Succeeded"
        )

    def running(self) -> bool:
        own = self.worker()
        return own.kind == "running" if own is not None else self.phase == "Running"

    def ran(self) -> bool:
        """Whether the worker's container has been started."""
        own = self.worker()
        ended = own is not None and own.kind == "terminated"
        return self.running() or (
            ended and own is not None and own.at > 0 and own.reason not in NEVER_RAN
        )


def read_conditions(status: Object) -> dict[str, Condition]:
    """Conditions by type."""
    return {
        text(each.get("type")): Condition(
            each.get("status") == "True",
            text(each.get("reason")),
            text(each.get("message")),
            instant(each.get("lastTransitionTime")),
        )
        for each in items(status.get("conditions"))
    }


def placed_at(pods: object) -> float:
    """Since when a pod of the attempt has had room on a node, in seconds since 1970; 0 for none."""
    conditions = [read_conditions(at(each, "status")).get("PodScheduled") for each in items(pods)]
    return max((each.at for each in conditions if each is not None and each.holds), default=0.0)


def worker_runs(pod: object) -> bool:
    """Whether the worker's own container runs in a pod."""
    return read_pod(pod, live=True).running() if isinstance(pod, Mapping) else False


def read_pod(source: Object, *, live: bool) -> Pod:
    """A pod, cut first to what is kept of one, so that live and kept ones are judged alike."""
    kept = remember(source)
    meta, status = at(kept, "metadata"), at(kept, "status")
    return Pod(
        name=text(meta.get("name")),
        uid=text(meta.get("uid")),
        created_at=instant(meta.get("creationTimestamp")),
        deleting=bool(meta.get("deletionTimestamp")),
        node=text(at(kept, "spec").get("nodeName")),
        phase=text(status.get("phase")),
        reason=text(status.get("reason")),
        message=text(status.get("message")),
        live=live,
        raw=source,
        conditions=read_conditions(status),
        containers=_containers(kept),
        acknowledged=bool(
            status.get("startTime")
            or status.get("containerStatuses")
            or status.get("initContainerStatuses")
        ),
    )


def _containers(pod: Object) -> tuple[Container, ...]:
    """All containers with their roles. The worker's own is the one named so, or the first where none bears that name."""
    status = at(pod, "status")
    native = {
        text(each.get("name"))
        for each in items(at(pod, "spec").get("initContainers"))
        if each.get("restartPolicy") == "Always"
    }
    first, others = (
        items(status.get("initContainerStatuses")),
        items(status.get("containerStatuses")),
    )
    names = [text(each.get("name")) for each in others]
    own = WORKER if WORKER in names else next(iter(names), "")
    inits = [_container(each, "init", native=text(each.get("name")) in native) for each in first]
    return (
        *inits,
        *(
            _container(each, "worker" if name == own else "sidecar")
            for each, name in zip(others, names, strict=True)
        ),
    )


def _is_done(container: Container) -> bool:
    """Whether the containers behind an init container may start."""
    return (
        container.started
        if container.native
        else container.kind == "terminated" and container.exit_code == 0
    )


def read_pods(pods: object, kept: object) -> list[Pod]:
    """Every pod that is or was of the attempt, the newest first: of one pod the live state, of two of one second the one that stays."""
    live = [read_pod(each, live=True) for each in items(pods)]
    known = {pod.uid or pod.name for pod in live}
    gone = [
        pod
        for pod in (read_pod(each, live=False) for each in items(kept))
        if (pod.uid or pod.name) not in known
    ]
    latest = {pod.uid or pod.name: pod for pod in gone}  # the last that was kept of a pod counts
    return sorted(
        [*live, *latest.values()],
        key=lambda pod: (pod.created_at, pod.live, not pod.deleting),
        reverse=True,
    )


def _container(source: Object, role: str, *, native: bool = False) -> Container:
    state = at(source, "state")
    kind = next((each for each in ("terminated", "running", "waiting") if each in state), "")
    inside = at(state, kind) if kind else {}
    before = at(source, "lastState", "terminated")
    if kind == "waiting" and inside.get("reason") == "CrashLoopBackOff" and before:
        kind, inside = "terminated", before
    return Container(
        name=text(source.get("name")),
        image=text(source.get("image")),
        kind=kind,
        reason=text(inside.get("reason")),
        message=text(inside.get("message")),
        at=instant(inside.get("startedAt")),
        exit_code=whole(inside.get("exitCode")),
        signal=whole(inside.get("signal")),
        memory_limit=text(at(source, "resources", "limits").get("memory")),
        role=role,
        native=native,
        started=source.get("started") is True or (kind == "running" and "started" not in source),
    )
