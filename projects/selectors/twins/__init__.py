"""Reads of twins: `twins` what there is, `entities` as they stand now, `states` at a revision and between two, `sources` who set what."""

from projects.selectors.twins.document import twin_state_document
from projects.selectors.twins.entities import (
    EntityDetail,
    ValueDetail,
    entity_changes,
    entity_detail,
    entity_get,
    entity_list,
)
from projects.selectors.twins.sources import Source, sources_of
from projects.selectors.twins.states import (
    EntityState,
    FieldChange,
    entities_between,
    entities_until,
    states_at,
    states_differ,
)
from projects.selectors.twins.twins import (
    TwinFacts,
    revision_get,
    revision_list,
    twin_definition_find,
    twin_facts,
    twin_get,
    twin_list,
)

__all__ = [
    "EntityDetail",
    "EntityState",
    "FieldChange",
    "Source",
    "TwinFacts",
    "ValueDetail",
    "entities_between",
    "entities_until",
    "entity_changes",
    "entity_detail",
    "entity_get",
    "entity_list",
    "revision_get",
    "revision_list",
    "sources_of",
    "states_at",
    "states_differ",
    "twin_definition_find",
    "twin_facts",
    "twin_get",
    "twin_list",
    "twin_state_document",
]
