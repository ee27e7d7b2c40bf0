"""Kinds of objects and helpers for objects as JSON dicts. Objects are never changed in place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]  # namespace ("" if cluster-scoped), name


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """Kind of objects, with its names in paths, objects and RBAC.

    There is one instance of each.
    """

    plural: str
    kind: str
    group: str = ""
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def head(self) -> bytes:
        """Return the first fields of its JSON."""
        return f'{{"kind":"{self.kind}","apiVersion":"{self.api_version}",'.encode()

    @property
    def qualified(self) -> str:
        """Return the name that messages use: `jobs.batch`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


JOBS = Resource("jobs", "Job", "batch")
PODS = Resource("pods", "Pod")
EVENTS = Resource("events", "Event")
NODES = Resource("nodes", "Node", namespaced=False)
NAMESPACES = Resource("namespaces", "Namespace", namespaced=False)
QUOTAS = Resource("resourcequotas", "ResourceQuota")
RESOURCES = {each.plural: each for each in (JOBS, PODS, EVENTS, NODES, NAMESPACES, QUOTAS)}

JOB_TRACKING = "batch.kubernetes.io/job-tracking"
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"
FOREGROUND = "foregroundDeletion"
TERMINAL_PHASES = ("Succeeded", "Failed")


def key_of(obj: Mapping[str, Any]) -> Key:
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def with_meta(obj: Object, **changes: Any) -> Object:
    """Return the object with changed metadata; None removes a field."""
    meta = {**obj["metadata"], **changes}
    return {**obj, "metadata": {name: value for name, value in meta.items() if value is not None}}


def with_status(obj: Object, **changes: Any) -> Object:
    """Return the object with changed status; None removes a field."""
    status = {**obj.get("status", {}), **changes}
    return {**obj, "status": {name: value for name, value in status.items() if value is not None}}


def is_terminal(pod: Mapping[str, Any]) -> bool:
    return pod["status"]["phase"] in TERMINAL_PHASES


def is_deleting(obj: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def has_condition(obj: Mapping[str, Any], *types: str) -> bool:
    """Return whether one of these conditions is true."""
    conditions = obj.get("status", {}).get("conditions", ())
    return any(each["type"] in types and each["status"] == "True" for each in conditions)


def is_finished(job: Mapping[str, Any]) -> bool:
    return has_condition(job, "Complete", "Failed")
