"""Differences between the columns of two dataset versions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

CHANGES_MAX = 200


class ChangeKind(StrEnum):
    """The kind of a change of a column."""

    REMOVED = "removed"
    ADDED = "added"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that differs: kind, name, types before and after, and a message.

    A type is empty if the column is absent.
    """

    kind: ChangeKind
    column: str
    before: str
    after: str
    message: str


def column_changes(
    before: Sequence[Mapping[str, str]], after: Sequence[Mapping[str, str]]
) -> list[ColumnChange]:
    """Return the changes from schema `before` to `after`: removed, changed, then added columns.

    Names are compared exactly, as jobs do. At most `CHANGES_MAX`.
    """
    old = {column["name"]: column["type"] for column in before}
    new = {column["name"]: column["type"] for column in after}
    removed = [
        ColumnChange(ChangeKind.REMOVED, name, kind, "", f"Column {name} is missing.")
        for name, kind in old.items()
        if name not in new
    ]
    changed = [
        ColumnChange(
            ChangeKind.TYPE, name, old[name], kind, f"Column {name} was {old[name]} and is {kind}."
        )
        for name, kind in new.items()
        if name in old and old[name] != kind
    ]
    added = [
        ColumnChange(ChangeKind.ADDED, name, "", kind, f"Column {name} is new.")
        for name, kind in new.items()
        if name not in old
    ]
    return [*removed, *changed, *added][:CHANGES_MAX]
