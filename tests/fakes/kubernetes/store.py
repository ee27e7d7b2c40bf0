"""State of the API server: objects, version counter, bounded history, snapshots for list pages."""

import json
import random
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from tests.fakes.kubernetes.clock import Clock
from tests.fakes.kubernetes.resources import Key, Object, Resource, key_of

HISTORY = 50_000
KEPT_SNAPSHOTS = 32
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class ChangeType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(slots=True)
class Version:
    """One object at one version; its JSON is created once, on first use."""

    resource: Resource
    key: Key
    number: int
    obj: Object
    _item: bytes | None = field(default=None, repr=False)

    @property
    def item(self) -> bytes:
        """Return the object as an item of a list: without kind and version."""
        if self._item is None:
            self._item = _encode(self.obj).encode()
        return self._item

    @property
    def raw(self) -> bytes:
        return self.resource.head + self.item[1:]


@dataclass(frozen=True, slots=True)
class Change:
    type: ChangeType
    number: int
    at: float
    version: Version
    before: Version | None


class Expired(LookupError):
    """The version or page is older than the retained history."""


class Store:
    """Object store.

    Every write increments the version, enters the history and notifies listeners.
    """

    def __init__(self, clock: Clock, dice: random.Random, *, history: int = HISTORY) -> None:
        self.clock = clock
        self.number = 1000
        self._dice = dice
        self._objects: dict[Resource, dict[Key, Version]] = {}
        self.history: deque[Change] = deque(maxlen=history)
        self.oldest = 0  # the newest version without history
        self._snapshots: dict[tuple[Resource, int], list[Version]] = {}
        self.listeners: list[Callable[[Change], None]] = []

    def new_uid(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))

    def new_suffix(self) -> str:
        return "".join(self._dice.choices("bcdfghjklmnpqrstvwxz2456789", k=5))

    def get(self, resource: Resource, key: Key) -> Object | None:
        version = self._objects.get(resource, {}).get(key)
        return version.obj if version else None

    def version(self, resource: Resource, key: Key) -> Version | None:
        return self._objects.get(resource, {}).get(key)

    def all(self, resource: Resource) -> Iterable[Version]:
        return self._objects.get(resource, {}).values()

    def create(self, resource: Resource, obj: Object, *, uid: str = "") -> Object:
        """Store a new object with generated metadata. The caller must check the name."""
        meta = {
            **obj["metadata"],
            "uid": uid or self.new_uid(),
            "creationTimestamp": self.clock.stamp(),
        }
        return self._write(resource, {**obj, "metadata": meta}, ChangeType.ADDED)

    def update(self, resource: Resource, obj: Object) -> Object:
        return self._write(resource, obj, ChangeType.MODIFIED)

    def remove(self, resource: Resource, key: Key) -> None:
        if version := self.version(resource, key):
            self._write(resource, version.obj, ChangeType.DELETED)

    def _write(self, resource: Resource, obj: Object, kind: ChangeType) -> Object:
        self.number += 1
        meta = obj["metadata"]
        first = {
            name: meta[name]
            for name in ("name", "generateName", "namespace", "uid")
            if name in meta
        }  # the order of a real server
        obj = {
            **obj,
            "metadata": {**first, "resourceVersion": "", **meta}
            | {"resourceVersion": str(self.number)},
        }
        key = key_of(obj)
        version = Version(resource, key, self.number, obj)
        objects = self._objects.setdefault(resource, {})
        before = objects.pop(key, None) if kind is ChangeType.DELETED else objects.get(key)
        if kind is not ChangeType.DELETED:
            objects[key] = version
        change = Change(kind, self.number, self.clock.now, version, before)
        if len(self.history) == self.history.maxlen and self.history:
            self.oldest = self.history[0].number
        self.history.append(change)
        for listener in self.listeners:
            listener(change)
        return obj

    def forget_history(self) -> None:
        """Compact the history: watches and list pages from before now expire."""
        self.history.clear()
        self._snapshots.clear()
        self.oldest = self.number

    def changes_since(self, number: int) -> Iterable[Change]:
        """Return the changes after a version. Raises: Expired."""
        if number < self.oldest:
            raise Expired(f"too old resource version: {number} ({self.oldest})")
        found = []
        for change in reversed(self.history):
            if change.number <= number:
                break
            found.append(change)
        return reversed(found)

    def snapshot(self, resource: Resource) -> list[Version]:
        """Return all objects of a kind, ordered by name."""
        return [version for _, version in sorted(self._objects.get(resource, {}).items())]

    def keep(self, resource: Resource, number: int, versions: list[Version]) -> None:
        """Remember a snapshot that has more pages."""
        self._snapshots[resource, number] = versions
        while len(self._snapshots) > KEPT_SNAPSHOTS:
            del self._snapshots[next(iter(self._snapshots))]

    def kept(self, resource: Resource, number: int) -> list[Version]:
        """Return the snapshot of a version. Raises: Expired."""
        if (resource, number) in self._snapshots:
            return self._snapshots[resource, number]
        if number == self.number:
            return self.snapshot(resource)
        raise Expired(
            "The provided continue parameter is too old to display a consistent list result."
        )

    def at_version(self, resource: Resource, number: int) -> list[Version]:
        """Return the objects of a kind at a version. Raises: Expired."""
        if number < self.oldest:
            raise Expired(
                f"The resourceVersion for the provided list is too old: {number} ({self.oldest})"
            )
        changes = sum(change.version.resource is resource for change in self.changes_since(number))
        return self.as_of(resource, changes=changes)[1]

    def as_of(
        self, resource: Resource, *, at: float | None = None, changes: int = 0
    ) -> tuple[int, list[Version]]:
        """Return the version and the objects of a kind at an earlier time, or a number of changes
        ago.

        Limited to the retained history.
        """
        objects, number = dict(self._objects.get(resource, {})), self.number
        for change in reversed(self.history):
            if (at is not None and change.at <= at) or (at is None and changes <= 0):
                break
            number = change.number - 1
            if change.version.resource is not resource:
                continue
            changes -= 1
            if change.before is None:
                objects.pop(change.version.key, None)
            else:
                objects[change.version.key] = change.before
        return number, [version for _, version in sorted(objects.items())]
