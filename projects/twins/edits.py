"""Manual values of operators. They override reported values, and no update overwrites them."""

from typing import TYPE_CHECKING

from django.db import transaction

from mimir.api.etags import Preconditions, check_etag
from mimir.lib.errors import Invalid, NotFound
from mimir.lib.json_types import JsonObject
from mimir.lib.schemas.twin import BadValue, checked_value, entity_type, fields_of
from projects.core.access import demand_active
from projects.models import Entity, EntityStatus, RevisionKind, Twin, TwinDefinition
from projects.twins.revision import Draft, twin_lock

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOTE_CHARACTERS_MAX = 1000


def entity_etag(entity: Entity) -> str:
    """Return an ETag that changes with each revision of the entity, edits included."""
    return f'"{entity.id}.{entity.changed_revision}"'


def overlay_edit(
    *,
    twin: Twin,
    type: str,
    key: str,
    values: JsonObject,
    note: str = "",
    user: "User",
    etags: Preconditions | None = None,
) -> Entity:
    """Set manual values over reported ones; None removes a manual value.

    Writes one revision, or none if nothing changes.

    Raises: PreconditionFailed, NotFound for a missing entity, Invalid with `values.<property>` of
    each fault, ProjectArchived.
    """
    demand_active(twin.project)
    if "\x00" in note or len(note) > NOTE_CHARACTERS_MAX:
        rule = f"must have at most {NOTE_CHARACTERS_MAX} characters and no NUL character"
        raise Invalid(f"note: {rule}.", detail={"note": rule})
    with transaction.atomic():
        locked = twin_lock(twin.id)
        entity = (
            Entity.objects.filter(twin=locked, type=type, key=key)
            .exclude(status=EntityStatus.REMOVED)
            .first()
        )
        if entity is None:
            raise NotFound(f"There is no {type} {key} in the twin {twin.name}.")
        check_etag(entity_etag(entity), etags)
        draft = Draft(locked)
        for name, value in _checked(locked, type, values).items():
            draft.overlay(entity, name, value)
        if not draft.empty:
            draft.changed = 1
            draft.write(kind=RevisionKind.EDIT, user=user, note=note)
    return entity


def _checked(twin: Twin, type: str, values: JsonObject) -> JsonObject:
    definition = TwinDefinition.objects.get(twin=twin, number=twin.definition_number).definition
    kind = entity_type(definition, type)
    fields = fields_of(kind) if kind else {}
    checked: JsonObject = {}
    faults: dict[str, str] = {}
    for name, value in values.items():
        if name not in fields:
            faults[f"values.{name}"] = (
                f"is not a property of {type}. Its properties: {', '.join(fields)}"
            )
            continue
        try:
            checked[name] = None if value is None else checked_value(fields[name], value)
        except BadValue as error:
            faults[f"values.{name}"] = str(error)
    if faults or not values:
        detail = faults or {"values": "must name at least one property"}
        raise Invalid(
            " ".join(f"{path}: {message}." for path, message in detail.items()), detail=detail
        )
    return checked
