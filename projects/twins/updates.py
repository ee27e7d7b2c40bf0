"""Apply the entity reports of a job as a revision, in the transaction that ends the job."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from django.conf import settings

from mimir.lib.errors import Conflict, Invalid
from mimir.lib.json_types import JsonObject
from projects.models import DatasetVersion, Entity, EntityStatus, RevisionKind, TwinRevision
from projects.twins.revision import Draft, twin_lock

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import User

_BATCH = 5000


class StaleBase(Conflict):
    """The twin changed after the update read it."""

    code = "stale_base"


@dataclass(frozen=True, slots=True)
class EntityReport:
    """Changes of one entity: values by property (None removes the value), or its status."""

    key: str
    values: JsonObject
    status: EntityStatus = EntityStatus.PRESENT


@dataclass(frozen=True, slots=True)
class TwinUpdated:
    """The new revision, or None if nothing changed, and the newest number after it."""

    revision: TwinRevision | None
    number: int


def twin_update_apply(
    *,
    twin_id: "UUID",
    type: str,
    base_revision: int,
    reports: Sequence[EntityReport],
    dataset_version: DatasetVersion,
    user: "User | None",
) -> TwinUpdated:
    """Write one revision with the differences, or none, in the caller's transaction.

    Keys are unique among `reports`; values are checked.

    Raises: StaleBase if a revision other than an edit came after `base_revision`; Invalid for more
    entities than a twin can have.
    """
    twin = twin_lock(twin_id)
    if twin.base_revision != base_revision:
        raise StaleBase(_stale_message(twin.base_revision, base_revision, twin_id))
    draft = Draft(twin)
    rest = iter(reports)
    while batch := list(islice(rest, _BATCH)):
        there = {
            entity.key: entity
            for entity in Entity.objects.filter(
                twin=twin, type=type, key__in=[report.key for report in batch]
            )
        }
        for report in batch:
            _apply(draft, type, there.get(report.key), report)
    if draft.empty:
        return TwinUpdated(None, twin.latest_revision)
    _check_count(draft)
    revision = draft.write(kind=RevisionKind.UPDATE, user=user, dataset_version=dataset_version)
    return TwinUpdated(revision, revision.number)


def _apply(draft: Draft, type: str, entity: Entity | None, report: EntityReport) -> None:
    if report.status != EntityStatus.PRESENT:
        _gone(draft, entity, report.status)
        return
    is_new = entity is None or entity.status == EntityStatus.REMOVED
    if entity is None:
        entity = draft.create(type, report.key)
    elif is_new:
        draft.created += draft.status(entity, EntityStatus.PRESENT)
    touched = False if is_new else draft.status(entity, EntityStatus.PRESENT)
    for name, value in report.values.items():
        touched |= draft.report(entity, name, value)
    draft.changed += touched and not is_new


def _gone(draft: Draft, entity: Entity | None, status: EntityStatus) -> None:
    if entity is None or entity.status == EntityStatus.REMOVED:
        return
    if draft.status(entity, status):
        draft.removed += status == EntityStatus.REMOVED
        draft.changed += status == EntityStatus.MISSING


def _check_count(draft: Draft) -> None:
    limit: int = settings.ENV.twin_entities_max
    count = (
        Entity.objects.filter(twin=draft.twin).exclude(status=EntityStatus.REMOVED).count()
        + draft.created
        - draft.removed
    )
    if draft.created and count > limit:
        raise Invalid(
            f"The twin would have {count:,} entities. The limit is {limit:,} (TWIN_ENTITIES_MAX)."
            " Update it from fewer rows.",
            detail={"twin": f"at most {limit} entities"},
        )


def _stale_message(newest: int, base: int, twin_id: "UUID") -> str:
    kind = (
        TwinRevision.objects.filter(twin_id=twin_id, number=newest)
        .values_list("kind", flat=True)
        .first()
    )
    reason = (
        "its definition was changed"
        if kind == RevisionKind.DEFINITION
        else "another update was applied first"
    )
    return (
        f"The twin changed while this job was running: {reason}. Its revision is now {newest};"
        f" this job started from {base}. Run the job again."
    )
