"""Create twins and change their definitions. A change removes values that no longer match."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction

from mimir.api.etags import Preconditions, check_etag
from mimir.lib.errors import Conflict, Invalid, TooLarge
from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.twin import (
    BadValue,
    Field,
    check_twin_definition,
    checked_value,
    entity_type,
    fields_of,
)
from mimir.lib.schemas.twin_types import CheckedTwinDefinition
from projects.core.access import demand_active
from projects.core.names import check_name
from projects.models import Entity, EntityStatus, Project, RevisionKind, Twin, TwinDefinition
from projects.twins.revision import Draft, twin_lock

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_BATCH = 2000


class UnitChanges(StrEnum):
    """Ways to treat existing values when the unit of their property changes."""

    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class _UnitChange:
    """A property whose unit changes. `path` is the path of the new unit."""

    type: str
    property: str
    old: str
    new: str
    path: str


@dataclass(frozen=True, slots=True)
class TwinCheck:
    """Result of a validation: the faults of a definition, each with its path."""

    faults: list[FieldError]


def twin_check(*, definition: Any) -> TwinCheck:
    """Validate a definition without saving it. Raises: TooLarge.

    The paths of faults are relative to the definition.
    """
    _check_size(definition)
    found = check_twin_definition(definition, "")
    return TwinCheck([FieldError(fault.path.removeprefix("."), fault.message) for fault in found])


def twin_etag(number: int) -> str:
    """Return the ETag of a twin's definition. It changes with each definition that is saved."""
    return f'"{number}"'


def twin_create(*, project: Project, name: str, definition: Any, user: "User") -> Twin:
    """Create a twin without entities.

    Raises: Invalid, TooLarge, ProjectArchived, Conflict for a name that is in use.
    """
    check_name(name)
    demand_active(project)
    _demand_good(definition)
    try:
        with transaction.atomic():
            twin = Twin.objects.create(
                project=project, name=name, definition_number=1, created_by=user
            )
            TwinDefinition.objects.create(
                twin=twin, number=1, definition=definition, created_by=user
            )
    except IntegrityError as error:
        raise Conflict(
            f"The twin {name} already exists. Change its definition, or choose another name.",
            code="twin_exists",
        ) from error
    return twin


def twin_definition_change(
    *,
    twin: Twin,
    definition: Any,
    user: "User",
    etags: Preconditions | None = None,
    unit_changes: UnitChanges | None = None,
) -> Twin:
    """Save the next definition, as a revision. The same definition again changes nothing.

    Values of missing fields and of fields with another type are removed, and so are entities of
    missing types. A running update then has a stale base. `etags`, if given, must contain the
    present definition's, so that two editors cannot overwrite each other. `unit_changes` says what
    happens to values whose property gets another unit; numbers are never converted. Without it,
    such a definition is not saved.

    Raises: Invalid with `definition.<path>` of each fault, Conflict `unit_changed`, TooLarge,
    ProjectArchived, PreconditionFailed.
    """
    demand_active(twin.project)
    _demand_good(definition)
    with transaction.atomic():
        locked = twin_lock(twin.id)
        check_etag(twin_etag(locked.definition_number), etags)
        before = TwinDefinition.objects.get(twin=locked, number=locked.definition_number)
        if before.definition == definition:
            return locked
        changed = _unit_changes(before.definition, definition)
        if changed and unit_changes is None:
            _demand_no_values(locked, changed)
        locked.definition_number += 1
        TwinDefinition.objects.create(
            twin=locked, number=locked.definition_number, definition=definition, created_by=user
        )
        draft = Draft(locked)
        for entity in Entity.objects.filter(twin=locked).iterator(chunk_size=_BATCH):
            if unit_changes is UnitChanges.REMOVE:
                _remove_values(
                    draft,
                    entity,
                    {change.property for change in changed if change.type == entity.type},
                )
            _fit(draft, entity, definition)
        draft.write(kind=RevisionKind.DEFINITION, user=user)
        return locked


def _unit_changes(before: CheckedTwinDefinition, after: CheckedTwinDefinition) -> list[_UnitChange]:
    """Return the properties that keep their type and get another unit."""
    found = []
    for index, kind in enumerate(after["types"]):
        old = entity_type(before, kind["name"])
        known = fields_of(old) if old else {}
        for position, item in enumerate(kind["properties"]):
            field, unit = known.get(item["name"]), item.get("unit", "")
            if field is not None and field.type == item["type"] and field.unit != unit:
                path = f"definition.types[{index}].properties[{position}].unit"
                found.append(_UnitChange(kind["name"], item["name"], field.unit, unit, path))
    return found


def _demand_no_values(twin: Twin, changed: list[_UnitChange]) -> None:
    """Check that no property in `changed` has values.

    Raises: Conflict with the number of values of each such property.
    """
    detail = {}
    for change in changed:
        there = Entity.objects.filter(twin=twin, type=change.type)
        reported, manual = (
            there.filter(reported__has_key=change.property).count(),
            there.filter(overlay__has_key=change.property).count(),
        )
        if reported + manual:
            old = f"in {change.old}" if change.old else "without a unit"
            values = "value was" if reported + manual == 1 else "values were"
            of_these = f", {manual} of them manually" if manual else ""
            new = change.new or "no unit"
            detail[change.path] = (
                f"{reported + manual:,} {values} given {old}{of_these}."
                f" Saving does not convert them to {new}"
            )
    if detail:
        message = (
            "The unit of a property with values changes. Choose whether to keep the numbers, which"
            " then have the new unit, or to remove the values (unit_changes: keep or remove)."
        )
        raise Conflict(message, code="unit_changed", detail=detail)


def _remove_values(draft: Draft, entity: Entity, properties: set[str]) -> None:
    touched = False
    for name in properties:
        if name in entity.overlay:
            touched |= draft.overlay(entity, name, None)
        if name in entity.reported:
            touched |= draft.report(entity, name, None)
    draft.changed += touched and entity.status != EntityStatus.REMOVED


def _fit(draft: Draft, entity: Entity, definition: CheckedTwinDefinition) -> None:
    kind = entity_type(definition, entity.type)
    fields = fields_of(kind) if kind else {}
    touched = False
    for name, held in list(entity.overlay.items()):
        if not _fits(fields.get(name), held["value"]):
            touched |= draft.overlay(entity, name, None)
    if kind is None and entity.status != EntityStatus.REMOVED:
        draft.status(entity, EntityStatus.REMOVED)
        draft.removed += 1
        return
    for name, held in list(entity.reported.items()):
        if not _fits(fields.get(name), held["value"]):
            touched |= draft.report(entity, name, None)
    draft.changed += touched and entity.status != EntityStatus.REMOVED


def _fits(field: Field | None, value: Any) -> bool:
    """Return whether the field accepts the value without conversion."""
    if field is None:
        return False
    try:
        return bool(checked_value(field, value) == value)
    except BadValue:
        return False


def _demand_good(definition: Any) -> None:
    _check_size(definition)
    faults = check_twin_definition(definition)
    if faults:
        detail = {fault.path: fault.message for fault in faults}
        raise Invalid(
            f"The definition has {len(faults)} fault{'s' if len(faults) > 1 else ''}.",
            code="invalid_definition",
            detail=detail,
        )


def _check_size(definition: Any) -> None:
    limit: int = settings.ENV.definition_bytes_max
    if len(json.dumps(definition)) > limit:
        raise TooLarge(
            f"The definition is larger than {limit} bytes.",
            detail={"definition": f"at most {limit} bytes"},
        )
