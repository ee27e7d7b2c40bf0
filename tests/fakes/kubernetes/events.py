"""Events, as the scheduler, the kubelet and the controllers record them.

A repeated event increments the count of the first one.
"""

from typing import Any

from tests.fakes.kubernetes.resources import EVENTS, Key, Object, Resource
from tests.fakes.kubernetes.store import Store


class Recorder:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[tuple[str, str, str], Key] = {}
        self._count = 0

    def scheduler(
        self,
        pod: Object,
        resource: Resource,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        action: str = "Scheduling",
    ) -> None:
        """Record an event of the scheduler, in the newer form: eventTime and no count."""
        shape: Object = {
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "eventTime": self._store.clock.micro_stamp(),
            "action": action,
            "reportingComponent": "default-scheduler",
            "reportingInstance": "default-scheduler-fake",
        }
        self._create(pod, resource, reason, message, warning, shape)

    def kubelet(
        self,
        pod: Object,
        resource: Resource,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        container: bool = True,
    ) -> None:
        node = pod["spec"].get("nodeName", "")
        path = (
            {"fieldPath": f"spec.containers{{{pod['spec']['containers'][0]['name']}}}"}
            if container
            else {}
        )
        self._counted(
            pod, resource, reason, message, warning, {"component": "kubelet", "host": node}, path
        )

    def controller(
        self,
        about: Object,
        resource: Resource,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        component: str = "job-controller",
    ) -> None:
        self._counted(about, resource, reason, message, warning, {"component": component}, {})

    def foreign(self, *, kind: str, name: str, namespace: str, reason: str, message: str) -> None:
        """Record an event about an object that this fake does not keep, such as a volume claim."""
        stamp = self._store.clock.stamp()
        self._count += 1
        event = {
            "metadata": {
                "name": f"{name}.{0x18EABD0000000000 + self._count:x}",
                "namespace": namespace,
            },
            "involvedObject": {
                "kind": kind,
                "namespace": namespace,
                "name": name,
                "uid": self._store.new_uid(),
                "apiVersion": "v1",
            },
            "reason": reason,
            "message": message,
            "type": "Warning",
            "source": {"component": "persistentvolume-controller"},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }
        self._store.create(EVENTS, event)

    def _counted(
        self,
        about: Object,
        resource: Resource,
        reason: str,
        message: str,
        warning: bool,
        source: Object,
        path: Object,
    ) -> None:
        seen = (about["metadata"]["uid"], reason, message)
        stamp = self._store.clock.stamp()
        key = self._seen.get(seen)
        old = self._store.get(EVENTS, key) if key else None
        if old:
            self._store.update(EVENTS, {**old, "count": old["count"] + 1, "lastTimestamp": stamp})
            return
        shape = {
            "source": source,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "eventTime": None,
            "reportingComponent": source["component"],
            "reportingInstance": source.get("host", ""),
        }
        self._seen[seen] = self._create(about, resource, reason, message, warning, shape, path)

    def _create(
        self,
        about: Object,
        resource: Resource,
        reason: str,
        message: str,
        warning: bool,
        shape: Object,
        path: dict[str, Any] | None = None,
    ) -> Key:
        meta = about["metadata"]
        namespace = meta.get("namespace", "default")
        self._count += 1
        name = f"{meta['name']}.{0x18EABD0000000000 + self._count:x}"
        involved = {
            "kind": resource.kind,
            **({"namespace": meta["namespace"]} if "namespace" in meta else {}),
            "name": meta["name"],
            "uid": meta["uid"],
            "apiVersion": resource.api_version,
            "resourceVersion": meta["resourceVersion"],
            **(path or {}),
        }
        event = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            **shape,
        }
        self._store.create(EVENTS, event)
        return namespace, name
