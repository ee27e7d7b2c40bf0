"""History of a twin under random updates, edits and definitions, stale and invalid ones included.

Revisions are immutable. The difference of revisions N and M applied to N gives M, for all pairs and
in both directions. Edits of operators survive every update. Keys stay unique. The state stored on
the entities is the newest one. A model without revisions checks each of these.
"""

import copy
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from mimir.api.etags import PreconditionFailed, Preconditions
from mimir.lib.errors import Invalid, NotFound
from mimir.lib.schemas.twin import VALUE_TYPES, entity_type, fields_of
from mimir.lib.schemas.twin_types import CheckedTwinDefinition
from projects.models import (
    EntityStatus,
    Project,
    RevisionKind,
    Twin,
    TwinDefinition,
    TwinRevision,
)
from projects.twins.definitions import twin_create, twin_definition_change, twin_etag
from projects.twins.edits import overlay_edit
from projects.twins.states import (
    EntityState,
)
from projects.twins.updates import EntityReport, StaleBase, twin_update_apply
from tests.projects.twin_states import (
    State,
    apply_difference,
    current_state,
    definition_of,
    difference_between,
    fits,
    recorded_state,
)
from tests.support import make

ENTITIES_MAX = 4
TYPES, KEYS, PROPERTIES = ("a", "b"), ("1", "2", "ä/%."), ("x", "y", "to")
VALUES: dict[str, list[Any]] = {
    "number": [0, 1, 2.5, 10**23, None],
    "integer": [0, 1, 2, -(2**63), None],
    "string": ["", "1", "true", "ü", None],
    "boolean": [False, True, False, True, None],
    "date": ["2026-03-31", "2026-04-01", "2024-02-29", "1900-01-01", None],
    "datetime": [
        "2026-03-31T00:00:00+00:00",
        "2026-03-31T12:00:00+00:00",
        "2026-04-01T00:00:00+00:00",
        "1900-01-01T00:00:00+00:00",
        None,
    ],
    "relation": ["1", "2", "ä/%.", "nobody", None],
}
START: CheckedTwinDefinition = {
    "types": [
        {
            "name": name,
            "key": {"name": "id"},
            "properties": [{"name": "x", "type": "number"}, {"name": "y", "type": "string"}],
        }
        for name in TYPES
    ]
}

choices = st.integers(0, 4)
rows = st.dictionaries(
    st.sampled_from(KEYS),
    st.dictionaries(st.sampled_from(PROPERTIES), choices, max_size=3),
    max_size=3,
)
edits = st.dictionaries(st.sampled_from(PROPERTIES), choices, min_size=1, max_size=3)
fields = st.dictionaries(st.sampled_from(PROPERTIES[:2]), st.sampled_from(VALUE_TYPES), max_size=2)
definitions = st.dictionaries(
    st.sampled_from(TYPES), st.tuples(fields, st.booleans()), min_size=1, max_size=2
)


