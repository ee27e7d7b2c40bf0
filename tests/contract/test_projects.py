"""Projects, members, roles, datasets and pipelines through the frontend's port."""

import hashlib
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow.parquet
import pytest

from tests.contract.conftest import ROLES, Api, Person, command, upload

AsUser = Callable[[str | None], Api]
CSV = b"n,word\n1,one\n2,two\n3,three\n"


def test_a_project_is_created_read_changed_and_listed(api: Api) -> None:
    created = api.post("projects/", {"slug": "made", "name": "Made", "description": "For a test."})
    assert sorted(created) == [
        "automatic_resources", "created_at", "description", "name", "role", "slug", "status",
    ]  # fmt: skip
    assert created["automatic_resources"] is False
    assert (created["status"], created["role"]) == ("active", "maintainer")
    assert api.get("projects/made/") == {
        **created,
        "stored_bytes": 0,
        "stored_bytes_max": 200 * 1024**3,
    }
    changed = api("PATCH", "projects/made/", json={"name": "Changed"}).json()
    assert (changed["name"], changed["description"]) == ("Changed", "For a test.")
    automatic = api("PATCH", "projects/made/", json={"automatic_resources": True}).json()
    assert automatic == {**changed, "automatic_resources": True}
    assert "made" in [row["slug"] for row in api.every("projects/")]


@pytest.mark.parametrize("slug", ["", "UPPER", "a_b", "-a", "a-", "x" * 64, "a/b", "é", 5.5, None])
def test_a_slug_is_small_letters_digits_and_dashes(api: Api, slug: object) -> None:
    api.refused("POST", "projects/", 400, "slug", json={"slug": slug, "name": "N"})


def test_a_slug_is_taken_once(api: Api, project: str) -> None:
    assert (
        api.refused("POST", "projects/", 409, "slug", json={"slug": project, "name": "N"})["code"]
        == "slug_taken"
    )


def test_a_project_is_not_overwritten_with_a_stale_etag(api: Api) -> None:
    api.post("projects/", {"slug": "edited", "name": "N"})
    tag = api("GET", "projects/edited/").headers["ETag"]
    first = api("PATCH", "projects/edited/", json={"name": "First"}, headers={"If-Match": tag})
    assert (first.status_code, first.json()["name"]) == (200, "First")
    assert (
        api.refused(
            "PATCH", "projects/edited/", 412, json={"name": "Second"}, headers={"If-Match": tag}
        )["code"]
        == "precondition_failed"
    )
    again = api(
        "PATCH",
        "projects/edited/",
        json={"name": "Second"},
        headers={"If-Match": first.headers["ETag"]},
    )
    assert again.json()["name"] == "Second"


def test_an_archived_project_takes_no_changes_until_it_is_active_again(api: Api) -> None:
    api.post("projects/", {"slug": "archived", "name": "N"})
    upload(api, "archived", "t", CSV)
    api.post(
        "projects/archived/pipelines/",
        {"name": "p", "definition": {"steps": [command("a", ["true"])]}},
    )
    assert (
        api("PATCH", "projects/archived/", json={"status": "archived"}).json()["status"]
        == "archived"
    )
    body = {"type": "pipeline_execution", "parameters": {"pipeline": "p"}}
    assert (
        api.refused("POST", "projects/archived/jobs/", 409, json=body)["code"] == "project_archived"
    )
    assert upload(api, "archived", "t", CSV, 409)["code"] == "project_archived"
    api.refused(
        "POST",
        "projects/archived/pipelines/",
        409,
        json={"name": "p", "definition": {"steps": [command("a", ["true"])]}},
    )
    api.refused("PATCH", "projects/archived/", 409, json={"name": "Other"})
    assert api.get("projects/archived/datasets/")["results"][0]["name"] == "t"
    assert api("PATCH", "projects/archived/", json={"status": "active"}).status_code == 200
    assert upload(api, "archived", "t", CSV)["version"]["number"] == 2


def test_lists_are_paginated_without_gaps_or_duplicates(api: Api) -> None:
    api.post("projects/", {"slug": "listed", "name": "N"})
    names = [f"p{number:02}" for number in range(7)]
    for name in names:
        api.post(
            "projects/listed/pipelines/",
            {"name": name, "definition": {"steps": [command("a", ["true"])]}},
        )
    first = api.get("projects/listed/pipelines/", limit=3)
    assert [row["name"] for row in first["results"]] == names[:3]
    # Rows inserted before the cursor do not change the pages after it.
    api.post(
        "projects/listed/pipelines/",
        {"name": "a-new-one", "definition": {"steps": [command("a", ["true"])]}},
    )
    rest = api.get(first["next"])["results"]
    assert [row["name"] for row in rest] == names[3:6]
    assert [row["name"] for row in api.every("projects/listed/pipelines/", limit=2)] == [
        "a-new-one",
        *names,
    ]
    api.refused("GET", "projects/listed/pipelines/", 400, "cursor", params={"cursor": "made-up"})
    api.refused("GET", "projects/listed/pipelines/", 400, "limit", params={"limit": 1000})


