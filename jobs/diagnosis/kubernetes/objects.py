"""Reading objects of Kubernetes that may lack anything, and what is kept of them. Pure.

What is kept is cut to the fields that a diagnosis reads: an environment, where the worker's token is, is never among them, and a value of
it that the cluster or the worker's log repeats is taken out of their words.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mimir.lib.redaction import HIDDEN, redact, redact_text

Object = Mapping[str, Any]
TEXT_MAX = 4096  # the most that a kubelet keeps of a termination message
_ENV_VALUE_MIN = 8  # shorter values are words of everyday sentences


def mapping(value: object) -> Object:
    """`value`, or nothing where it is no mapping."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Object]:
    """The mappings of a list; none where it is no list."""
    listed = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
    return [each for each in listed if isinstance(each, Mapping)]


def text(value: object) -> str:
    """A string, cut, of characters that a database takes; empty for anything else."""
    return storable(value) if isinstance(value, str) else ""


def whole(value: object) -> int | None:
    """An integer; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def at(source: object, *path: str) -> Object:
    """The mapping at `path`."""
    for name in path:
        source = mapping(source).get(name)
    return mapping(source)


def instant(value: object) -> float:
    """Seconds since 1970 of a Kubernetes time; 0 for none."""
    try:
        found = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return 0.0
    if found is None:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


@dataclass(frozen=True, slots=True)
class Event:
    """One event, at its latest occurrence."""

    kind: str
    name: str
    uid: str
    reason: str
    message: str
    at: float
    order: int
    container: str = ""  # the container of the pod that it is about; empty: the pod itself
    reporter: str = ""  # the component that reports it, as `default-scheduler`, `karpenter`


_FIELD = re.compile(r"spec\.(?:init|ephemeral)?containers\{([^}]{1,253})\}", re.I)


def read_events(events: object) -> list[Event]:
    """Events, the oldest first. Most times are of whole seconds: those of one second stand as the API server numbered them."""
    found = [_event(each) for each in items(events)]
    return sorted(found, key=lambda event: (int(event.at), event.order, event.at))


def _event(source: Object) -> Event:
    about, meta = at(source, "involvedObject"), at(source, "metadata")
    times = (
        at(source, "series").get("lastObservedTime"),
        source.get("lastTimestamp"),
        source.get("eventTime"),
        source.get("firstTimestamp"),
        meta.get("creationTimestamp"),
    )
    version = text(meta.get("resourceVersion"))
    field = _FIELD.fullmatch(text(about.get("fieldPath")))
    return Event(
        kind=text(about.get("kind")),
        name=text(about.get("name")),
        uid=text(about.get("uid")),
        reason=text(source.get("reason")),
        message=text(source.get("message")),
        at=max(map(instant, times)),
        order=int(version) if version.isascii() and version.isdigit() else 0,
        container=field[1] if field else "",
        reporter=text(source.get("reportingComponent"))
        or text(at(source, "source").get("component")),
    )


def remember_event(event: Object) -> dict[str, Any]:
    """What a diagnosis reads of an event."""
    meta, series = at(event, "metadata"), at(event, "series")
    kept = _only(
        event,
        "type",
        "reason",
        "message",
        "firstTimestamp",
        "lastTimestamp",
        "eventTime",
        "count",
        "reportingComponent",
    )
    kept["metadata"] = _only(meta, "creationTimestamp", "resourceVersion")
    kept["involvedObject"] = _only(at(event, "involvedObject"), "kind", "name", "uid", "fieldPath")
    component = text(at(event, "source").get("component"))
    if component and not kept.get("reportingComponent"):
        kept["reportingComponent"] = component
    if series:
        kept["series"] = _only(series, "lastObservedTime", "count")
    return kept


def remember(pod: Object) -> dict[str, Any]:
    """The last state seen of a pod, cut to what a diagnosis reads: what it may keep when the pod is gone."""
    status = at(pod, "status")
    kept: dict[str, Any] = {
        "metadata": _only(
            at(pod, "metadata"), "name", "uid", "creationTimestamp", "deletionTimestamp"
        ),
        "spec": _only(at(pod, "spec"), "nodeName", "restartPolicy"),
    }
    sidecars = [
        _only(each, "name", "restartPolicy")
        for each in items(at(pod, "spec").get("initContainers"))
        if each.get("restartPolicy")
    ]
    if sidecars:
        kept["spec"]["initContainers"] = sidecars
    state = _only(status, "phase", "reason", "message", "nominatedNodeName", "startTime")
    state["conditions"] = _conditions(status)
    for group in ("initContainerStatuses", "containerStatuses"):
        found = [_container(each) for each in items(status.get(group))]
        if found:
            state[group] = found
    kept["status"] = state
    hidden = list(_secrets(pod))
    without: dict[str, Any] = _without(kept, hidden)
    return without


def remember_job(job: Object) -> dict[str, Any]:
    """What a diagnosis reads of a Job: what it asks for, and how it stands. Never its environment."""
    spec, status = at(job, "spec"), at(job, "status")
    template = at(spec, "template", "spec")
    kept: dict[str, Any] = {
        "metadata": _only(
            at(job, "metadata"), "name", "uid", "creationTimestamp", "deletionTimestamp"
        ),
        "spec": _only(spec, "activeDeadlineSeconds", "suspend"),
        "status": _only(
            status,
            "startTime",
            "completionTime",
            "active",
            "failed",
            "succeeded",
            "terminating",
            "ready",
        ),
    }
    kept["status"]["conditions"] = _conditions(status)
    asked = {
        "containers": [_asked(each) for each in items(template.get("containers"))],
        "nodeSelector": _texts(template.get("nodeSelector")),
        "serviceAccountName": text(template.get("serviceAccountName")),
        "priorityClassName": text(template.get("priorityClassName")),
        "volumes": [
            _claim(each)
            for each in items(template.get("volumes"))
            if at(each, "persistentVolumeClaim")
        ],
        "tolerations": [
            _only(each, "key", "operator", "value", "effect")
            for each in items(template.get("tolerations"))
        ],
    }
    asked = {name: value for name, value in asked.items() if value}
    if asked:
        kept["spec"]["template"] = {"spec": asked}
    without: dict[str, Any] = _without(kept, [])
    return without


def _only(source: object, *names: str) -> dict[str, Any]:
    """The named scalars that are there; text is cut."""
    found: dict[str, Any] = {}
    for name in names:
        value = mapping(source).get(name)
        if isinstance(value, str):
            found[name] = storable(value)
        elif isinstance(value, int):
            found[name] = value
    return found


def storable(value: str) -> str:
    """Cut, and without NUL and halves of characters: what a worker logged is in here, and the database refuses those."""
    return value[:TEXT_MAX].replace("\x00", "�").encode("utf-8", "replace").decode()


def _texts(source: object) -> dict[str, str]:
    return {
        str(name): storable(value)
        for name, value in mapping(source).items()
        if isinstance(value, str)
    }


def _conditions(status: Object) -> list[dict[str, Any]]:
    return [
        _only(each, "type", "status", "reason", "message", "lastTransitionTime")
        for each in items(status.get("conditions"))
    ]


def _container(source: Object) -> dict[str, Any]:
    kept = _only(source, "name", "image", "restartCount", "started", "ready")
    for name in ("state", "lastState"):
        state = at(source, name)
        kept[name] = {
            kind: _only(
                at(state, kind),
                "reason",
                "message",
                "exitCode",
                "signal",
                "startedAt",
                "finishedAt",
            )
            for kind in ("waiting", "running", "terminated")
            if isinstance(state.get(kind), Mapping)
        }
    limits = _amounts(at(source, "resources", "limits"))
    if limits:
        kept["resources"] = {"limits": limits}
    return kept


def _asked(source: Object) -> dict[str, Any]:
    kept = _only(source, "name", "image", "imagePullPolicy")
    resources = at(source, "resources")
    kept["resources"] = {name: _amounts(at(resources, name)) for name in ("requests", "limits")}
    command = source.get("command")
    if isinstance(command, list) and command and isinstance(command[0], str):
        kept["command"] = [storable(command[0])]
    return kept


def _claim(source: Object) -> dict[str, Any]:
    return _only(source, "name") | {
        "persistentVolumeClaim": _only(at(source, "persistentVolumeClaim"), "claimName")
    }


def _amounts(source: Object) -> dict[str, str]:
    return {
        str(name): storable(str(value))
        for name, value in source.items()
        if isinstance(value, str | int)
    }


def _secrets(pod: Object) -> Iterator[str]:
    """The secret values of a pod's environment."""
    spec = at(pod, "spec")
    for group in ("initContainers", "containers"):
        for container in items(spec.get(group)):
            for variable in items(container.get("env")):
                name, value = text(variable.get("name")), text(variable.get("value"))
                if len(value) >= _ENV_VALUE_MIN and redact({name: value})[name] == HIDDEN:
                    yield value


def _without(value: Any, secrets: Sequence[str]) -> Any:
    """The same without `secrets`, bearer tokens and passwords in URLs."""
    if isinstance(value, dict):
        return {key: _without(part, secrets) for key, part in value.items()}
    if isinstance(value, list):
        return [_without(part, secrets) for part in value]
    if not isinstance(value, str):
        return value
    for secret in secrets:
        value = value.replace(secret, HIDDEN)
    return redact_text(value)
