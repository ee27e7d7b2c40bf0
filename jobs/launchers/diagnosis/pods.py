"""A pod as a diagnosis sees it, live or kept, and the one that counts of several. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.launchers.diagnosis.reading import Object, at, instant, items, remember, text, whole


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
    """How one container stands. `kind` is waiting, running, terminated or empty; of a terminated one, how it ended."""

    name: str
    image: str
    kind: str
    reason: str
    message: str
    at: float
    exit_code: int | None
    signal: int | None
    memory_limit: str


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

    def disruption(self) -> Condition:
        """Why the cluster takes the pod away (DisruptionTarget)."""
        return self.conditions.get("DisruptionTarget", NONE)

    def disrupted(self) -> bool:
        return self.disruption().holds

    def ended(self) -> bool:
        """Whether nothing of it runs any more, by its own words."""
        done = [each.kind == "terminated" for each in self.containers]
        return self.phase in ("Failed", "Succeeded") or (bool(done) and all(done))

    def running(self) -> bool:
        return any(each.kind == "running" for each in self.containers) or (self.phase == "Running" and not self.containers)

    def ran(self) -> bool:
        """Whether a container of it has been started."""
        return self.running() or any(each.kind == "terminated" and each.at > 0 and each.reason != "StartError" for each in self.containers)


def read_conditions(status: Object) -> dict[str, Condition]:
    """Conditions by type."""
    return {
        text(each.get("type")): Condition(
            each.get("status") == "True", text(each.get("reason")), text(each.get("message")), instant(each.get("lastTransitionTime"))
        )
        for each in items(status.get("conditions"))
    }


def placed_at(pods: object) -> float:
    """Since when a pod of the attempt has had room on a node, in seconds since 1970; 0 for none."""
    conditions = [read_conditions(at(each, "status")).get("PodScheduled") for each in items(pods)]
    return max((each.at for each in conditions if each is not None and each.holds), default=0.0)


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
        containers=tuple(_container(each) for group in ("initContainerStatuses", "containerStatuses") for each in items(status.get(group))),
    )


def read_pods(pods: object, kept: object) -> list[Pod]:
    """Every pod that is or was of the attempt, the newest first: of one pod the live state, of two of one second the one that stays."""
    live = [read_pod(each, live=True) for each in items(pods)]
    known = {pod.uid or pod.name for pod in live}
    gone = [pod for pod in (read_pod(each, live=False) for each in items(kept)) if (pod.uid or pod.name) not in known]
    latest = {pod.uid or pod.name: pod for pod in gone}  # the last that was kept of a pod counts
    return sorted([*live, *latest.values()], key=lambda pod: (pod.created_at, pod.live, not pod.deleting), reverse=True)


def worker_of(pod: Pod, kinds: Sequence[str]) -> Container | None:
    """The container that tells most: the first that failed, else the worker's, else any, of those in one of `kinds`."""
    found = [each for each in pod.containers if each.kind in kinds]
    failed = [each for each in found if each.kind == "terminated" and each.exit_code]
    named = [each for each in found if each.name == "worker"]
    return next(iter([*failed, *named, *found]), None)


def _container(source: Object) -> Container:
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
    )
