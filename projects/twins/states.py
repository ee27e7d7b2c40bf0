"""States of entities at a revision, and the differences of two states.

The state is the last change of each field up to that revision.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from mimir.lib.json_types import Json, JsonObject
from projects.models import Change, ChangeLayer, Entity, EntityStatus, Twin


@dataclass(slots=True)
class EntityState:
    """One entity at a revision: {property: value} in each layer."""

    status: str
    reported: JsonObject = field(default_factory=dict)
    overlay: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """The change of one field. None: no value."""

    layer: ChangeLayer
    property: str
    old: Json
    new: Json


def entities_until(
    *, twin: Twin, number: int, type: str | None = None
) -> "QuerySet[Entity, Entity]":
    """Return entities that were created up to revision `number`.

    The caller orders by `type`, `key`.
    """
    entities = Entity.objects.filter(twin=twin, created_revision__lte=number)
    return entities.filter(type=type) if type else entities


def entities_between(*, twin: Twin, first: int, second: int) -> "QuerySet[Entity, Entity]":
    """Return entities with a change after the earlier revision, up to the later one.

    The caller orders by `type`, `key`.
    """
    low, high = sorted((first, second))
    touched = Change.objects.filter(
        twin=twin, entity=OuterRef("pk"), number__gt=low, number__lte=high
    )
    return Entity.objects.filter(Exists(touched), twin=twin)


def states_at(*, entities: Sequence[Entity], number: int) -> dict[UUID, EntityState]:
    """Return the states by entity id, by one query. A missing or removed entity has none."""
    last = (
        Change.objects.filter(entity__in=[entity.id for entity in entities], number__lte=number)
        .order_by("entity_id", "layer", "property", "-number")
        .distinct("entity_id", "layer", "property")
    )
    found: dict[UUID, EntityState] = {}
    for entity_id, layer, name, present, value in last.values_list(
        "entity_id", "layer", "property", "present", "value"
    ):
        state = found.setdefault(entity_id, EntityState(EntityStatus.REMOVED))
        if layer == ChangeLayer.STATUS:
            state.status = str(value)
        elif present:
            (state.reported if layer == ChangeLayer.REPORTED else state.overlay)[name] = value
    return {
        entity_id: state
        for entity_id, state in found.items()
        if state.status != EntityStatus.REMOVED
    }


def states_differ(old: EntityState | None, new: EntityState | None) -> list[FieldChange]:
    """Return the fields that differ. None is treated as a state without fields."""
    before, after = _fields(old), _fields(new)
    changes = []
    for layer, name in sorted(before.keys() | after.keys()):
        was, now = before.get((layer, name)), after.get((layer, name))
        if was != now or isinstance(was, bool) != isinstance(now, bool):
            changes.append(FieldChange(ChangeLayer(layer), name, was, now))
    return changes


def _fields(state: EntityState | None) -> dict[tuple[str, str], Any]:
    if state is None:
        return {}
    fields: dict[tuple[str, str], Any] = {(ChangeLayer.STATUS.value, ""): state.status}
    fields |= {(ChangeLayer.REPORTED.value, name): value for name, value in state.reported.items()}
    return fields | {
        (ChangeLayer.OVERLAY.value, name): value for name, value in state.overlay.items()
    }
