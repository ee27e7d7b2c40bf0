"""Lineage on a page: origin and uses of an object."""

from typing import Any

from mimir.frontend.pages.lineage.present import NOTHING, SHOWN, lineage_of
from tests.frontend.shelf import AT, lineage


def _names(group: Any) -> list[str]:
    return [f"{item['name']} {item['version']}".strip() for item in group["items"]]


def test_the_lineage_of_a_dataset_names_inputs_job_and_outputs() -> None:
    found = lineage_of(lineage("dataset:daily_demand@41"), "bikes")
    assert found
    assert _names(found["inputs"]) == ["trips v9", "weather v3", "trips-by-weather v12"]
    assert _names(found["makers"]) == ["Nightly"]
    assert _names(found["outputs"]) == ["demand-forecast v7", "stations rev 318"]
    assert len(found["users"]["items"]) == 2
    assert found["here"]["url"] == "/projects/bikes/datasets/daily_demand/?version=41"
    assert [item["name"] for item in found["downstream"]] == [
        "Nightly",
        "Nightly",
        "demand-forecast",
        "stations",
    ]


def test_the_lineage_of_the_last_version_is_nearest_first() -> None:
    found = lineage_of(lineage("model:demand-forecast@7"), "bikes")
    assert found
    assert _names(found["inputs"]) == ["daily_demand v41"]
    assert [item["name"] for item in found["upstream"]] == [
        "Nightly",
        "daily_demand",
        "Nightly",
        "trips",
        "weather",
        "trips-by-weather",
    ]
    assert found["downstream"] == []
    assert found["outputs"]["items"] == []


def test_every_kind_links_to_its_own_page() -> None:
    found = lineage_of(lineage("twin:stations@318"), "bikes")
    assert found
    assert found["here"]["url"] == "/projects/bikes/twins/stations/revisions/318/"
    assert found["makers"]["items"][0]["url"].startswith("/jobs/")
    named = {item["name"]: item["url"] for item in found["upstream"]}
    assert named["trips-by-weather"] == "/projects/bikes/pipelines/trips-by-weather/?version=12"


def test_a_name_cannot_change_the_link_target() -> None:
    node: Any = {
        "id": "dataset:../x?y@1",
        "kind": "dataset",
        "name": "../x?y",
        "version": 1,
        "job_type": None,
        "status": None,
        "at": AT,
        "by": None,
    }
    found = lineage_of(
        {"of": node["id"], "nodes": [node], "edges": [], "truncated": False}, "bikes"
    )
    assert found
    assert found["here"]["url"] == "/projects/bikes/datasets/..%2Fx%3Fy/?version=1"


def test_many_users_are_counted_beyond_the_first() -> None:
    graph = lineage("dataset:daily_demand@41")
    for number in range(20):
        graph["nodes"].append({**graph["nodes"][6], "id": f"model:m@{number}", "version": number})
        graph["edges"].append({"from": graph["nodes"][5]["id"], "to": f"model:m@{number}"})
    found = lineage_of(graph, "bikes")
    assert found
    assert (len(found["outputs"]["items"]), found["outputs"]["more"]) == (SHOWN, 22 - SHOWN)


def test_a_cycle_and_an_edge_to_nowhere_end() -> None:
    graph = lineage("dataset:daily_demand@41")
    graph["edges"] += [
        {"from": "model:demand-forecast@7", "to": "dataset:daily_demand@41"},
        {"from": "dataset:daily_demand@41", "to": "dataset:gone@1"},
    ]
    found = lineage_of(graph, "bikes")
    assert found
    assert "daily_demand" not in [item["name"] for item in found["downstream"]]


def test_unknown_values_are_omitted() -> None:
    assert lineage_of(NOTHING, "bikes") is None


def test_the_whole_lineage_is_drawn_from_left_to_right() -> None:
    graph = lineage("dataset:daily_demand@41")
    found = lineage_of(graph, "bikes")
    assert found
    drawing = found["drawing"]
    places = {node["item"]["url"]: node["x"] for node in drawing["nodes"]}
    urls = {
        node["id"]: item["item"]["url"]
        for node, item in zip(graph["nodes"], drawing["nodes"], strict=True)
    }
    assert all(places[urls[edge["from"]]] < places[urls[edge["to"]]] for edge in graph["edges"])
    assert [node["item"]["name"] for node in drawing["nodes"] if node["here"]] == ["daily_demand"]


def test_a_lineage_too_large_to_be_read_is_not_drawn() -> None:
    graph = lineage("dataset:daily_demand@41")
    graph["nodes"] += [
        {**graph["nodes"][6], "id": f"model:m@{number}", "version": number} for number in range(100)
    ]
    found = lineage_of(graph, "bikes")
    assert found
    assert found["drawing"] is None
