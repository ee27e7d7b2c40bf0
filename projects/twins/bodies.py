"""Types of the response bodies of twins. `rendering.py` builds them.

The serializer of the same name in `shapes.py` documents each; a test compares the two.
"""

import datetime as dt
from typing import TypedDict
from uuid import UUID

from mimir.lib.json_types import Json, JsonObject
from projects.datasets.shapes import VersionRefBody


class TwinTypeBody(TypedDict):
    """An entity type of a twin with its number of entities."""

    name: str
    title: str
    entities: int


class TwinBody(TypedDict):
    """A twin without its definition."""

    name: str
    created_at: dt.datetime
    created_by: str | None
    types: list[TwinTypeBody]
    revision: int
    definition_number: int
    updated_at: dt.datetime | None


class EntityBody(TypedDict):
    """An entity in a list. `values` are the values in effect."""

    type: str
    key: str
    status: str
    changed_revision: int
    values: JsonObject
    overlay: list[str]


class SourceBody(TypedDict):
    """The revision that set a value."""

    revision: int
    kind: str
    at: dt.datetime
    by: str | None
    note: str
    job: UUID | None
    dataset: VersionRefBody | None


class EditBody(SourceBody):
    """A manual value with its source."""

    value: Json


class ValueBody(TypedDict):
    """A property or relation of an entity."""

    property: str
    title: str
    type: str
    unit: str
    to: str
    value: Json
    reported: Json
    source: SourceBody | None
    overlay: EditBody | None


class EntityDetailBody(TypedDict):
    """An entity with the source of each value."""

    type: str
    key: str
    status: str
    created_revision: int
    changed_revision: int
    values: list[ValueBody]


class ChangeBody(SourceBody):
    """One change of a property."""

    property: str
    layer: str
    present: bool
    value: Json


class RevisionBody(TypedDict):
    """A revision of a twin."""

    number: int
    kind: str
    created: int
    changed: int
    removed: int
    note: str
    at: dt.datetime
    by: str | None
    job: UUID | None
    dataset: VersionRefBody | None
    definition_number: int


class EntityStateBody(TypedDict):
    """An entity at a revision."""

    type: str
    key: str
    status: str
    reported: JsonObject
    overlay: JsonObject


class FieldChangeBody(TypedDict):
    """The change of one field."""

    layer: str
    property: str
    old: Json
    new: Json


class EntityDiffBody(TypedDict):
    """The difference of an entity between two revisions."""

    type: str
    key: str
    change: str
    fields: list[FieldChangeBody]
