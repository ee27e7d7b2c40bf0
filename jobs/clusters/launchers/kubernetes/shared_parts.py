"""Equal parts of reduced Kubernetes objects, kept once in memory.

The Jobs and pods of thousands of workers differ in names, ids and times only. Without sharing they
take 12 KB for each worker.
"""

from collections.abc import Hashable, Mapping
from typing import cast

from jobs.diagnosis.kubernetes.objects import Object
from mimir.lib.json_types import Json

_UNIQUE = frozenset({"metadata"})  # parts that no two objects have in common


class SharedParts:
    """Parts of the objects of one list. Callers must not change an object that `of` returns."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, Json] = {}

    def of(self, reduced: Object) -> Object:
        """Return an equal object that shares its equal parts with earlier objects."""
        parts = cast("Mapping[str, Json]", reduced)
        return {
            name: part if name in _UNIQUE else self._shared(part) for name, part in parts.items()
        }

    def _shared(self, part: Json) -> Json:
        """Return the first part that is equal to `part`; `part` itself if it is the first.

        Inner parts are shared before, so two containers are equal if they contain the same objects.
        Numbers are compared with their type, because 1 == True in Python.
        """
        if isinstance(part, str):
            return self._parts.setdefault(part, part)
        if isinstance(part, dict):
            mapping = {name: self._shared(value) for name, value in part.items()}
            named = ((name, _key(value)) for name, value in mapping.items())
            return self._parts.setdefault((dict, *named), mapping)
        if isinstance(part, list):
            values = [self._shared(value) for value in part]
            return self._parts.setdefault((list, *map(_key, values)), values)
        return part


def _key(value: Json) -> Hashable:
    """Return a key that is the same for equal shared values."""
    return id(value) if isinstance(value, str | dict | list) else (type(value), value)
