"""Differences between a twin's base and the rows of an update, without side effects."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from mimir.lib.json_types import Json, JsonObject
from mimir.lib.schemas.twin import Field, entity_type, fields_of
from mimir.lib.schemas.twin_types import CheckedTwinDefinition

Row = tuple[str, JsonObject]
_STATUS: dict[str, Literal["missing", "removed"]] = {"mark": "missing", "delete": "removed"}


class ChangedEntity(TypedDict):
    """New or changed entity. `set`: the changed properties; None removes a value."""

    key: str
    set: JsonObject


class GoneEntity(TypedDict):
    """Entity without a row."""

    key: str
    status: Literal["missing", "removed"]


Change = ChangedEntity | GoneEntity


@dataclass(slots=True)
class Base:
    """State of a twin when the update started.

    `entities`: key to (status, {property: reported value}).
    """

    revision: int
    definition: CheckedTwinDefinition
    type: str
    entities: dict[str, tuple[str, JsonObject]]
    fields: dict[str, Field] = field(init=False)

    def __post_init__(self) -> None:
        kind = entity_type(self.definition, self.type)
        self.fields = fields_of(kind) if kind else {}


def compare(base: Base, rows: Iterable[Row], *, missing: str) -> list[Change]:
    """Return the changes, sorted by key, in the form of docs/reference/worker-protocol.md.

    `rows`: (key, {property: value or None}), each key once. `missing`: `keep`, `mark` or `delete`
    entities without a row.
    """
    changes: list[Change] = []
    found = set()
    for key, values in rows:
        found.add(key)
        status, reported = base.entities.get(key, ("", {}))
        differing = {
            name: value for name, value in values.items() if _differs(reported.get(name), value)
        }
        if differing or status != "present":
            changes.append({"key": key, "set": differing})
    gone = _STATUS.get(missing)
    if gone:
        changes += [
            {"key": key, "status": gone}
            for key, (status, _) in base.entities.items()
            if key not in found and status != gone
        ]
    return sorted(changes, key=lambda change: change["key"])


def _differs(before: Json, after: Json) -> bool:
    """Return whether two values differ. 1 equals 1.0; true does not equal 1."""
    return bool(before != after) or isinstance(before, bool) != isinstance(after, bool)
