"""Types of twin definitions, see `mimir.lib.schemas.twin`. Pure: every process may import it."""

from typing import NotRequired, TypedDict


class KeyType(TypedDict):
    """Key of an entity type: the name of an entity for users."""

    name: str
    title: NotRequired[str]


class PropertyType(TypedDict):
    """Property of an entity type. `type`: one of `twin.VALUE_TYPES`."""

    name: str
    type: str
    unit: NotRequired[str]
    title: NotRequired[str]


class RelationType(TypedDict):
    """Relation to entities of the type `to`."""

    name: str
    to: str
    title: NotRequired[str]


class EntityType(TypedDict):
    """Entity type with its properties and relations."""

    name: str
    title: NotRequired[str]
    key: KeyType
    properties: list[PropertyType]
    relations: NotRequired[list[RelationType]]


class CheckedTwinDefinition(TypedDict):
    """Definition without faults."""

    types: list[EntityType]
