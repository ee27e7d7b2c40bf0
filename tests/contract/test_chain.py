"""All four job types on data of another kind than the demo's, each using the output of the
previous.

JSON lines about machines, with a text target, booleans, times, missing values and a relation.
"""

import csv
import io
import json
import random
from typing import Any

import pytest

from tests.contract.conftest import Api, upload

SLUG, MACHINES, FRESH = "chain", 2400, 300
P = f"projects/{SLUG}"
STATES = ("broken", "fine", "worn")
DEFINITION = {
    "types": [
        {
            "name": "machine",
            "key": {"name": "serial"},
            "properties": [
                {"name": "state", "type": "string"},
                {"name": "risk", "type": "number", "unit": "of 1"},
                {"name": "hours", "type": "integer", "unit": "h"},
                {"name": "guarded", "type": "boolean"},
                {"name": "serviced_at", "type": "datetime"},
            ],
            "relations": [{"name": "site", "to": "site"}],
        },
        {"name": "site", "key": {"name": "name"}, "properties": []},
    ]
}
STEPS = [
    {"id": "machines", "uses": "read", "with": {"dataset": "machines"}},
    {
        "id": "known",
        "uses": "sql",
        "with": {"query": f"SELECT * FROM machines WHERE serial >= 'M{FRESH:05}'"},
    },
    {
        "id": "fresh",
        "uses": "sql",
        "with": {"query": f"SELECT * EXCLUDE (state) FROM machines WHERE serial < 'M{FRESH:05}'"},
    },
    {"id": "save_known", "uses": "write", "with": {"dataset": "known", "from": "known"}},
    {"id": "save_fresh", "uses": "write", "with": {"dataset": "fresh", "from": "fresh"}},
]
JOBS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("pipeline_execution", {"pipeline": "split"}),
    (
        "ml_training",
        {
            "dataset": "known",
            "target": "state",
            "model": "state",
            "algorithm": "random_forest",
            "hyperparameters": {"n_estimators": 30},
            "seed": 7,
        },
    ),
    (
        "ml_inference",
        {
            "model": "state",
            "dataset": "fresh",
            "output": "states",
            "keys": ["serial", "hours", "guarded", "serviced_at", "site"],
        },
    ),
    (
        "digital_twin_update",
        {
            "twin": "plant",
            "dataset": "states",
            "type": "machine",
            "key": "serial",
            "properties": {
                "state": "prediction",
                "risk": "probability_broken",
                "hours": "hours",
                "guarded": "guarded",
                "serviced_at": "serviced_at",
                "site": "site",
            },
            "missing": "delete",
        },
    ),
)


def _machines() -> bytes:
    """Return machines whose wear depends on hours and guarding; every twentieth has no hours."""
    dice = random.Random(11)
    lines = []
    for number in range(MACHINES):
        hours, guarded = dice.randrange(20_000), dice.random() < 0.4
        wear = hours / 20_000 + (0 if guarded else 0.3) + dice.gauss(0, 0.05)
        row = {
            "serial": f"M{number:05}",
            "site": dice.choice(["north", "south", "Gebäude 7"]),
            "hours": hours if number % 20 else None,
            "guarded": guarded,
            "serviced_at": f"2026-{1 + number % 12:02}-{1 + number % 28:02}T08:{number % 60:02}:00",
            "state": STATES[1] if wear < 0.5 else STATES[2] if wear < 0.9 else STATES[0],
        }
        lines.append(json.dumps(row))
    return "\n".join(lines).encode()


@pytest.fixture(scope="module")
def chain(api: Api) -> list[dict[str, Any]]:
    """Run the four jobs and return them."""
    api.post("projects/", {"slug": SLUG, "name": "Chain"})
    upload(api, SLUG, "machines", _machines())
    api.post(f"{P}/pipelines/", {"name": "split", "definition": {"steps": STEPS}})
    api.post(f"{P}/twins/", {"name": "plant", "definition": DEFINITION})
    ended = []
    for kind, parameters in JOBS:
        job = api.ended(api.post(f"{P}/jobs/", {"type": kind, "parameters": parameters})["id"])
        assert job["status"] == "succeeded", (kind, job["reason"], job["message"])
        ended.append(job)
    return ended


def _rows(api: Api, name: str) -> list[dict[str, str]]:
    text = api("GET", f"{P}/datasets/{name}/versions/latest/content/", params={"as": "csv"}).text
    return list(csv.DictReader(io.StringIO(text)))


