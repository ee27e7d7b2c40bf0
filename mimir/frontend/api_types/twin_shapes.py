"""Digital twins, their entities, revisions and histories."""

from typing import TypedDict

from mimir.frontend.api_types.model_shapes import VersionRef
from mimir.lib.json_types import Json, JsonObject
from mimir.lib.schemas.twin_types import CheckedTwinDefinition


class TwinType(TypedDict):
    """Entity type of a twin, with its number of entities."""

    name: str
    title: str
    entities: int


class Twin(TypedDict):
    """Twin in a list."""

    name: str
    created_at: str
    created_by: str | None
    types: list[TwinType]
    revision: int
    definition_number: int
    updated_at: str | None


class TwinDetail(TypedDict):
    """Twin with its definition."""

    name: str
    created_at: str
    created_by: str | None
    types: list[TwinType]
    revision: int
    definition_number: int
    updated_at: str | None
    definition: CheckedTwinDefinition


class Revision(TypedDict):
    """Revision of a twin."""

    number: int
    kind: str
    created: int
    changed: int
    removed: int
    note: str
    at: str
    by: str | None
    job: str | None
    dataset: VersionRef | None
    definition_number: int


class Entity(TypedDict):
    """Entity in a list."""

    type: str
    key: str
    status: str
    changed_revision: int
    values: JsonObject
    overlay: list[str]


class EntityState(TypedDict):
    """Entity at an older revision."""

    type: str
    key: str
    status: str
    reported: JsonObject
    overlay: JsonObject


class RevisionState(TypedDict):
    """Entities at an older revision."""

    revision: int
    results: list[EntityState]
    next: str | None


class Source(TypedDict):
    """Source of a reported value."""

    revision: int
    kind: str
    at: str
    by: str | None
    note: str
    job: str | None
    dataset: VersionRef | None


class Edit(TypedDict):
    """Manual value and its source."""

    revision: int
    kind: str
    at: str
    by: str | None
    note: str
    job: str | None
    dataset: VersionRef | None
    value: Json


class Value(TypedDict):
    """Property or relation of an entity."""

    property: str
    title: str
    type: str
    unit: str
    to: str
    value: Json
    reported: Json
    source: Source | None
    overlay: Edit | None


class EntityDetail(TypedDict):
    """Entity with all values."""

    type: str
    key: str
    status: str
    created_revision: int
    changed_revision: int
    values: list[Value]


class ValueChange(TypedDict):
    """Change of one value."""

    revision: int
    kind: str
    at: str
    by: str | None
    note: str
    job: str | None
    dataset: VersionRef | None
    property: str
    layer: str
    present: bool
    value: Json


class FieldChange(TypedDict):
    """Difference of one value between two revisions."""

    layer: str
    property: str
    old: Json
    new: Json


class EntityDiff(TypedDict):
    """Differences of one entity between two revisions."""

    type: str
    key: str
    change: str
    fields: list[FieldChange]


RevisionDiff = TypedDict(
    "RevisionDiff", {"from": int, "results": list[EntityDiff], "next": str | None, "to": int}
)


class TwinFault(TypedDict):
    """Error in a twin definition."""

    path: str
    message: str


class TwinDefinitionCheck(TypedDict):
    """Check of a twin definition."""

    valid: bool
    errors: list[TwinFault]
