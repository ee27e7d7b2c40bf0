"""Differences between a twin's base and the rows of an update. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mimir.lib.schemas.twin import Field, entity_type, fields_of

Row = tuple[str, dict[str, Any]]


@dataclass(slots=True)
class Base:
    """The newest state when the update began. `entities`: key to (status, {property: reported value})."""

    revision: int
    definition: dict[str, Any]
    type: str
    entities: dict[str, tuple[str, dict[str, Any]]]
    fields: dict[str, Field] = field(init=False)

    def __post_init__(self) -> None:
        kind = entity_type(self.definition, self.type)
        self.fields = fields_of(kind) if kind else {}


def compare(base: Base, rows: Iterable[Row], *, missing: str) -> list[dict[str, Any]]:
    """The changes, by key, as docs/reference/worker-protocol.md has them. `rows`: (key, {property: value or None}), each key once."""
    changes = []
    seen = set()
    for key, values in rows:
        seen.add(key)
        status, reported = base.entities.get(key, ("", {}))
        differing = {
            name: value for name, value in values.items() if _differs(reported.get(name), value)
        }
        if differing or status != "present":
            changes.append({"key": key, "set": differing})
    gone = {"mark": "missing", "delete": "removed"}.get(missing)
    if gone:
        changes += [
            {"key": key, "status": gone}
            for key, (status, _) in base.entities.items()
            if key not in seen and status != gone
        ]
    return sorted(changes, key=lambda change: change["key"])


def _differs(before: Any, after: Any) -> bool:
    """1 and 1.0 are one number; true is not 1."""
    return bool(before != after) or isinstance(before, bool) != isinstance(after, bool)
