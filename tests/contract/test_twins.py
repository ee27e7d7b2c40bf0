"""Twins through the public API only.

Definitions, entities with any key, edits, history, states and differences of revisions.
"""

from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.conftest import Api, upload

SLUG = "twins"
P = f"projects/{SLUG}"
T = f"{P}/twins/plant"
DEFINITION: dict[str, Any] = {
    "types": [
        {
            "name": "pump",
            "title": "Pump",
            "key": {"name": "id"},
            "properties": [
                {"name": "load", "type": "number", "unit": "%"},
                {"name": "label", "type": "string"},
            ],
            "relations": [{"name": "hall", "to": "hall"}],
        },
        {"name": "hall", "key": {"name": "id"}, "properties": []},
    ]
}
PLAIN = ["a", "7", "Gebäude 7", "50%", "a/b", "v1.2", "x?y#z", "+ &="]
ODD = ["a//b", "../up", "a/../b", ".", "back\\slash", "%2F", "%252e", "a\nb", "a/history"]
UPDATE = {"twin": "plant", "dataset": "pumps", "type": "pump", "key": "id"}


def _csv(*rows: tuple[str, str, str]) -> bytes:
    lines = [("id", "load", "label"), *rows]
    return "".join(
        ",".join('"' + cell.replace('"', '""') + '"' if cell else "" for cell in row) + "\n"
        for row in lines
    ).encode()


def _update(api: Api, *rows: tuple[str, str, str], **parameters: Any) -> dict[str, Any]:
    upload(api, SLUG, "pumps", _csv(*rows))
    job = api.ended(
        api.post(
            f"{P}/jobs/", {"type": "digital_twin_update", "parameters": {**UPDATE, **parameters}}
        )["id"]
    )
    assert job["status"] == "succeeded", job["message"]
    return job


@pytest.fixture(scope="module")
def jobs(api: Api) -> list[dict[str, Any]]:
    """Twin of pumps with three revisions: update, edit, and an update that removes `50%`."""
    api.post("projects/", {"slug": SLUG, "name": "Twins"})
    api.post(f"{P}/twins/", {"name": "plant", "definition": DEFINITION})
    first = _update(api, *((key, "1.5", "old") for key in (*PLAIN, *ODD)))
    body = {"values": {"load": 90}, "note": "read from its display"}
    assert api("PATCH", f"{T}/entities/pump/a/overlay/", json=body).status_code == 200
    second = _update(
        api,
        *((key, "2.5" if key == "a" else "1.5", "old") for key in (*PLAIN, *ODD) if key != "50%"),
        missing="delete",
    )
    return [first, second]


def test_each_job_lists_its_results(jobs: list[dict[str, Any]]) -> None:
    count = len(PLAIN) + len(ODD)
    assert jobs[0]["result"] == {
        "twin": "plant",
        "revision": 1,
        "created": count,
        "changed": 0,
        "removed": 0,
    }
    assert jobs[1]["result"] == {
        "twin": "plant",
        "revision": 3,
        "created": 0,
        "changed": 1,
        "removed": 1,
    }


def test_a_twin_shows_its_types_with_their_entities(api: Api, jobs: list[dict[str, Any]]) -> None:
    shown = api.get(f"{T}/")
    assert [(kind["name"], kind["entities"]) for kind in shown["types"]] == [
        ("pump", len(PLAIN) + len(ODD) - 1),
        ("hall", 0),
    ]
    assert (shown["revision"], shown["definition_number"], shown["definition"]) == (
        3,
        1,
        DEFINITION,
    )
    assert [row["name"] for row in api.every(f"{P}/twins/")] == ["plant"]


def test_a_list_of_entities_is_paginated_and_searched_by_key(
    api: Api, jobs: list[dict[str, Any]]
) -> None:
    keys = [row["key"] for row in api.every(f"{T}/entities/", type="pump", limit=4)]
    assert sorted(keys) == sorted({*PLAIN, *ODD} - {"50%"})
    assert len(keys) == len(set(keys))
    found = api.every(f"{T}/entities/", q="gebäude")
    assert [(row["key"], row["values"], row["overlay"]) for row in found] == [
        ("Gebäude 7", {"load": 1.5, "label": "old"}, [])
    ]
    assert [row["key"] for row in api.every(f"{T}/entities/", q="2F")] == ["%2F"]
    assert api.every(f"{T}/entities/", type="hall") == []


@pytest.mark.parametrize("key", PLAIN)
def test_an_entity_is_found_by_its_path(key: str, api: Api, jobs: list[dict[str, Any]]) -> None:
    entity = f"{T}/entities/pump/{quote(key, safe='/')}/"
    ask = api.client.get  # not validated: OpenAPI path parameters cannot contain a slash
    assert ask(f"/api/v1/{entity}").json()["key"] == key
    assert {row["layer"] for row in ask(f"/api/v1/{entity}history/").json()["results"]} >= {
        "status",
        "reported",
    }


@pytest.mark.parametrize("key", [*PLAIN, *ODD])
def test_an_entity_with_any_key_is_found_by_query_and_edited(
    key: str, api: Api, jobs: list[dict[str, Any]]
) -> None:
    named = f"type=pump&key={quote(key, safe='')}"
    shown = api.get(f"{T}/entity/?{named}")
    assert (shown["type"], shown["key"]) == ("pump", key)
    assert api.get(f"{T}/entity/history/?{named}")["results"]
    answer = api(
        "PATCH", f"{T}/entity/overlay/?{named}", json={"values": {"label": None}, "note": ""}
    )
    assert answer.status_code == (404 if key == "50%" else 200), answer.text  # the removed entity


