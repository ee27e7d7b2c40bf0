"""Nodes and the eviction of pods from disconnected ones."""

from tests.fakes.kubernetes.events import Recorder
from tests.fakes.kubernetes.resources import NODES, Object, with_status
from tests.fakes.kubernetes.shapes import node, node_condition
from tests.fakes.kubernetes.store import Store

ALLOCATABLE = {
    "cpu": "1900m",
    "ephemeral-storage": "265142110657",
    "memory": "24274484Ki",
    "pods": "250",
}


class Nodes:
    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store, self._events = store, recorder
        self._up: dict[str, bool] = {}

    def add(
        self,
        name: str,
        *,
        labels: dict[str, str] | None = None,
        allocatable: dict[str, str] | None = None,
        taints: list[Object] | None = None,
    ) -> None:
        at = self._store.clock.stamp()
        self._store.create(
            NODES,
            node(
                name,
                at,
                labels=labels or {},
                allocatable={**ALLOCATABLE, **(allocatable or {})},
                taints=taints or [],
            ),
        )
        self._up[name] = True

    def is_up(self, name: str) -> bool:
        return self._up.get(name, False)

    def knows(self, name: str) -> bool:
        return name in self._up

    def pick(self, wanted: str) -> str:
        """Return the requested node if it exists, else the first; empty if there is none."""
        if wanted:
            return wanted if self._up.get(wanted) else ""
        return next((name for name, up in self._up.items() if up), "")

    def silent(self, name: str) -> None:
        """Mark a node as not reporting to the control plane."""
        self._up[name] = False
        self._show(name, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
        if found := self._store.get(NODES, ("", name)):
            taints = [
                {
                    "key": "node.kubernetes.io/unreachable",
                    "effect": effect,
                    "timeAdded": self._store.clock.stamp(),
                }
                for effect in ("NoSchedule", "NoExecute")
            ]
            found = self._store.update(
                NODES, {**found, "spec": {**found["spec"], "taints": taints}}
            )
            self._events.controller(
                found,
                NODES,
                "NodeNotReady",
                f"Node {name} status is now: NodeNotReady",
                component="node-controller",
            )

    def heard(self, name: str) -> None:
        self._up[name] = True
        self._show(name, "True", "KubeletReady", "kubelet is posting ready status")
        if found := self._store.get(NODES, ("", name)):
            spec = {field: value for field, value in found["spec"].items() if field != "taints"}
            self._store.update(NODES, {**found, "spec": spec})

    def remove(self, name: str) -> None:
        """Delete the Node object; the machine can continue to run."""
        self._up[name] = False
        self._store.remove(NODES, ("", name))

    def _show(self, name: str, status: str, reason: str, message: str) -> None:
        found = self._store.get(NODES, ("", name))
        if found is None:
            return
        new = node_condition("Ready", status, self._store.clock.stamp(), reason, message)
        conditions = [
            new if each["type"] == "Ready" else each for each in found["status"]["conditions"]
        ]
        self._store.update(NODES, with_status(found, conditions=conditions))