def test_a_stranger_gets_404_and_a_lesser_role_403(
    project: str, people: dict[str, Person], as_user: AsUser, api: Api
) -> None:
    missing = as_user(people["stranger"].token).refused("GET", "projects/none/", 404)
    assert as_user(people["stranger"].token).refused("GET", f"projects/{project}/", 404) == missing
    assert project not in [
        row["slug"] for row in as_user(people["stranger"].token).every("projects/")
    ]
    run = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
    for name in ROLES:
        mine = as_user(people[name].token)
        assert mine.get(f"projects/{project}/")["role"] == name
        status = {"viewer": 403}.get(name, 201)
        assert mine("POST", f"projects/{project}/jobs/", json=run).status_code == status
        status = {"maintainer": 201}.get(name, 403)
        answer = mine(
            "POST",
            f"projects/{project}/datasets/",
            data={"name": "by-role"},
            files={"file": ("x", CSV)},
        )
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["detail"] == {"role": name, "needed": "maintainer"}


def test_members_are_set_listed_and_removed(
    api: Api, people: dict[str, Person], as_user: AsUser
) -> None:
    api.post("projects/", {"slug": "members", "name": "N"})
    stranger = as_user(people["stranger"].token)
    assert (
        api("PUT", "projects/members/members/stranger/", json={"role": "viewer"}).json()["role"]
        == "viewer"
    )
    assert stranger.get("projects/members/")["role"] == "viewer"
    assert (
        sorted(row["username"] for row in api.every("projects/members/members/"))[-1] == "stranger"
    )
    assert (
        api("PUT", "projects/members/members/stranger/", json={"role": "operator"}).json()["role"]
        == "operator"
    )
    assert [api("DELETE", "projects/members/members/stranger/").status_code for _ in range(2)] == [
        204,
        204,
    ]
    stranger.refused("GET", "projects/members/", 404)
    api.refused("PUT", "projects/members/members/stranger/", 400, "role", json={"role": "king"})
    api.refused("PUT", "projects/members/members/nobody-here/", 404, json={"role": "viewer"})
    api.refused(
        "POST",
        "projects/members/members/",
        400,
        "username",
        json={"username": "nobody-here", "role": "viewer"},
    )


def test_a_dataset_is_uploaded_in_versions_and_read_in_every_form(api: Api, project: str) -> None:
    first = upload(api, project, "forms", CSV)
    assert sorted(first) == ["name", "version"]
    version = first["version"]
    assert {"number", "row_count", "size_bytes", "sha256", "schema"} <= set(version)
    assert (version["number"], version["row_count"], version["size_bytes"]) == (1, 3, len(CSV))
    assert version["sha256"] == hashlib.sha256(CSV).hexdigest()
    assert version["schema"] == [
        {"name": "n", "type": "BIGINT"},
        {"name": "word", "type": "VARCHAR"},
    ]
    assert upload(api, project, "forms", b'{"n": 9}\n')["version"]["number"] == 2

    base = f"projects/{project}/datasets/forms/versions"
    content = api("GET", f"{base}/1/content/")
    assert content.content == CSV
    assert content.headers["X-Content-Type-Options"] == "nosniff"
    assert content.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in content.headers["Content-Security-Policy"]
    table = pyarrow.parquet.read_table(
        io.BytesIO(api("GET", f"{base}/1/content/", params={"as": "parquet"}).content)
    )
    assert table.to_pydict() == {"n": [1, 2, 3], "word": ["one", "two", "three"]}
    assert api("GET", f"{base}/latest/content/", params={"as": "csv"}).content.split() == [
        b"n",
        b"9",
    ]
    api.refused("GET", f"{base}/1/content/", 400, "as", params={"as": "xlsx"})
    api.refused("GET", f"{base}/3/content/", 404)

    rows = api.get(f"{base}/1/rows/", limit=2)
    assert rows == {
        "columns": version["schema"],
        "rows": [[1, "one"], [2, "two"]],
        "truncated": True,
    }
    assert api.get(f"{base}/1/rows/")["truncated"] is False
    api.refused("GET", f"{base}/1/rows/", 400, "limit", params={"limit": 0})
    assert [
        row["number"] for row in api.get(f"projects/{project}/datasets/forms/")["versions"]
    ] == [2, 1]
    listed = {
        row["name"]: row["version"]["number"] for row in api.every(f"projects/{project}/datasets/")
    }
    assert listed["forms"] == 2