class History(RuleBasedStateMachine):
    """A twin and its expected state.

    `entities` also holds removed ones, whose manual values apply again when they return.
    """

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.user = User.objects.get()
        self.dataset_version = Project.objects.get().datasets.get().versions.get()
        project = Project.objects.get()
        self.twin = twin_create(
            project=project, name=f"t{Twin.objects.count()}", definition=START, user=self.user
        )
        self.definition = START
        self.entities: State = {}
        self.recorded: dict[int, State] = {0: {}}
        self.bases = [0]

    @rule(
        type=st.sampled_from(TYPES),
        drawn=rows,
        gone=st.sampled_from([None, EntityStatus.MISSING, EntityStatus.REMOVED]),
    )
    def update(
        self, type: str, drawn: dict[str, dict[str, int]], gone: EntityStatus | None
    ) -> None:
        """Update from the newest base; `gone` is the status of entities without a row."""
        if entity_type(self.definition, type) is None:
            return
        reports, expected = self._reports(type, drawn, gone)
        many = (
            sum(entity.status != EntityStatus.REMOVED for entity in expected.values())
            > ENTITIES_MAX
        )
        if many and expected.keys() != {
            name for name, entity in self.entities.items() if entity.status != EntityStatus.REMOVED
        }:
            self._refused(Invalid, type, self.bases[-1], reports)
            return
        with transaction.atomic():
            done = self._apply(type, self.bases[-1], reports)
        self.entities = expected
        self._record(RevisionKind.UPDATE)
        assert done.number == self.twin.latest_revision

    @precondition(lambda self: self.entities)
    @rule(type=st.sampled_from(TYPES))
    def update_with_no_news(self, type: str) -> None:
        """Report all current values again."""
        there = [
            (key, entity)
            for (of, key), entity in self.entities.items()
            if of == type and entity.status == EntityStatus.PRESENT
        ]
        with transaction.atomic():
            done = self._apply(
                type,
                self.bases[-1],
                [
                    EntityReport(key, dict(entity.reported))
                    for key, entity in sorted(there, key=str)
                ],
            )
        assert (done.revision, done.number) == (None, self.twin.latest_revision)
        self._unchanged()

    @precondition(lambda self: len(self.bases) > 1)
    @rule(type=st.sampled_from(TYPES), drawn=rows, back=st.integers(1, 5))
    def stale_update(self, type: str, drawn: dict[str, dict[str, int]], back: int) -> None:
        """Update from a base that another update or a definition has made stale."""
        reports, _ = self._reports(type, drawn, EntityStatus.REMOVED)
        self._refused(StaleBase, type, self.bases[-1 - min(back, len(self.bases) - 1)], reports)

    @rule(type=st.sampled_from(TYPES), key=st.sampled_from(KEYS), drawn=edits)
    def edit(self, type: str, key: str, drawn: dict[str, int]) -> None:
        entity = self.entities.get((type, key))
        kind = entity_type(self.definition, type)
        known = fields_of(kind) if kind else {}
        values = {
            name: VALUES[known[name].type if name in known else "string"][choice]
            for name, choice in drawn.items()
        }
        refusal = (
            NotFound
            if entity is None or entity.status == EntityStatus.REMOVED
            else Invalid
            if values.keys() - known.keys()
            else None
        )
        if refusal is not None:
            with pytest.raises(refusal):
                overlay_edit(twin=self.twin, type=type, key=key, values=values, user=self.user)
            self._unchanged()
            return
        overlay_edit(twin=self.twin, type=type, key=key, values=values, user=self.user)
        assert entity is not None
        entity.overlay = {
            name: value for name, value in {**entity.overlay, **values}.items() if value is not None
        }
        self._record(RevisionKind.EDIT)

    @rule(drawn=definitions, seen=st.sampled_from([True, True, True, False]))
    def define(self, drawn: dict[str, tuple[dict[str, str], bool]], seen: bool) -> None:
        """Save a definition. `seen`: whether the ETag is that of the newest one."""
        definition = definition_of(drawn)
        etags = Preconditions(frozenset({twin_etag(self.twin.definition_number - (not seen))}))
        if not seen:
            with pytest.raises(PreconditionFailed):
                twin_definition_change(
                    twin=self.twin, definition=definition, user=self.user, etags=etags
                )
            self._unchanged()
            return
        twin_definition_change(twin=self.twin, definition=definition, user=self.user, etags=etags)
        changed, self.definition = definition != self.definition, definition
        for (kind, _), entity in self.entities.items():
            entity.overlay = {
                name: value
                for name, value in entity.overlay.items()
                if fits(definition, kind, name, value)
            }
            entity.reported = {
                name: value
                for name, value in entity.reported.items()
                if fits(definition, kind, name, value)
            }
            if entity_type(definition, kind) is None:
                entity.status = EntityStatus.REMOVED
        self._record(RevisionKind.DEFINITION, always=changed)

    def _reports(
        self, type: str, drawn: dict[str, dict[str, int]], gone: EntityStatus | None
    ) -> tuple[list[EntityReport], State]:
        """Return a worker's report of rows, mostly unchanged, and the twin's state after it."""
        kind = entity_type(self.definition, type)
        known = fields_of(kind) if kind else {}
        expected = copy.deepcopy(self.entities)
        reports = []
        for key, choice in sorted(drawn.items()):
            values = {
                name: VALUES[known[name].type][index]
                for name, index in choice.items()
                if name in known
            }
            reports.append(EntityReport(key, values))
            entity = expected.setdefault((type, key), EntityState(EntityStatus.REMOVED))
            entity.status = EntityStatus.PRESENT
            entity.reported = {
                name: value
                for name, value in {**entity.reported, **values}.items()
                if value is not None
            }
        for (of, key), entity in expected.items():
            if (
                of == type
                and key not in drawn
                and gone is not None
                and entity.status != EntityStatus.REMOVED
            ):
                reports.append(EntityReport(key, {}, gone))
                entity.status = gone
                entity.reported = {} if gone == EntityStatus.REMOVED else entity.reported
        return reports, expected

    def _apply(self, type: str, base: int, reports: list[EntityReport]) -> Any:
        return twin_update_apply(
            twin_id=self.twin.id,
            type=type,
            base_revision=base,
            reports=reports,
            dataset_version=self.dataset_version,
            user=self.user,
        )

    def _refused(
        self, error: type[Exception], type: str, base: int, reports: list[EntityReport]
    ) -> None:
        with pytest.raises(error), transaction.atomic():
            self._apply(type, base, reports)
        self._unchanged()

    def _unchanged(self) -> None:
        before = self.twin.latest_revision
        self.twin.refresh_from_db()
        assert self.twin.latest_revision == before
        assert TwinRevision.objects.filter(twin=self.twin).count() == before
        assert current_state(self.twin) == self.recorded[before]

    def _record(self, kind: RevisionKind, always: bool = False) -> None:
        """Check the state of the twin.

        Any difference from the previous revision must have created exactly one revision.
        """
        expected = {
            name: copy.deepcopy(entity)
            for name, entity in self.entities.items()
            if entity.status != EntityStatus.REMOVED
        }
        before = self.recorded[self.twin.latest_revision]
        self.twin.refresh_from_db()
        assert current_state(self.twin) == expected
        number = self.twin.latest_revision
        assert number == len(self.recorded) - (before == expected and not always)
        if number in self.recorded:
            return
        self.recorded[number] = recorded_state(self.twin, number)
        assert self.recorded[number] == expected
        self.bases += [] if kind == RevisionKind.EDIT else [number]
        assert self.twin.base_revision == self.bases[-1]
        self._counted(number, kind, before, expected)

    def _counted(self, number: int, kind: RevisionKind, before: State, after: State) -> None:
        revision = TwinRevision.objects.get(twin=self.twin, number=number)
        changed = [name for name in before.keys() & after.keys() if before[name] != after[name]]
        counts = (
            len(after.keys() - before.keys()),
            len(changed),
            len(before.keys() - after.keys()),
        )
        assert (revision.kind, revision.created, revision.changed, revision.removed) == (
            kind,
            *counts,
        )

    def teardown(self) -> None:
        try:
            if self.twin.latest_revision in self.recorded:  # else a step failed already
                self._whole_history()
        finally:
            transaction.savepoint_rollback(self.savepoint)

    def _whole_history(self) -> None:
        for number, state in self.recorded.items():
            assert recorded_state(self.twin, number) == state, (
                f"revision {number} is another one than it was"
            )
            for other, wanted in self.recorded.items():
                assert (
                    apply_difference(state, difference_between(self.twin, number, other)) == wanted
                ), f"from {number} to {other}"
        for revision in TwinRevision.objects.filter(twin=self.twin):
            definition = TwinDefinition.objects.get(
                twin=self.twin, number=revision.definition_number
            ).definition
            for (kind, _), entity in self.recorded[revision.number].items():
                assert entity_type(definition, kind) is not None
                held = [*entity.reported.items(), *entity.overlay.items()]
                assert all(fits(definition, kind, name, value) for name, value in held), (
                    "a value does not fit its definition"
                )


@pytest.mark.django_db
def test_any_history_keeps_every_revision_and_every_edit(settings_of_twins: None) -> None:
    make.dataset_version(make.project())
    run_state_machine_as_test(History, settings=settings(max_examples=40, stateful_step_count=12))


@pytest.fixture
def settings_of_twins(settings: Any) -> None:
    """Lower the limit of entities to a number that an update can exceed."""
    settings.ENV = replace(django_settings.ENV, twin_entities_max=ENTITIES_MAX)
