"""States of a twin for the history tests: read from the database, and applied differences."""

import copy
from typing import Any

from mimir.lib.schemas.twin import BadValue, checked_value, entity_type, fields_of
from mimir.lib.schemas.twin_types import CheckedTwinDefinition, EntityType
from projects.models import (
    ChangeLayer,
    Entity,
    EntityStatus,
    Twin,
)
from projects.twins.states import (
    EntityState,
    entities_between,
    entities_until,
    states_at,
    states_differ,
)

Name = tuple[str, str]
State = dict[Name, EntityState]


def definition_of(drawn: dict[str, tuple[dict[str, str], bool]]) -> CheckedTwinDefinition:
    types: list[EntityType] = [
        {
            "name": name,
            "key": {"name": "id"},
            "properties": [{"name": field, "type": of} for field, of in sorted(properties.items())],
            "relations": [{"name": "to", "to": name}] if related else [],
        }
        for name, (properties, related) in sorted(drawn.items())
    ]
    return {"types": types}


def recorded_state(twin: Twin, number: int) -> State:
    """Return a revision's state as the queries report it."""
    entities = list(entities_until(twin=twin, number=number))
    found = states_at(entities=entities, number=number)
    state = {
        (entity.type, entity.key): found[entity.id] for entity in entities if entity.id in found
    }
    assert len(state) == len(found), "a key is there twice"
    return state


def current_state(twin: Twin) -> State:
    """Return the entities' current state."""
    state = {}
    for entity in Entity.objects.filter(twin=twin):
        layers = [
            {name: held["value"] for name, held in layer.items()}
            for layer in (entity.reported, entity.overlay)
        ]
        if entity.status != EntityStatus.REMOVED:
            assert (entity.type, entity.key) not in state, "a key is there twice"
            state[(entity.type, entity.key)] = EntityState(entity.status, *layers)
    return state


def difference_between(
    twin: Twin, first: int, second: int
) -> dict[Name, tuple[EntityState | None, EntityState | None]]:
    entities = list(entities_between(twin=twin, first=first, second=second))
    old, new = (
        states_at(entities=entities, number=first),
        states_at(entities=entities, number=second),
    )
    return {
        (entity.type, entity.key): (old.get(entity.id), new.get(entity.id)) for entity in entities
    }


def apply_difference(
    state: State, difference: dict[Name, tuple[EntityState | None, EntityState | None]]
) -> State:
    """Return `state` with the new value of each field that differs.

    An entity without a status is absent.
    """
    state = copy.deepcopy(state)
    for name, pair in difference.items():
        entity = state.get(name, EntityState(""))
        for change in states_differ(*pair):
            if change.layer == ChangeLayer.STATUS:
                entity.status = str(change.new or "")
                continue
            layer = entity.reported if change.layer == ChangeLayer.REPORTED else entity.overlay
            layer.pop(change.property, None)
            if change.new is not None:
                layer[change.property] = change.new
        state[name] = entity
    return {name: entity for name, entity in state.items() if entity.status}


def fits(definition: CheckedTwinDefinition, type: str, name: str, value: Any) -> bool:
    kind = entity_type(definition, type)
    field = fields_of(kind).get(name) if kind else None
    try:
        return field is not None and checked_value(field, value) == value
    except BadValue:
        return False
