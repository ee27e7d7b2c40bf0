"""A draft of the next revision: collects changes of entities and writes all of them at the end.

Rows are written by COPY, and by UPDATE from arrays: an update of 50,000 entities has some hundred
thousand changes, and the twin's row is locked meanwhile.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from mimir.lib.ids import uuid7
from projects.models import (
    Change,
    ChangeLayer,
    DatasetVersion,
    Entity,
    EntityStatus,
    RevisionKind,
    Twin,
    TwinRevision,
)

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import User

_BATCH = 5000
_ENTITY_COLUMNS = (
    "id, twin_id, type, key, status, status_revision, reported, overlay,"
    " created_revision, changed_revision"
)
_CHANGE_COLUMNS = "revision_id, twin_id, entity_id, number, layer, property, present, value"


def twin_lock(twin_id: "UUID") -> Twin:
    """Lock the twin's row until the transaction ends, to write revisions one after another.

    Raises: Twin.DoesNotExist.
    """
    return Twin.objects.select_for_update().get(id=twin_id)


@dataclass(slots=True)
class Draft:
    """The next revision of a locked twin.

    Its methods change the given entities in memory and record each change. Only `write` writes
    rows.
    """

    twin: Twin
    id: "UUID" = field(default_factory=uuid7)
    created: int = 0
    changed: int = 0
    removed: int = 0
    _changes: list[tuple[Any, ...]] = field(default_factory=list)
    _new: list[Entity] = field(default_factory=list)
    _old: dict["UUID", Entity] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The number of the revision."""
        return self.twin.latest_revision + 1

    @property
    def empty(self) -> bool:
        """Whether there is no change."""
        return not self._changes

    def create(self, type: str, key: str) -> Entity:
        """Return a new entity without values."""
        entity = Entity(
            twin=self.twin,
            type=type,
            key=key,
            created_revision=self.number,
            changed_revision=self.number,
        )
        self._new.append(entity)
        self._status(entity, EntityStatus.PRESENT)
        self.created += 1
        return entity

    def status(self, entity: Entity, status: EntityStatus) -> bool:
        """Set the status; return whether that is a change.

        A removed entity loses its reported values. Its manual values stay until it is present
        again.
        """
        if entity.status == status:
            return False
        if status == EntityStatus.REMOVED:
            for name in list(entity.reported):
                self.report(entity, name, None)
        self._status(entity, status)
        return True

    def report(self, entity: Entity, name: str, value: object) -> bool:
        """Set a reported value, or remove it with None; return whether that is a change."""
        return self._set(entity, entity.reported, ChangeLayer.REPORTED, name, value)

    def overlay(self, entity: Entity, name: str, value: object) -> bool:
        """Set a manual value, or remove it with None; return whether that is a change."""
        return self._set(entity, entity.overlay, ChangeLayer.OVERLAY, name, value)

    def _set(
        self, entity: Entity, values: dict[str, Any], layer: ChangeLayer, name: str, value: object
    ) -> bool:
        before = values.get(name)
        if value is None and before is None:
            return False
        if before is not None and value is not None and _same(before["value"], value):
            return False
        if value is None:
            del values[name]
        else:
            values[name] = {"value": value, "revision": self.number}
        self._note(entity, layer, name, value)
        return True

    def _status(self, entity: Entity, status: EntityStatus) -> None:
        entity.status, entity.status_revision = status, self.number
        self._note(entity, ChangeLayer.STATUS, "", status.value)

    def _note(self, entity: Entity, layer: ChangeLayer, name: str, value: object) -> None:
        entity.changed_revision = self.number
        if not entity._state.adding:
            self._old[entity.id] = entity
        stored = None if value is None else json.dumps(value)
        self._changes.append(
            (
                self.id,
                self.twin.id,
                entity.id,
                self.number,
                layer.value,
                name,
                value is not None,
                stored,
            )
        )

    def write(
        self,
        *,
        kind: RevisionKind,
        user: "User | None",
        dataset_version: DatasetVersion | None = None,
        note: str = "",
    ) -> TwinRevision:
        """Write the revision and all its changes, in the caller's transaction.

        An edit does not change the base of updates.
        """
        if not transaction.get_connection().in_atomic_block:
            raise RuntimeError("write a revision in the transaction that holds the twin's lock")
        revision = TwinRevision.objects.create(
            id=self.id,
            twin=self.twin,
            number=self.number,
            kind=kind,
            definition_number=self.twin.definition_number,
            dataset_version=dataset_version,
            created=self.created,
            changed=self.changed,
            removed=self.removed,
            note=note,
            created_by=user,
        )
        _copy(Entity, _ENTITY_COLUMNS, (_entity_row(entity) for entity in self._new))
        _update(list(self._old.values()))
        _copy(Change, _CHANGE_COLUMNS, self._changes)
        self.twin.latest_revision = revision.number
        if kind != RevisionKind.EDIT:
            self.twin.base_revision = revision.number
        self.twin.save(update_fields=["latest_revision", "base_revision", "definition_number"])
        return revision


def _same(before: Any, after: Any) -> bool:
    """Return whether two values are equal as JSON: 1 and 1.0 are equal, true and 1 are not."""
    return before == after and isinstance(before, bool) == isinstance(after, bool)


def _entity_row(entity: Entity) -> tuple[Any, ...]:
    return (
        entity.id,
        entity.twin_id,
        entity.type,
        entity.key,
        entity.status,
        entity.status_revision,
        json.dumps(entity.reported),
        json.dumps(entity.overlay),
        entity.created_revision,
        entity.changed_revision,
    )


def _copy(model: type[Any], columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {model._meta.db_table} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _update(entities: list[Entity]) -> None:
    """Update the changed columns of many entities, some thousand in one statement."""
    statement = f"""
        UPDATE {Entity._meta.db_table} AS entity
        SET status = given.status, status_revision = given.status_revision,
            reported = given.reported::jsonb, overlay = given.overlay::jsonb,
            changed_revision = given.changed_revision
        FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[], %s::text[], %s::int[])
            AS given(id, status, status_revision, reported, overlay, changed_revision)
        WHERE entity.id = given.id
    """
    for start in range(0, len(entities), _BATCH):
        batch = entities[start : start + _BATCH]
        columns: list[Any] = [
            [entity.id for entity in batch],
            [str(entity.status) for entity in batch],
            [entity.status_revision for entity in batch],
            [json.dumps(entity.reported) for entity in batch],
            [json.dumps(entity.overlay) for entity in batch],
            [entity.changed_revision for entity in batch],
        ]
        with connection.cursor() as cursor:
            cursor.execute(statement, columns)
