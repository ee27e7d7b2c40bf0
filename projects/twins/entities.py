"""Queries of the present entities of a twin, and the changes of one entity."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from mimir.lib.errors import NotFound
from mimir.lib.schemas.twin import Field, entity_type, fields_of
from projects.models import Change, Entity, EntityStatus, Twin, TwinDefinition
from projects.twins.sources import Source, sources_of


@dataclass(frozen=True, slots=True)
class ValueDetail:
    """A property or relation of an entity: reported and manual value, each with its source."""

    field: Field
    reported: Any
    source: Source | None
    edited: Any
    edit: Source | None

    @property
    def value(self) -> Any:
        """The value in effect: the manual value, if there is one."""
        return self.edited if self.edit else self.reported


@dataclass(frozen=True, slots=True)
class EntityDetail:
    """An entity with all values and their sources, in the order of the definition."""

    entity: Entity
    values: list[ValueDetail]


def entity_list(
    *, twin: Twin, type: str | None = None, text: str | None = None
) -> "QuerySet[Entity, Entity]":
    """Return entities that are present or missing; `text` filters by a part of the key.

    The caller orders by `type`, `key`.
    """
    entities = Entity.objects.filter(twin=twin).exclude(status=EntityStatus.REMOVED)
    if type:
        entities = entities.filter(type=type)
    return entities.filter(key__icontains=text) if text else entities


def entity_get(*, twin: Twin, type: str, key: str) -> Entity:
    """Return an entity, also a removed one, which keeps its history. Raises: NotFound."""
    entity = Entity.objects.filter(twin=twin, type=type, key=key).first()
    if entity is None:
        raise NotFound(f"There is no {type} {key} in the twin {twin.name}.")
    return entity


def entity_detail(*, twin: Twin, entity: Entity) -> EntityDetail:
    """Return the values of an entity with their sources."""
    definition = TwinDefinition.objects.get(twin=twin, number=twin.definition_number).definition
    kind = entity_type(definition, entity.type)
    held = [*entity.reported.values(), *entity.overlay.values()]
    sources = sources_of(twin=twin, numbers=[item["revision"] for item in held])
    values = []
    for name, field in (fields_of(kind) if kind else {}).items():
        reported, edit = entity.reported.get(name), entity.overlay.get(name)
        values.append(
            ValueDetail(
                field=field,
                reported=reported["value"] if reported else None,
                source=sources[reported["revision"]] if reported else None,
                edited=edit["value"] if edit else None,
                edit=sources[edit["revision"]] if edit else None,
            )
        )
    return EntityDetail(entity, values)


def entity_changes(*, entity: Entity, name: str | None = None) -> "QuerySet[Change, Change]":
    """Return all changes of an entity, or those of one property in both layers.

    The caller orders by `-number`, `-id`.
    """
    changes = Change.objects.filter(entity=entity)
    return changes.filter(property=name) if name else changes
