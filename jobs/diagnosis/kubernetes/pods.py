"""Pods of an attempt for a diagnosis, live or stored, the most relevant first. Pure.

A pod is judged by the worker's own container. Sidecars that an admission webhook injects (Istio,
Linkerd, a database proxy) may run permanently, fail or end with any code, which says nothing about
the worker. Init containers count until the worker's container starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.diagnosis.kubernetes.objects import Object, at, instant, items, text, whole
from jobs.diagnosis.kubernetes.reduced import reduce_pod

WORKER = "worker"  # the container of `manifest.worker_job`
NEVER_RAN = frozenset({"StartError", "ContainerCannotRun"})


@dataclass(frozen=True, slots=True)
class Condition:
    """Condition of a pod or a Job. `at`: last transition, in seconds since 1970; 0 if unknown."""

    holds: bool
    reason: str
    message: str
    at: float


NONE = Condition(False, "", "", 0.0)


@dataclass(frozen=True, slots=True)
class Container:
    """State of one container.

    `kind`: waiting, running, terminated or empty. `role`: worker, init or sidecar (classic or
    native). `at`: start, in seconds since 1970; 0 if it has not started.
    """

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
    # An init container that runs beside the worker (restartPolicy: Always).
    native: bool = False
    started: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """State of one pod. `live`: it exists in the cluster now."""

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
    acknowledged: bool = True  # the node's kubelet has accepted the pod

    def disruption(self) -> Condition:
        """Return the reason for which the cluster removes the pod (DisruptionTarget)."""
        return self.conditions.get("DisruptionTarget", NONE)

    def disrupted(self) -> bool:
        return self.disruption().holds

    def worker(self) -> Container | None:
        """Return the worker's own container; None if the pod's status does not list it yet."""
        return next((each for each in self.containers if each.role == "worker"), None)

    def init(self) -> Container | None:
        """Return the first incomplete init container, which the worker's container waits for."""
        return next(
            (each for each in self.containers if each.role == "init" and not _is_done(each)), None
        )

    def ended(self) -> bool:
        """Return whether the worker's container has ended or will never start.

        Other containers of the pod may still run.
        """
        own = self.worker()
        return self.phase in ("Failed", "Succeeded") or (
            own is not None and own.kind == "terminated"
        )

    def succeeded(self) -> bool:
        """Return whether the worker's container ended with exit code 0."""
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
        """Return whether the worker's container was started."""
        own = self.worker()
        ended = own is not None and own.kind == "terminated"
        return self.running() or (
            ended and own is not None and own.at > 0 and own.reason not in NEVER_RAN
        )


def read_conditions(status: Object) -> dict[str, Condition]:
    """Return the conditions of a status by type."""
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
    """Return when a pod of the attempt was scheduled, in seconds since 1970; 0 if none was."""
    conditions = [read_conditions(at(each, "status")).get("PodScheduled") for each in items(pods)]
    return max((each.at for each in conditions if each is not None and each.holds), default=0.0)


def started_at(pods: object) -> float:
    """Return when a worker's own container began to run, in seconds since 1970; 0 if none runs."""
    own = [read_pod(each, live=True).worker() for each in items(pods)]
    running = [each for each in own if each is not None and each.kind == "running"]
    return max((each.at for each in running), default=0.0)


def worker_runs(pod: object) -> bool:
    """Return whether the worker's own container runs in a pod."""
    return read_pod(pod, live=True).running() if isinstance(pod, Mapping) else False


def read_pod(source: Object, *, live: bool) -> Pod:
    """Return a pod, reduced by `reduce_pod` first: live and stored pods are judged alike."""
    kept = reduce_pod(source)
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
    """Return all containers with their roles.

    The worker's own container is the one named WORKER, or the first if none has that name.
    """
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
    """Return whether the containers after an init container may start."""
    return (
        container.started
        if container.native
        else container.kind == "terminated" and container.exit_code == 0
    )


def read_pods(pods: object, kept: object) -> list[Pod]:
    """Return every pod that the attempt has or had, the newest first.

    Of a pod that is both live and stored, the live state counts. Of two pods created in the same
    second, the one that is not being deleted comes first.
    """
    live = [read_pod(each, live=True) for each in items(pods)]
    known = {pod.uid or pod.name for pod in live}
    gone = [
        pod
        for pod in (read_pod(each, live=False) for each in items(kept))
        if (pod.uid or pod.name) not in known
    ]
    latest = {pod.uid or pod.name: pod for pod in gone}  # the last stored state of a pod counts
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
