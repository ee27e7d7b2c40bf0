"""Bodies of twins, built from rows and query results."""

from collections.abc import Mapping
from uuid import UUID

from projects.datasets.shapes import VersionRefBody
from projects.models import Change, Entity, Twin, TwinRevision
from projects.twins.bodies import (
    ChangeBody,
    EntityBody,
    EntityDetailBody,
    EntityDiffBody,
    EntityStateBody,
    FieldChangeBody,
    RevisionBody,
    SourceBody,
    TwinBody,
    TwinTypeBody,
    ValueBody,
)
from projects.twins.entities import EntityDetail, ValueDetail
from projects.twins.read import TwinFacts
from projects.twins.sources import Source, source_of
from projects.twins.states import EntityState, FieldChange


def twin(row: Twin, facts: TwinFacts) -> TwinBody:
    """Return a twin without its definition."""
    types: list[TwinTypeBody] = [
        {
            "name": kind["name"],
            "title": kind.get("title", ""),
            "entities": facts.entities.get(kind["name"], 0),
        }
        for kind in facts.definition["types"]
    ]
    return {
        "name": row.name,
        "created_at": row.created_at,
        "created_by": row.created_by.get_username() if row.created_by else None,
        "types": types,
        "revision": row.latest_revision,
        "definition_number": row.definition_number,
        "updated_at": facts.updated_at,
    }


def entity(row: Entity) -> EntityBody:
    """Return an entity with its values in effect."""
    held = {**row.reported, **row.overlay}
    return {
        "type": row.type,
        "key": row.key,
        "status": row.status,
        "changed_revision": row.changed_revision,
        "values": {name: value["value"] for name, value in held.items()},
        "overlay": sorted(row.overlay),
    }


def entity_detail(detail: EntityDetail) -> EntityDetailBody:
    """Return an entity with the source of each value."""
    row = detail.entity
    return {
        "type": row.type,
        "key": row.key,
        "status": row.status,
        "created_revision": row.created_revision,
        "changed_revision": row.changed_revision,
        "values": [_value(value) for value in detail.values],
    }


def _value(found: ValueDetail) -> ValueBody:
    return {
        "property": found.field.name,
        "title": found.field.title,
        "type": found.field.type,
        "unit": found.field.unit,
        "to": found.field.to,
        "value": found.value,
        "reported": found.reported,
        "source": source(found.source) if found.source else None,
        "overlay": {"value": found.edited, **source(found.edit)} if found.edit else None,
    }


def source(found: Source) -> SourceBody:
    """Return the revision that set a value."""
    return {
        "revision": found.revision,
        "kind": found.kind,
        "at": found.at,
        "by": found.by,
        "note": found.note,
        "job": found.job,
        "dataset": _dataset(found),
    }


def _dataset(found: Source) -> VersionRefBody | None:
    return {"name": found.dataset[0], "version": found.dataset[1]} if found.dataset else None


def change(row: Change, sources: Mapping[int, Source]) -> ChangeBody:
    """Return one change of a property."""
    return {
        "property": row.property,
        "layer": row.layer,
        "present": row.present,
        "value": row.value,
        **source(sources[row.number]),
    }


def revision(row: TwinRevision, jobs: Mapping[UUID, UUID]) -> RevisionBody:
    """Return a revision. `jobs` names the jobs that created revisions."""
    found = source_of(row, jobs.get(row.id))
    return {
        "number": row.number,
        "kind": row.kind,
        "created": row.created,
        "changed": row.changed,
        "removed": row.removed,
        "note": row.note,
        "at": row.created_at,
        "by": found.by,
        "job": found.job,
        "dataset": _dataset(found),
        "definition_number": row.definition_number,
    }


def entity_state(row: Entity, state: EntityState) -> EntityStateBody:
    """Return an entity at a revision."""
    return {
        "type": row.type,
        "key": row.key,
        "status": state.status,
        "reported": state.reported,
        "overlay": state.overlay,
    }


def entity_diff(
    row: Entity, old: EntityState | None, new: EntityState | None, changes: list[FieldChange]
) -> EntityDiffBody:
    """Return the difference of an entity between two revisions."""
    fields: list[FieldChangeBody] = [
        {"layer": item.layer, "property": item.property, "old": item.old, "new": item.new}
        for item in changes
    ]
    change = "created" if old is None else "removed" if new is None else "changed"
    return {"type": row.type, "key": row.key, "change": change, "fields": fields}