def test_two_uploads_to_one_name_at_once_are_two_versions(api: Api, project: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        created = list(
            pool.map(lambda number: upload(api, project, "at-once", b"n\n%d\n" % number), range(4))
        )
    assert sorted(one["version"]["number"] for one in created) == [1, 2, 3, 4]
    assert len({one["version"]["sha256"] for one in created}) == 4
    for one in created:
        content = api(
            "GET",
            f"projects/{project}/datasets/at-once/versions/{one['version']['number']}/content/",
        ).content
        assert hashlib.sha256(content).hexdigest() == one["version"]["sha256"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04zip", "zip"),
        (b"", "empty"),
        (b"a,b\n1,2\n1,2,3\n", "line 3"),
        (bytes(range(256)) * 10, "UTF-8"),
    ],
)
def test_a_file_that_is_not_a_table_is_refused_by_its_content(
    api: Api, project: str, content: bytes, said: str
) -> None:
    error = upload(api, project, "refused", content, 400)
    assert said.lower() in error["message"].lower()
    api.refused("GET", f"projects/{project}/datasets/refused/", 404)


def test_a_dataset_has_a_name_that_is_valid_in_paths(api: Api, project: str) -> None:
    for name in ("", "a/b", "../x", ".x", "x" * 201, "é"):
        answer = api(
            "POST", f"projects/{project}/datasets/", data={"name": name}, files={"file": ("x", CSV)}
        )
        assert answer.status_code == 400
        assert "name" in answer.json()["detail"]


def test_a_pipeline_is_saved_in_versions_that_do_not_change(api: Api, project: str) -> None:
    one, two = ({"steps": [command("a", ["echo", text])]} for text in ("one", "two"))
    first = api.post(f"projects/{project}/pipelines/", {"name": "versions", "definition": one})
    assert (first["name"], first["version"]["number"], first["version"]["definition"]) == (
        "versions",
        1,
        one,
    )
    tag = api("GET", f"projects/{project}/pipelines/versions/").headers["ETag"]
    saved = api(
        "POST",
        f"projects/{project}/pipelines/",
        json={"name": "versions", "definition": two},
        headers={"If-Match": tag},
    )
    assert saved.json()["version"]["number"] == 2
    api.refused(
        "POST",
        f"projects/{project}/pipelines/",
        412,
        json={"name": "versions", "definition": one},
        headers={"If-Match": tag},
    )
    shown = api.get(f"projects/{project}/pipelines/versions/")["versions"]
    assert [(row["number"], row["definition"]) for row in shown] == [(2, two), (1, one)]


def test_a_definition_is_checked_without_saving_it(api: Api, project: str) -> None:
    good = {
        "steps": [
            {"id": "t", "uses": "read", "with": {"dataset": "numbers"}},
            {"id": "u", "uses": "sql", "with": {"query": "SELECT * FROM t"}},
            {"id": "w", "uses": "write", "with": {"dataset": "out", "from": "u"}},
        ]
    }
    checked = api.post(f"projects/{project}/pipelines/validate/", {"definition": good}, 200)
    nodes = [{"id": step["id"], "uses": step["uses"]} for step in good["steps"]]
    assert (checked["valid"], checked["can_be_saved"], checked["errors"]) == (True, True, [])
    assert checked["graph"] == {"nodes": nodes, "edges": [["t", "u"], ["u", "w"]]}
    assert [step["status"] for step in checked["steps"]] == ["checked"] * 3
    bad = {
        "steps": [
            {"id": "1", "uses": "sql", "with": {"query": "DROP TABLE x"}},
            {"id": "b", "uses": "fly", "with": {}},
        ]
    }
    checked = api.post(f"projects/{project}/pipelines/validate/", {"definition": bad}, 200)
    assert (checked["valid"], checked["graph"]) == (False, {"nodes": [], "edges": []})
    assert [fault["path"] for fault in checked["errors"]] == [
        "steps[0].id",
        "steps[0].with.query",
        "steps[1].uses",
    ]


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        ({}, "definition.steps"),
        ({"steps": []}, "definition.steps"),
        ({"steps": [command("a", [])]}, "definition.steps[0].with.argv"),
        ({"steps": [command("a", ["x"]), command("A", ["x"])]}, "definition.steps[1].id"),
        ({"steps": [command("a", ["x"], needs=["b"])]}, "definition.steps[0].needs[0]"),
        (
            {"steps": [{"id": "a", "uses": "read", "with": {"url": "file:///etc/passwd"}}]},
            "definition.steps[0].with.url",
        ),
        (
            {"steps": [{"id": "a", "uses": "sql", "with": {"query": "SELECT * FROM b"}}]},
            "definition.steps[0].with.query",
        ),
        ({"steps": [command("a", ["x"])], "other": 1}, "definition.other"),
    ],
)
def test_a_wrong_definition_is_refused_with_the_path_of_the_field(
    api: Api, project: str, definition: object, path: str
) -> None:
    error = api.refused(
        "POST",
        f"projects/{project}/pipelines/",
        400,
        path,
        json={"name": "wrong", "definition": definition},
    )
    assert error["code"] == "invalid_definition"
    api.refused("GET", f"projects/{project}/pipelines/wrong/", 404)
