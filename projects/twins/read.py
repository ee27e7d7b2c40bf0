"""Queries of twins, their definitions and their revisions."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, QuerySet

from mimir.lib.errors import NotFound
from projects.models import Entity, EntityStatus, Project, Twin, TwinDefinition, TwinRevision

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class TwinFacts:
    """The newest definition of a twin, its number of entities by type, and its last change."""

    definition: dict[str, Any]
    entities: dict[str, int]
    updated_at: dt.datetime | None


def twin_list(*, project: Project) -> "QuerySet[Twin, Twin]":
    """Return the twins of a project. The caller orders by `name`."""
    return Twin.objects.filter(project=project).select_related("created_by")


def twin_get(*, project: Project, name: str) -> Twin:
    """Return a twin with its project. Raises: NotFound."""
    twin = (
        Twin.objects.filter(project=project, name=name)
        .select_related("created_by", "project")
        .first()
    )
    if twin is None:
        raise NotFound(f"There is no twin {name} in this project.")
    return twin


def twin_definition_find(*, project: Project, name: str) -> TwinDefinition | None:
    """Return the newest definition of a twin, with its twin; None if there is no such twin."""
    newest = TwinDefinition.objects.filter(
        twin__project=project, twin__name=name, number=F("twin__definition_number")
    )
    return newest.select_related("twin").first()


def twin_facts(twins: Sequence[Twin]) -> "dict[UUID, TwinFacts]":
    """Return the facts of each twin by its id, with three queries for any number of twins."""
    ids = [twin.id for twin in twins]
    definitions = dict(
        TwinDefinition.objects.filter(
            twin__in=ids, number=F("twin__definition_number")
        ).values_list("twin_id", "definition")
    )
    updated = dict(
        TwinRevision.objects.filter(twin__in=ids, number=F("twin__latest_revision")).values_list(
            "twin_id", "created_at"
        )
    )
    counts: dict[UUID, dict[str, int]] = {}
    rows = (
        Entity.objects.filter(twin__in=ids)
        .exclude(status=EntityStatus.REMOVED)
        .order_by()
        .values_list("twin_id", "type")
    )
    for twin_id, kind, count in rows.annotate(count=Count("id")):
        counts.setdefault(twin_id, {})[kind] = count
    return {
        twin.id: TwinFacts(definitions[twin.id], counts.get(twin.id, {}), updated.get(twin.id))
        for twin in twins
    }


def revision_list(*, twin: Twin) -> "QuerySet[TwinRevision, TwinRevision]":
    """Return the revisions of a twin. The caller orders by `-number`."""
    return TwinRevision.objects.filter(twin=twin).select_related(
        "created_by", "dataset_version__dataset"
    )


def revision_get(*, twin: Twin, number: int) -> int:
    """Return `number` if the twin has such a revision. 0 is the state before the first one.

    Raises: NotFound.
    """
    if not 0 <= number <= twin.latest_revision:
        raise NotFound(
            f"The twin {twin.name} has no revision {number}. Its newest is {twin.latest_revision}."
        )
    return number
