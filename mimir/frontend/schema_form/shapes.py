"""Shapes of a schema form: fields, choices, offers, and the kinds of schema values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Texts = Mapping[str, Sequence[str]]  # typed text by path; a list has several
Schema = Mapping[str, Any]
LINES = ".lines"  # suffix of the path of a list that is typed line by line


class Kind(StrEnum):
    """Kind of form control."""

    TEXT = "text"
    AREA = "area"  # several lines
    SELECT = "select"
    RADIOS = "radios"
    CHECK = "check"
    PICKS = "picks"  # a list of checkboxes
    GROUP = "group"  # an object with its own fields


class ValueKind(StrEnum):
    """Kind of value that a schema describes. The form handles each kind differently."""

    GROUP = "group"
    MAP = "map"  # an object with free names
    PAIRS = "pairs"  # the same, typed as `name=value` lines
    LIST = "list"
    ONE = "one"


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: submitted value and label; `off` is the reason why it cannot be chosen."""

    value: str
    label: str
    chosen: bool = False
    off: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """Choices from the project.

    None: unknown, so the user types the value. Empty: it depends on a choice not made yet. `names`:
    datasets, models and so on, by format.
    """

    names: Mapping[str, Sequence[Choice]]
    newest: Mapping[
        str, int | None
    ]  # newest version of the chosen object, by the path of the field with its name
    columns: Sequence[Mapping[str, Any]] | None = None  # of the chosen dataset: {"name", "type"}
    usable: frozenset[str] = frozenset()  # columns that a model can use
    types: Sequence[Choice] | None = None  # of the chosen twin
    properties: Sequence[Choice] | None = None  # of the chosen type


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as the page shows it."""

    name: str
    kind: Kind
    title: str
    key: str
    hint: str = ""
    value: str = ""
    default: str = ""
    choices: tuple[Choice, ...] = ()
    fields: tuple["Field", ...] = ()
    error: str = ""
    placeholder: str = ""
    mode: str = ""
    unit: str = ""
    required: bool = False
    advanced: bool = False
    changed: bool = False
    leads: bool = False  # other fields depend on it
    shows: str = ""  # label of the dependent fields
    lacks: str = ""  # format without any object in the project

    @property
    def wide(self) -> bool:
        """Whether the field takes a whole row of the form."""
        return self.kind in (Kind.PICKS, Kind.GROUP, Kind.AREA)

    @property
    def opened(self) -> bool:
        """Whether the field must be visible even in a closed section."""
        return bool(self.error or self.changed) or any(field.opened for field in self.fields)


def value_kind(schema: Schema) -> ValueKind:
    """Kind of the value that a schema describes."""
    if schema.get("format") == "pairs":
        return ValueKind.PAIRS
    types = json_types(schema)
    if "object" in types:
        return ValueKind.GROUP if "properties" in schema else ValueKind.MAP
    return ValueKind.LIST if "array" in types else ValueKind.ONE


def json_types(schema: Schema) -> list[str]:
    """JSON types that a schema accepts."""
    if "anyOf" in schema and "type" not in schema:
        return [kind for one in schema["anyOf"] for kind in json_types(one)]
    found = schema.get("type", "string")
    return list(found) if isinstance(found, list) else [found]


def join(path: str, name: str) -> str:
    """Path of `name` below `path`."""
    return f"{path}.{name}" if path else name
