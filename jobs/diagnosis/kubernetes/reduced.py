"""Kubernetes objects reduced to the fields that a diagnosis reads, for storage. Pure.

Reduced objects never contain the environment, which holds the worker's token. If the cluster or
the worker's log repeats secret values of the environment, they are removed from a pod's texts.
"""

from collections.abc import Iterator, Mapping, Sequence

from jobs.diagnosis.kubernetes.objects import Object, at, items, limited, mapping, text
from mimir.lib.json_types import Json, JsonObject
from mimir.lib.redaction import HIDDEN, is_secret_name, redact_text

_ENV_VALUE_MIN = 8  # shorter values occur in ordinary sentences


def reduce_event(event: Object) -> JsonObject:
    """Return an event reduced to the fields that a diagnosis reads."""
    meta, series = at(event, "metadata"), at(event, "series")
    kept = _fields(
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
    kept["metadata"] = _fields(meta, "creationTimestamp", "resourceVersion")
    kept["involvedObject"] = _fields(
        at(event, "involvedObject"), "kind", "name", "uid", "fieldPath"
    )
    component = text(at(event, "source").get("component"))
    if component and not kept.get("reportingComponent"):
        kept["reportingComponent"] = component
    if series:
        kept["series"] = _fields(series, "lastObservedTime", "count")
    return kept


def reduce_pod(pod: Object) -> JsonObject:
    """Return the last observed state of a pod, reduced to the fields that a diagnosis reads.

    The result may be stored after the pod is gone.
    """
    status = at(pod, "status")
    metadata = _fields(at(pod, "metadata"), "name", "uid", "creationTimestamp", "deletionTimestamp")
    spec = _fields(at(pod, "spec"), "nodeName", "restartPolicy")
    sidecars: list[Json] = [
        _fields(each, "name", "restartPolicy")
        for each in items(at(pod, "spec").get("initContainers"))
        if each.get("restartPolicy")
    ]
    if sidecars:
        spec["initContainers"] = sidecars
    state = _fields(status, "phase", "reason", "message", "nominatedNodeName", "startTime")
    state["conditions"] = _conditions(status)
    for group in ("initContainerStatuses", "containerStatuses"):
        found: list[Json] = [_container(each) for each in items(status.get(group))]
        if found:
            state[group] = found
    return _without_secrets(
        {"metadata": metadata, "spec": spec, "status": state}, list(_secrets(pod))
    )


def reduce_job(job: Object) -> JsonObject:
    """Return a Job reduced to the fields that a diagnosis reads: requests and status.

    Its environment is never included.
    """
    spec, status = at(job, "spec"), at(job, "status")
    metadata = _fields(at(job, "metadata"), "name", "uid", "creationTimestamp", "deletionTimestamp")
    reduced_spec = _fields(spec, "activeDeadlineSeconds", "suspend")
    state = _fields(
        status,
        "startTime",
        "completionTime",
        "active",
        "failed",
        "succeeded",
        "terminating",
        "ready",
    )
    state["conditions"] = _conditions(status)
    requested = _requested(at(spec, "template", "spec"))
    if requested:
        reduced_spec["template"] = {"spec": requested}
    return _without_secrets({"metadata": metadata, "spec": reduced_spec, "status": state}, [])


def _requested(template: Object) -> JsonObject:
    """Return what the pod template of a Job requests from the cluster, without empty fields."""
    requested: JsonObject = {
        "containers": [_requested_container(each) for each in items(template.get("containers"))],
        "nodeSelector": _texts(template.get("nodeSelector")),
        "serviceAccountName": text(template.get("serviceAccountName")),
        "priorityClassName": text(template.get("priorityClassName")),
        "volumes": [
            _claim(each)
            for each in items(template.get("volumes"))
            if at(each, "persistentVolumeClaim")
        ],
        "tolerations": [
            _fields(each, "key", "operator", "value", "effect")
            for each in items(template.get("tolerations"))
        ],
    }
    return {name: value for name, value in requested.items() if value}


def _fields(source: object, *names: str) -> JsonObject:
    """Return the named scalars that exist; text is truncated."""
    found: JsonObject = {}
    fields = mapping(source)
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            found[name] = limited(value)
        elif isinstance(value, int):
            found[name] = value
    return found


def _texts(source: object) -> JsonObject:
    return {
        str(name): limited(value)
        for name, value in mapping(source).items()
        if isinstance(value, str)
    }


def _conditions(status: Object) -> list[Json]:
    return [
        _fields(each, "type", "status", "reason", "message", "lastTransitionTime")
        for each in items(status.get("conditions"))
    ]


def _container(source: Object) -> JsonObject:
    kept = _fields(source, "name", "image", "restartCount", "started", "ready")
    for name in ("state", "lastState"):
        state = at(source, name)
        kept[name] = {
            kind: _fields(
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


def _requested_container(source: Object) -> JsonObject:
    kept = _fields(source, "name", "image", "imagePullPolicy")
    resources = at(source, "resources")
    kept["resources"] = {name: _amounts(at(resources, name)) for name in ("requests", "limits")}
    command = source.get("command")
    if isinstance(command, list) and command and isinstance(command[0], str):
        kept["command"] = [limited(command[0])]
    return kept


def _claim(source: Object) -> JsonObject:
    return _fields(source, "name") | {
        "persistentVolumeClaim": _fields(at(source, "persistentVolumeClaim"), "claimName")
    }


def _amounts(source: Object) -> JsonObject:
    return {
        str(name): limited(str(value))
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
                if len(value) >= _ENV_VALUE_MIN and is_secret_name(name):
                    yield value


def _without_secrets(value: JsonObject, secrets: Sequence[str]) -> JsonObject:
    """Return `value` without `secrets`, bearer tokens and passwords in URLs."""
    return {key: _redacted(part, secrets) for key, part in value.items()}


def _redacted(value: Json, secrets: Sequence[str]) -> Json:
    if isinstance(value, str):
        if len(value) >= _ENV_VALUE_MIN:  # most are shorter than a secret
            for secret in secrets:
                value = value.replace(secret, HIDDEN)
        return redact_text(value)
    if isinstance(value, dict):
        return _without_secrets(value, secrets)
    if isinstance(value, list):
        return [_redacted(part, secrets) for part in value]
    return value