def test_each_value_has_its_source_and_an_edit_overrides_the_reported_value(
    api: Api, jobs: list[dict[str, Any]]
) -> None:
    load, label, hall = api.get(f"{T}/entities/pump/a/")["values"]
    assert (load["value"], load["reported"], load["unit"]) == (90, 2.5, "%")
    assert (load["source"]["revision"], load["source"]["job"], load["source"]["dataset"]) == (
        3,
        jobs[1]["id"],
        {"name": "pumps", "version": 2},
    )
    assert (load["overlay"]["value"], load["overlay"]["revision"], load["overlay"]["note"]) == (
        90,
        2,
        "read from its display",
    )
    assert (label["value"], label["source"]["job"], label["overlay"]) == (
        "old",
        jobs[0]["id"],
        None,
    )
    assert (hall["value"], hall["source"], hall["to"]) == (None, None, "hall")


def test_a_history_is_newest_first_and_can_be_filtered_by_property(
    api: Api, jobs: list[dict[str, Any]]
) -> None:
    of_load = api.every(f"{T}/entities/pump/a/history/", property="load", limit=1)
    assert [(row["revision"], row["layer"], row["value"]) for row in of_load] == [
        (3, "reported", 2.5),
        (2, "overlay", 90),
        (1, "reported", 1.5),
    ]
    gone = api.every(f"{T}/entities/pump/50%25/history/")
    last = [
        (row["layer"], row["property"], row["value"], row["present"])
        for row in gone
        if row["revision"] == 3
    ]
    assert sorted(last) == [
        ("reported", "label", None, False),
        ("reported", "load", None, False),
        ("status", "", "removed", True),
    ]


def test_the_difference_of_two_revisions_applied_to_one_is_the_other(
    api: Api, jobs: list[dict[str, Any]]
) -> None:
    states = {number: _state(api, number) for number in range(4)}
    assert states[0] == {}
    for first, state in states.items():
        for second, wanted in states.items():
            found = {name: dict(fields) for name, fields in state.items()}
            for row in api.every(f"{T}/revisions/{first}/diff/", to=second, limit=5):
                entity = found.setdefault((row["type"], row["key"]), {})
                for field in row["fields"]:
                    assert entity.pop((field["layer"], field["property"]), None) == field["old"]
                    if field["new"] is not None:
                        entity[(field["layer"], field["property"])] = field["new"]
            assert {name: fields for name, fields in found.items() if fields} == wanted, (
                first,
                second,
            )


def _state(api: Api, number: int) -> dict[tuple[str, str], dict[tuple[str, str], Any]]:
    state = {}
    for row in api.every(f"{T}/revisions/{number}/state/", limit=5):
        fields = {("status", ""): row["status"]}
        fields |= {
            (layer, name): value
            for layer in ("reported", "overlay")
            for name, value in row[layer].items()
        }
        state[(row["type"], row["key"])] = fields
    return state


def test_revisions_name_their_source(api: Api, jobs: list[dict[str, Any]]) -> None:
    rows = api.every(f"{T}/revisions/", limit=2)
    created = [
        (row["number"], row["kind"], row["job"], row["created"], row["changed"], row["removed"])
        for row in rows
    ]
    count = len(PLAIN) + len(ODD)
    assert created == [
        (3, "update", jobs[1]["id"], 0, 1, 1),
        (2, "edit", None, 0, 1, 0),
        (1, "update", jobs[0]["id"], count, 0, 0),
    ]
    api.refused("GET", f"{T}/revisions/9/state/", 404)
    api.refused("GET", f"{T}/revisions/1/diff/", 404, params={"to": 9})


def test_a_definition_change_needs_the_current_etag(api: Api) -> None:
    api.post("projects/", {"slug": "twins-defined", "name": "Twins defined"})
    twin = "projects/twins-defined/twins/t/"
    api.post("projects/twins-defined/twins/", {"name": "t", "definition": DEFINITION})
    etag = api("GET", twin).headers["ETag"]
    wider = {
        "types": [*DEFINITION["types"], {"name": "tank", "key": {"name": "id"}, "properties": []}]
    }
    saved = api("PUT", f"{twin}definition/", json={"definition": wider}, headers={"If-Match": etag})
    assert (saved.status_code, saved.json()["definition_number"], saved.json()["revision"]) == (
        200,
        2,
        1,
    )
    api.refused(
        "PUT",
        f"{twin}definition/",
        412,
        json={"definition": DEFINITION},
        headers={"If-Match": etag},
    )
    broken = {
        "types": [{**DEFINITION["types"][0], "relations": [{"name": "hall", "to": "nobody"}]}]
    }
    api.refused(
        "PUT",
        f"{twin}definition/",
        400,
        "definition.types[0].relations[0].to",
        json={"definition": broken},
    )
    api.refused(
        "POST", "projects/twins-defined/twins/", 409, json={"name": "t", "definition": DEFINITION}
    )


def test_an_invalid_edit_is_rejected_with_each_property(
    api: Api, jobs: list[dict[str, Any]]
) -> None:
    overlay = f"{T}/entities/pump/7/overlay/"
    api.refused(
        "PATCH",
        overlay,
        400,
        "values.load",
        "values.colour",
        json={"values": {"load": "much", "colour": "red"}},
    )
    api.refused("PATCH", overlay, 400, "values", json={"values": {}})
    api.refused("PATCH", overlay, 400, "value", json={"value": {"load": 1}})
    api.refused("PATCH", f"{T}/entities/pump/nobody/overlay/", 404, json={"values": {"load": 1}})
    api.refused("GET", f"{T}/entity/", 400, "key", params={"type": "pump"})
