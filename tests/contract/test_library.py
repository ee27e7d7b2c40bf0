"""Contents of a project through the frontend's port.

Profiles, models, lineage, summary, members.
"""

import hashlib
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.conftest import Api, Person, command, upload

AsUser = Callable[[str | None], Api]
SLUG = "library"
P = f"projects/{SLUG}"


@pytest.fixture(scope="module")
def trained(api: Api) -> dict[str, Any]:
    """Return two ended jobs: one that trained a model on 200 rows, and one that failed."""
    api.post("projects/", {"slug": SLUG, "name": "Library"})
    dice = random.Random(5)
    rows = [
        (dice.gauss(0, 1), dice.choice("ab"), f"2026-01-{1 + number % 28:02}")
        for number in range(200)
    ]
    lines = [f"{x},{kind},{day},{2 * x + (kind == 'a')}" for x, kind, day in rows]
    upload(api, SLUG, "points", "\n".join(["x,kind,day,y", *lines]).encode())
    api.post(
        f"{P}/pipelines/", {"name": "broken", "definition": {"steps": [command("no", ["false"])]}}
    )
    failed = api.ended(
        api.post(
            f"{P}/jobs/", {"type": "pipeline_execution", "parameters": {"pipeline": "broken"}}
        )["id"]
    )
    assert failed["status"] == "failed", failed
    parameters = {"dataset": "points", "target": "y", "model": "line", "algorithm": "linear"}
    job: dict[str, Any] = api.ended(
        api.post(f"{P}/jobs/", {"type": "ml_training", "parameters": parameters})["id"]
    )
    assert job["status"] == "succeeded", job
    return job


def test_a_profile_says_what_each_column_holds_and_stays(api: Api, trained: dict[str, Any]) -> None:
    shown = api.get(f"{P}/datasets/points/versions/latest/profile/")
    assert (shown["row_count"], shown["fault"]) == (200, "")
    columns = {column["name"]: column for column in shown["columns"]}
    assert {name: column["kind"] for name, column in columns.items()} == {
        "x": "number",
        "kind": "category",
        "day": "time",
        "y": "number",
    }
    assert sum(columns["x"]["histogram"]["counts"]) == 200
    assert sum(row["count"] for row in columns["kind"]["top"]) == 200
    assert api.get(f"{P}/datasets/points/versions/1/profile/") == shown
    api.refused("GET", f"{P}/datasets/points/versions/2/profile/", 404)


def test_a_model_is_listed_read_whole_and_downloaded(api: Api, trained: dict[str, Any]) -> None:
    (listed,) = api.every(f"{P}/models/")
    assert (listed["name"], listed["version"]["number"], listed["version"]["job"]) == (
        "line",
        1,
        trained["id"],
    )
    assert api.get(f"{P}/models/line/")["versions"] == [listed["version"]]
    shown = api.get(f"{P}/models/line/versions/latest/")
    assert {name: shown[name] for name in listed["version"]} == listed["version"]
    assert shown["metrics"] == trained["result"]["metrics"]
    assert shown["training_data"] == {"name": "points", "version": 1}
    assert {feature["name"] for feature in shown["signature"]["features"]} == {"x", "kind", "day"}
    content = api("GET", f"{P}/models/line/versions/1/content/")
    assert (len(content.content), hashlib.sha256(content.content).hexdigest()) == (
        shown["size_bytes"],
        shown["sha256"],
    )
    assert content.headers["Content-Disposition"] == 'attachment; filename="line-v1.skops"'
    api.refused("GET", f"{P}/models/line/versions/2/", 404)
    api.refused("GET", f"{P}/models/none/", 404)


def test_lineage_goes_from_the_data_by_the_job_to_the_model(
    api: Api, trained: dict[str, Any]
) -> None:
    job = f"job:{trained['id']}"
    for of in ("dataset:points@1", "model:line@latest"):
        shown = api.get(f"{P}/lineage/", of=of)
        assert {node["id"] for node in shown["nodes"]} == {"dataset:points@1", job, "model:line@1"}
        assert {(edge["from"], edge["to"]) for edge in shown["edges"]} == {
            ("dataset:points@1", job),
            (job, "model:line@1"),
        }
    api.refused("GET", f"{P}/lineage/", 400, "of", params={"of": "points"})
    api.refused("GET", f"{P}/lineage/", 404, params={"of": "twin:none@1"})


def test_the_summary_lists_failures_and_new_results(api: Api, trained: dict[str, Any]) -> None:
    shown = api.get(f"{P}/summary/")
    assert (
        shown["counts"]["succeeded"],
        shown["counts"]["failed"],
        shown["counts"]["waiting"],
    ) == (1, 1, 0)
    (needs,) = shown["attention"]
    assert (
        needs["title"],
        needs["job"]["status"],
        bool(needs["summary"]),
        bool(needs["next_steps"]),
    ) == ("broken", "failed", True, True)
    (created,) = shown["results"]
    assert (created["kind"], created["name"], created["version"], created["job"]) == (
        "model",
        "line",
        1,
        trained["id"],
    )
    (producer,) = shown["producers"]
    assert (producer["name"], producer["title"], [run["status"] for run in producer["last"]]) == (
        "line",
        "Train line on points",
        ["succeeded"],
    )
    assert producer["usual_seconds"] > 0


def test_members_are_added_and_their_role_is_changed(
    api: Api, people: dict[str, Person], as_user: AsUser
) -> None:
    maintainer = as_user(people["maintainer"].token)
    maintainer.post("projects/", {"slug": "own", "name": "Own"})
    body = {"username": "stranger", "role": "viewer"}
    assert maintainer.post("projects/own/members/", body)["role"] == "viewer"
    assert (
        maintainer.refused("POST", "projects/own/members/", 409, "username", json=body)["code"]
        == "member_exists"
    )
    maintainer.refused(
        "POST", "projects/own/members/", 400, "username", json={**body, "username": "nobody-here"}
    )
    assert (
        maintainer("PATCH", "projects/own/members/stranger/", json={"role": "operator"}).json()[
            "role"
        ]
        == "operator"
    )
    maintainer.refused("PATCH", "projects/own/members/viewer/", 404, json={"role": "operator"})
    as_user(people["stranger"].token).refused("POST", "projects/own/members/", 403, json=body)
    for method, change in (
        ("PATCH", {"role": "viewer"}),
        ("PUT", {"role": "viewer"}),
        ("DELETE", None),
    ):
        refused = maintainer.refused(
            method, "projects/own/members/maintainer/", 409, **({"json": change} if change else {})
        )
        assert refused["code"] == "last_maintainer"
    assert api("DELETE", "projects/own/members/maintainer/").status_code == 204
