"""Services of twins in single cases: concurrent updates, a large update, names and limits."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections, transaction

from mimir.lib.errors import Conflict, Invalid, NotFound
from projects.models import Change, Entity, Twin, TwinRevision
from projects.twins.definitions import UnitChanges, twin_create, twin_definition_change
from projects.twins.edits import overlay_edit
from projects.twins.states import entities_between, states_at
from projects.twins.updates import EntityReport, StaleBase, twin_update_apply
from tests.support import make

DEFINITION: dict[str, Any] = {
    "types": [
        {
            "name": "pump",
            "key": {"name": "id"},
            "properties": [{"name": f"p{number}", "type": "number"} for number in range(5)],
        }
    ]
}


@pytest.fixture
def twin() -> Twin:
    """A twin without entities."""
    project = make.project()
    make.dataset_version(project)
    assert project.created_by is not None
    return twin_create(
        project=project, name="plant", definition=DEFINITION, user=project.created_by
    )


def _update(twin: Twin, *reports: EntityReport, base: int = 0) -> Any:
    version = twin.project.datasets.get().versions.get()
    with transaction.atomic():
        return twin_update_apply(
            twin_id=twin.id,
            type="pump",
            base_revision=base,
            reports=reports,
            dataset_version=version,
            user=twin.created_by,
        )


def _edit(twin: Twin, key: str, **values: Any) -> Entity:
    assert twin.created_by is not None
    return overlay_edit(twin=twin, type="pump", key=key, values=values, user=twin.created_by)


@pytest.mark.django_db(transaction=True)
def test_of_two_updates_with_one_base_exactly_one_is_taken(twin: Twin) -> None:
    """The updates use two connections and start at the same time."""
    ready, ends = threading.Barrier(2), []

    def run(value: int) -> None:
        try:
            ready.wait()
            ends.append(_update(twin, EntityReport("a", {"p0": value})).number)
        except StaleBase as stale:
            ends.append(stale.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(value,)) for value in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends, key=str) == [1, "stale_base"]
    assert TwinRevision.objects.count() == 1
    assert (
        Entity.objects.get().reported["p0"]["value"] == Change.objects.get(layer="reported").value
    )


@pytest.mark.django_db(transaction=True)
def test_edits_of_many_at_once_are_all_kept_one_after_another(twin: Twin) -> None:
    _update(twin, EntityReport("a", {}))
    ready = threading.Barrier(5)

    def run(number: int) -> None:
        try:
            ready.wait()
            _edit(twin, "a", **{f"p{number}": number + 1})
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: held["value"] for name, held in Entity.objects.get().overlay.items()} == {
        f"p{number}": number + 1 for number in range(5)
    }
    assert list(TwinRevision.objects.order_by("number").values_list("number", flat=True)) == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]


@pytest.mark.django_db
def test_a_large_update_takes_a_few_statements(
    twin: Twin, django_assert_max_num_queries: Any
) -> None:
    """One statement per entity or value would hold the twin's lock for minutes."""
    count = 3000
    for base in (0, 1):
        reports = [
            EntityReport(f"{key:06}", {f"p{number}": key + number + base for number in range(5)})
            for key in range(count)
        ]
        with django_assert_max_num_queries(12):
            _update(twin, *reports, base=base)
    assert Change.objects.count() == count * 11
    entities = list(Entity.objects.all())
    with django_assert_max_num_queries(1):
        found = states_at(entities=entities, number=1)
    assert all(
        found[entity.id].reported == {f"p{number}": int(entity.key) + number for number in range(5)}
        for entity in entities
    )
    assert entities_between(twin=twin, first=1, second=2).count() == count


@pytest.mark.django_db
def test_an_edit_that_changes_nothing_makes_no_revision(twin: Twin) -> None:
    _update(twin, EntityReport("a", {"p0": 1}))
    for _ in range(2):
        _edit(twin, "a", p0=1e23, p1=None)
    assert [row.kind for row in TwinRevision.objects.all()] == ["edit", "update"]
    _edit(twin, "a", p0=None)
    _edit(twin, "a", p0=None)
    assert TwinRevision.objects.count() == 3


@pytest.mark.django_db
def test_an_edit_names_each_property_that_is_wrong(twin: Twin) -> None:
    _update(twin, EntityReport("a", {"p0": 1}))
    with pytest.raises(Invalid) as caught:
        _edit(twin, "a", p0="fast", colour="red", p1=2)
    assert caught.value.detail.keys() == {"values.p0", "values.colour"}
    with pytest.raises(NotFound):
        _edit(twin, "b", p0=1)
    assert TwinRevision.objects.count() == 1