def test_each_job_ran_in_its_own_worker_and_lists_its_results(
    api: Api, chain: list[dict[str, Any]]
) -> None:
    pipeline, training, inference, update = (job["result"] for job in chain)
    assert [row["name"] for row in pipeline["datasets"]] == ["known", "fresh"]
    assert (training["model"], training["version"]) == ("state", 1)
    assert set(training["metrics"]) == set(training["baseline"])
    assert training["metrics"]["accuracy"] > training["baseline"]["accuracy"] + 0.2
    assert inference == {"datasets": [{"name": "states", "version": 1}], "rows": FRESH}
    assert (update["twin"], update["created"], update["changed"], update["removed"]) == (
        "plant",
        FRESH,
        0,
        0,
    )
    hosts = [
        next(
            event["data"]
            for event in api.every(f"jobs/{job['id']}/events/")
            if event["kind"] == "job.launched"
        )
        for job in chain
    ]
    assert len({host["name"] for host in hosts}) == len(chain)


def test_predictions_are_classes_with_probabilities_that_sum_to_one(
    api: Api, chain: list[dict[str, Any]]
) -> None:
    rows = _rows(api, "states")
    assert [row["serial"] for row in rows] == [f"M{number:05}" for number in range(FRESH)]
    truth = {
        row["serial"]: row["state"] for row in map(json.loads, _machines().decode().splitlines())
    }
    for row in rows:
        shares = {name: float(row[f"probability_{name}"]) for name in STATES}
        assert sum(shares.values()) == pytest.approx(1)
        assert row["prediction"] == max(shares, key=lambda name: shares[name])
    assert sum(row["prediction"] == truth[row["serial"]] for row in rows) > FRESH * 0.75


def test_the_twin_holds_the_predictions_and_each_value_names_its_source(
    api: Api, chain: list[dict[str, Any]]
) -> None:
    row = _rows(api, "states")[20]  # one machine without hours: 20 is a multiple of 20
    shown = api.get(f"{P}/twins/plant/entities/machine/{row['serial']}/")
    values = {value["property"]: value for value in shown["values"]}
    assert values["state"]["value"] == row["prediction"]
    assert values["risk"]["value"] == pytest.approx(float(row["probability_broken"]))
    assert values["hours"]["value"] is None
    assert values["guarded"]["value"] is (row["guarded"] == "true")
    assert values["serviced_at"]["value"].startswith(row["serviced_at"][:10])
    assert values["site"]["value"] == row["site"]
    assert values["state"]["source"]["job"] == chain[3]["id"]
    assert values["state"]["source"]["dataset"] == {"name": "states", "version": 1}


def test_lineage_names_all_four_jobs_from_the_predictions_both_ways(
    api: Api, chain: list[dict[str, Any]]
) -> None:
    found = api.get(f"{P}/lineage/", of="dataset:states@1")
    names = {node["id"] for node in found["nodes"]}
    assert {f"job:{job['id']}" for job in chain} <= names
    assert {
        "dataset:machines@1",
        "dataset:known@1",
        "dataset:fresh@1",
        "model:state@1",
        "twin:plant@1",
        "pipeline:split@1",
    } <= names
    edges = {(edge["from"], edge["to"]) for edge in found["edges"]}
    _pipeline, training, inference, update = (f"job:{job['id']}" for job in chain)
    assert {
        ("dataset:known@1", training),
        (training, "model:state@1"),
        ("model:state@1", inference),
        (inference, "dataset:states@1"),
    } <= edges
    assert {("dataset:states@1", update), (update, "twin:plant@1")} <= edges


def test_a_repeated_update_makes_no_revision_and_an_edit_survives_another(
    api: Api, chain: list[dict[str, Any]]
) -> None:
    entity = f"{P}/twins/plant/entities/machine/M00001/"
    edited = api(
        "PATCH",
        f"{entity}overlay/",
        json={"values": {"hours": 12}, "note": "read from its display"},
    )
    assert edited.status_code == 200, edited.text
    again = api.ended(api.post(f"{P}/jobs/", {"type": JOBS[3][0], "parameters": JOBS[3][1]})["id"])
    assert again["result"] == {
        "twin": "plant",
        "revision": 2,
        "created": 0,
        "changed": 0,
        "removed": 0,
    }
    hours = next(value for value in api.get(entity)["values"] if value["property"] == "hours")
    assert (hours["value"], hours["overlay"]["note"]) == (12, "read from its display")
    assert [row["kind"] for row in api.every(f"{P}/twins/plant/revisions/")] == ["edit", "update"]
