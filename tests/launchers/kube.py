"""Kubernetes objects as the API server returns them, with the fields that tests use."""

from typing import Any

JOB = "worker-job-0f0e0d0c-0000-4000-8000-000000000001-1"
POD = f"{JOB}-abcde"
T0 = "2026-11-25T10:00:00Z"


def at(seconds: int) -> str:
    """Return a time `seconds` (below 3600) after the Job's creation."""
    return f"2026-11-25T10:{seconds // 60:02d}:{seconds % 60:02d}Z"


def job(*conditions: tuple[str, str, str], deadline: int = 3600, **status: Any) -> dict[str, Any]:
    """Return a Job; `conditions` are true ones as (type, reason, message)."""
    return {
        "metadata": {"name": JOB, "uid": "job-uid", "creationTimestamp": T0},
        "spec": {
            "activeDeadlineSeconds": deadline,
            "suspend": status.pop("suspend", False),
            "template": {
                "spec": {
                    "containers": [container()],
                    "nodeSelector": status.pop("selector", {}),
                    "volumes": volumes(),
                }
            },
        },
        "status": {
            "conditions": [
                {"type": kind, "status": "True", "reason": why, "message": words}
                for kind, why, words in conditions
            ],
            **status,
        },
    }


def container(**changes: Any) -> dict[str, Any]:
    resources = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "2", "memory": "4Gi"}}
    env = [
        {"name": "JOB_TOKEN", "value": "a-very-secret-token"},
        {"name": "JOB_ID", "value": "0f0e0d0c"},
    ]
    return {
        "name": "worker",
        "image": "mimir-aip/worker:1.0.0",
        "resources": resources,
        "env": env,
        **changes,
    }


def volumes() -> list[dict[str, Any]]:
    return [{"name": "model-cache", "persistentVolumeClaim": {"claimName": "model-cache-pvc"}}]


def pod(
    state: dict[str, Any] | None = None,
    *,
    name: str = POD,
    node: str = "node1",
    created: int = 0,
    **status: Any,
) -> dict[str, Any]:
    """Return a pod with its container in `state`, such as {"waiting": {…}}.

    `deleting`: it has a deletionTimestamp.
    """
    deleting = status.pop("deleting", False)
    conditions = [
        {"type": kind, "status": value, "reason": why, "message": message}
        for kind, value, why, message in status.pop("conditions", ())
    ]
    meta = {"name": name, "uid": f"uid-{name}", "creationTimestamp": at(created)}
    states = (
        [{"name": "worker", "image": "mimir-aip/worker:1.0.0", "state": state, "lastState": {}}]
        if state is not None
        else []
    )
    return {
        "metadata": meta | ({"deletionTimestamp": at(created + 60)} if deleting else {}),
        "spec": {
            "containers": [container()],
            "volumes": volumes(),
            **({"nodeName": node} if node else {}),
        },
        "status": {
            "phase": "Pending",
            "conditions": conditions,
            "containerStatuses": states,
            **status,
        },
    }


def running(**changes: Any) -> dict[str, Any]:
    return pod({"running": {"startedAt": at(5)}}, phase="Running", **changes)


def terminated(
    code: int, reason: str = "Error", message: str = "", **changes: Any
) -> dict[str, Any]:
    state = {
        "exitCode": code,
        "reason": reason,
        "message": message,
        "startedAt": at(5),
        "finishedAt": at(50),
    }
    return pod({"terminated": state}, **{"phase": "Failed", **changes})


def waiting(reason: str, message: str = "", **changes: Any) -> dict[str, Any]:
    return pod({"waiting": {"reason": reason, "message": message}}, **changes)


def unscheduled(message: str, reason: str = "Unschedulable") -> dict[str, Any]:
    return pod(node="", conditions=[("PodScheduled", "False", reason, message)])


def event(
    reason: str,
    message: str = "",
    *,
    seconds: int = 10,
    kind: str = "Pod",
    name: str = "",
    last: int | None = None,
) -> dict[str, Any]:
    """Return an event with times in whole seconds, as of the older events API."""
    name = name or {"Pod": POD, "Job": JOB}.get(kind, "other")
    return {
        "involvedObject": {"kind": kind, "name": name},
        "reason": reason,
        "message": message,
        "firstTimestamp": at(seconds),
        "lastTimestamp": at(last if last is not None else seconds),
        "count": 1,
    }


def node(
    name: str = "node1",
    *,
    ready: str = "True",
    taints: list[dict[str, str]] | None = None,
    **allocatable: str,
) -> dict[str, Any]:
    capacity = {
        "cpu": "4",
        "memory": "16Gi",
        **{key.replace("__", "/").replace("_", "."): value for key, value in allocatable.items()},
    }
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"taints": taints or []},
        "status": {"allocatable": capacity, "conditions": [{"type": "Ready", "status": ready}]},
    }
