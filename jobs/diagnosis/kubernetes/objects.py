"""Tolerant reading of Kubernetes objects, and their reduction for storage. Pure.

Stored objects contain only the fields that a diagnosis reads, and never the environment, which
holds the worker's token. Secret values of the environment that the cluster or the worker's log
repeats are removed from the texts.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mimir.lib.redaction import HIDDEN, redact, redact_text

Object = Mapping[str, Any]
TEXT_MAX = 4096  # limit of the kubelet for a termination message
_ENV_VALUE_MIN = 8  # shorter values occur in ordinary sentences


def mapping(value: object) -> Object:
    """Return `value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Object]:
    """Return the mappings of a list; none if it is not a list."""
    listed = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
    return [each for each in listed if isinstance(each, Mapping)]


def text(value: object) -> str:
    """Return a string, truncated and storable in the database; empty for any other type."""
    return storable(value) if isinstance(value, str) else ""


def whole(value: object) -> int | None:
    """Return an integer; None for any other type."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def at(source: object, *path: str) -> Object:
    """Return the mapping at `path`; empty if there is none."""
    for name in path:
        source = mapping(source).get(name)
    return mapping(source)


def instant(value: object) -> float:
    """Return a Kubernetes time as seconds since 1970; 0 if there is none."""
    try:
        found = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return 0.0
    if found is None:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()


@dataclass(frozen=True, slots=True)
class Event:
    """Event of the cluster, at its latest occurrence."""

    kind: str
    name: str
    uid: str
    reason: str
    message: str
    at: float
    order: int
    container: str = ""  # container of the pod that it is about; empty: the pod itself
    reporter: str = ""  # the reporting component, for example `default-scheduler`


_FIELD = re.compile(r"spec\.(?:init|ephemeral)?containers\{([^}]{1,253})\}", re.I)


def read_events(events: object) -> list[Event]:
    """Return events, the oldest first.

    Most times have a resolution of one second. Events of the same second are ordered by resource
    version.
    """
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
    """Return an event reduced to the fields that a diagnosis reads."""
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
    """Return the last observed state of a pod, reduced to the fields that a diagnosis reads.

    It may be stored after the pod is gone.
    """
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
    """Return a Job reduced to the fields that a diagnosis reads: requests and status.

    Its environment is never included.
    """
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
    requested = {
        "containers": [_requested(each) for each in items(template.get("containers"))],
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
    requested = {name: value for name, value in requested.items() if value}
    if requested:
        kept["spec"]["template"] = {"spec": requested}
    without: dict[str, Any] = _without(kept, [])
    return without


def _only(source: object, *names: str) -> dict[str, Any]:
    """Return the named scalars that exist; text is truncated."""
    found: dict[str, Any] = {}
    for name in names:
        value = mapping(source).get(name)
        if isinstance(value, str):
            found[name] = storable(value)
        elif isinstance(value, int):
            found[name] = value
    return found


def storable(value: str) -> str:
    """Return `value` truncated, without NUL characters and lone surrogates.

    The text may contain output of a worker, and the database refuses those characters.
    """
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


def _requested(source: Object) -> dict[str, Any]:
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
    """Yield the secret values of a pod's environment."""
    spec = at(pod, "spec")
    for group in ("initContainers", "containers"):
        for container in items(spec.get(group)):
            for variable in items(container.get("env")):
                name, value = text(variable.get("name")), text(variable.get("value"))
                if len(value) >= _ENV_VALUE_MIN and redact({name: value})[name] == HIDDEN:
                    yield value


def _without(value: Any, secrets: Sequence[str]) -> Any:
    """Return `value` without `secrets`, bearer tokens and passwords in URLs."""
    if isinstance(value, dict):
        return {key: _without(part, secrets) for key, part in value.items()}
    if isinstance(value, list):
        return [_without(part, secrets) for part in value]
    if not isinstance(value, str):
        return value
    for secret in secrets:
        value = value.replace(secret, HIDDEN)
    return redact_text(value)