@pytest.mark.django_db
def test_a_name_is_taken_once_and_a_definition_with_faults_names_each(twin: Twin) -> None:
    assert twin.created_by is not None
    with pytest.raises(Conflict) as taken:
        twin_create(project=twin.project, name="plant", definition=DEFINITION, user=twin.created_by)
    assert taken.value.code == "twin_exists"
    with pytest.raises(Invalid) as caught:
        twin_definition_change(
            twin=twin, definition={"types": [{"name": "a b", "key": {}}]}, user=twin.created_by
        )
    assert {
        "definition.types[0].name",
        "definition.types[0].key.name",
        "definition.types[0].properties",
    } <= caught.value.detail.keys()
    twin.refresh_from_db()
    assert (twin.definition_number, twin.latest_revision) == (1, 0)


@pytest.mark.django_db
def test_what_is_known_stays_known_when_more_would_be_too_many(twin: Twin, settings: Any) -> None:
    settings.ENV = replace(settings.ENV, twin_entities_max=2)
    _update(twin, EntityReport("a", {}), EntityReport("b", {}))
    with pytest.raises(Invalid, match="TWIN_ENTITIES_MAX"):
        _update(twin, EntityReport("c", {}), base=1)
    assert _update(twin, EntityReport("a", {"p0": 1}), base=1).number == 2
    assert sorted(Entity.objects.values_list("key", flat=True)) == ["a", "b"]


def _united(unit: str, *, other: str = "number") -> dict[str, Any]:
    properties = [
        {"name": "p0", "type": "number", **({"unit": unit} if unit else {})},
        {"name": "p1", "type": other, "unit": "m"},
    ]
    return {"types": [{"name": "pump", "key": {"name": "id"}, "properties": properties}]}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("before", "after"), [("°C", "°F"), ("", "°F"), ("°C", "")])
def test_a_unit_of_values_is_changed_only_with_a_choice(
    twin: Twin, before: str, after: str
) -> None:
    assert twin.created_by is not None
    user = twin.created_by
    twin_definition_change(twin=twin, definition=_united(before), user=user)
    _update(
        twin,
        EntityReport("a", {"p0": 21, "p1": 2}),
        EntityReport("b", {"p0": 22}),
        base=Twin.objects.get(id=twin.id).base_revision,
    )
    _edit(twin, "b", p0=23)
    with pytest.raises(Conflict) as caught:
        twin_definition_change(twin=twin, definition=_united(after), user=user)
    assert caught.value.code == "unit_changed"
    given = f"in {before}" if before else "without a unit"
    message = (
        f"3 values were given {given}, 1 of them manually. Saving does not convert them to "
        f"{after or 'no unit'}"
    )
    assert caught.value.detail == {"definition.types[0].properties[0].unit": message}
    assert {
        entity.key: entity.reported["p0"]["value"] for entity in Entity.objects.filter(twin=twin)
    } == {"a": 21, "b": 22}

    twin_definition_change(
        twin=twin, definition=_united(after), user=user, unit_changes=UnitChanges.KEEP
    )
    assert {
        entity.key: entity.reported["p0"]["value"] for entity in Entity.objects.filter(twin=twin)
    } == {"a": 21, "b": 22}
    twin_definition_change(
        twin=twin, definition=_united("K"), user=user, unit_changes=UnitChanges.REMOVE
    )
    left = {
        entity.key: (entity.reported, entity.overlay) for entity in Entity.objects.filter(twin=twin)
    }
    assert left["b"] == ({}, {})
    assert list(left["a"][0]) == ["p1"]
    twin_definition_change(
        twin=twin, definition=_united("°F"), user=user
    )  # no value is left: nothing to choose


@pytest.mark.django_db(transaction=True)
def test_another_type_removes_values_without_a_choice_as_before(twin: Twin) -> None:
    assert twin.created_by is not None
    twin_definition_change(twin=twin, definition=_united("°C"), user=twin.created_by)
    _update(twin, EntityReport("a", {"p1": 2}), base=Twin.objects.get(id=twin.id).base_revision)
    changed = _united("°C", other="string")
    changed["types"][0]["properties"][1]["unit"] = "km"
    twin_definition_change(twin=twin, definition=changed, user=twin.created_by)
    assert Entity.objects.get(twin=twin).reported == {}
