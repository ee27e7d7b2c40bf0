"""Staged uploads.

A file is sent once, read again with other options, and accepted as a version. Only its user sees
it.
"""

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from jobs.reconcile import housekeeping
from mimir.lib.clock import utc_now
from projects.models import DatasetVersion, Role, StagedUpload
from projects.parsing import runner
from projects.storage import artifacts, quota
from projects.storage.sweep import unreferenced_objects_sweep
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

CSV = b"day;n\n01/02/2020;1,5\n03/04/2020;2,5\n"


@pytest.fixture
def caller(settings: Any, tmp_path: Path) -> Caller:
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {**settings.STORAGES["artifacts"], "OPTIONS": {"location": str(tmp_path)}},
    }
    return Caller(make.project().created_by)


def _stage(caller: Caller, content: bytes = CSV, **fields: str) -> Any:
    return caller.client.post(
        "/api/v1/projects/demo/uploads/",
        {"file": SimpleUploadedFile("sales.csv", content), **fields},
    )


def _objects() -> int:
    return sum(path.is_file() for path in Path(artifacts.backend().path("")).rglob("*"))


def test_lists_of_a_json_file_become_rows_in_a_form_and_in_a_change(caller: Caller) -> None:
    content = (
        b'[{"id": 1, "tags": ["a", "b"], "at": 1700000000, "n": [1]}, {"id": 2, "tags": [], "at": '
        b"1700000001}]"
    )
    staged = _stage(caller, content, lists="first").json()
    assert staged["reading"]["list_columns"] == [{"name": "tags"}, {"name": "n"}]
    assert [warning["code"] for warning in staged["reading"]["warnings"]] == [
        "list_items_dropped",
        "possible_unix_times",
    ]
    path = f"projects/demo/uploads/{staged['id']}/"
    several = caller.send("PATCH", path, {"options": {"lists": "rows"}}).json()
    assert (
        several["fault"]
        == "2 columns have lists: tags, n. Choose in list_column which one becomes rows."
    )
    options = {
        "lists": "rows",
        "list_column": "tags",
        "types": {"at": "timestamptz"},
        "date_formats": ["unix-seconds"],
    }
    changed = caller.send("PATCH", path, {"options": options}).json()
    assert [row[:3] for row in changed["reading"]["rows"]][1:] == [
        [1, "b", "2023-11-14 22:13:20+00"],
        [2, None, "2023-11-14 22:13:21+00"],
    ]
    assert caller.post(f"{path}accept/", {"name": "tags"}).json()["version"]["row_count"] == 3
    for wrong, field in (
        ({"lists": "all"}, "lists"),
        ({"list_column": "tags"}, "list_column"),
        ({"date_formats": ["unix"]}, "date_formats"),
    ):
        answer = caller.send(
            "PATCH", path.replace(staged["id"], _stage(caller).json()["id"]), {"options": wrong}
        )
        assert (answer.status_code, field in str(answer.json()["detail"])) == (400, True)


def test_a_file_is_sent_once_read_with_other_options_and_accepted(caller: Caller) -> None:
    staged = _stage(caller).json()
    assert staged["fault"] == ""
    assert [column["type"] for column in staged["reading"]["columns"]] == ["VARCHAR", "DOUBLE"]
    assert staged["reading"]["options"]["delimiter"] == ";"
    assert staged["reading"]["cells"] == [["01/02/2020", "1,5"], ["03/04/2020", "2,5"]]
    assert [warning["code"] for warning in staged["reading"]["warnings"]] == [
        "number_marks",
        "ambiguous_dates",
    ]
    path = f"projects/demo/uploads/{staged['id']}/"
    changed = caller.send(
        "PATCH", path, {"options": {"date_formats": ["day-first"], "types": {"n": "text"}}}
    ).json()
    assert changed["reading"]["rows"] == [["2020-02-01", "1,5"], ["2020-04-03", "2,5"]]
    assert caller.get(path).json() == changed
    assert caller.get("projects/demo/uploads/").json()["results"][0]["id"] == staged["id"]
    answer = caller.post(f"{path}accept/", {"name": "sales"})
    assert answer.status_code == 201, answer.content
    version = answer.json()["version"]
    assert ([column["type"] for column in version["schema"]], version["sha256"]) == (
        ["DATE", "VARCHAR"],
        staged["sha256"],
    )
    assert version["reading"]["date_formats"] == ["day-first"]
    assert caller.get("projects/demo/datasets/sales/versions/1/").json() == {**version, "uses": []}
    assert caller.get("projects/demo/datasets/sales/versions/1/rows/").json()["rows"][0] == [
        "2020-02-01",
        "1,5",
    ]
    with artifacts.open_file(DatasetVersion.objects.get().storage_key) as original:
        assert original.read() == CSV
    assert caller.get(path).status_code == 404
    assert caller.post(f"{path}accept/", {"name": "sales"}).status_code == 404
    assert _objects() == 2


def test_a_file_that_cannot_be_read_is_kept_until_the_options_fit(caller: Caller) -> None:
    staged = _stage(caller, b"a,b\n1,2\n1,2,3\n").json()
    assert staged["reading"] is None
    assert "Line 3" in staged["fault"]
    path = f"projects/demo/uploads/{staged['id']}/"
    assert caller.post(f"{path}accept/", {"name": "t"}).json()["code"] == "unreadable_file"
    changed = caller.send("PATCH", path, {"options": {"delimiter": ";"}}).json()
    assert (changed["fault"], changed["reading"]["row_count"]) == ("", 2)


def test_a_sample_says_that_it_is_one(caller: Caller) -> None:
    content = b"a,b\n" + b"1," + b"x" * 2000 + b"\n"
    content += content[4:] * 2499
    staged = _stage(caller, content, delimiter=",").json()
    assert (staged["reading"]["complete"], staged["reading"]["row_count"]) == (True, 2500)
    changed = caller.send(
        "PATCH",
        f"projects/demo/uploads/{staged['id']}/",
        {"options": {"header_row": "none"}, "sample": True},
    ).json()
    assert changed["reading"]["complete"] is False
    assert 0 < changed["reading"]["row_count"] < 2501


@pytest.mark.parametrize("header_row", ["none", "2", 2, 0])
def test_options_can_be_sent_as_they_are_answered(caller: Caller, header_row: str | int) -> None:
    staged = _stage(caller, b"a,b\n1,2\n3,4\n").json()
    path = f"projects/demo/uploads/{staged['id']}/"
    options = caller.send(
        "PATCH", path, {"options": {"header_row": header_row, "quote": "none"}}
    ).json()["options"]
    assert options["header_row"] == (0 if header_row == "none" else int(header_row))
    assert caller.send("PATCH", path, {"options": options}).json()["options"] == options


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"delimiter": "ab"}, "delimiter"),
        ({"types": {"a": "colour"}}, "types"),
        ({"date_formats": ["%Q"]}, "date_formats"),
        ({"decimal_mark": ",", "thousands_mark": ","}, "thousands_mark"),
        ({"header_row": "first"}, "header_row"),
        ({"encoding": "rot13"}, "encoding"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_option_is_named(caller: Caller, options: dict[str, Any], field: str) -> None:
    staged = _stage(caller).json()
    answer = caller.send("PATCH", f"projects/demo/uploads/{staged['id']}/", {"options": options})
    assert answer.status_code == 400
    assert field in str(answer.json()["detail"])


def test_only_its_author_sees_an_upload_and_only_maintainers_stage(caller: Caller) -> None:
    staged = _stage(caller).json()
    project = StagedUpload.objects.get().project
    other = Caller(make.member(project, "other", Role.MAINTAINER))
    viewer = Caller(make.member(project, "viewer", Role.VIEWER))
    for reader, status in ((other, 404), (viewer, 403)):
        for answer in (
            reader.get(f"projects/demo/uploads/{staged['id']}/"),
            reader.send("DELETE", f"projects/demo/uploads/{staged['id']}/"),
            reader.post(f"projects/demo/uploads/{staged['id']}/accept/", {"name": "t"}),
        ):
            assert answer.status_code == status
    assert _stage(viewer).status_code == 403


def test_an_upload_that_expires_or_is_deleted_leaves_nothing(caller: Caller) -> None:
    deleted = _stage(caller).json()
    assert caller.send("DELETE", f"projects/demo/uploads/{deleted['id']}/").status_code == 204
    assert _objects() == 0
    _stage(caller)
    unreferenced_objects_sweep(older_than=dt.timedelta(seconds=-1))
    assert _objects() == 1, "the object of a staged upload is needed"
    StagedUpload.objects.update(expires_at=utc_now() - dt.timedelta(seconds=1))
    assert caller.get("projects/demo/uploads/").json()["results"] == []
    housekeeping.storage_sweep()
    unreferenced_objects_sweep(older_than=dt.timedelta(seconds=-1))
    assert (_objects(), StagedUpload.objects.count()) == (0, 0)


def test_an_upload_takes_the_options_and_keeps_what_was_noticed(caller: Caller) -> None:
    content = b"a;b\nx;1.234\ny;n/a\n"
    fields = {
        "name": "t",
        "file": SimpleUploadedFile("t", content),
        "decimal_mark": "comma",
        "thousands_mark": "point",
    }
    answer = caller.client.post("/api/v1/projects/demo/datasets/", fields)
    assert answer.status_code == 201, answer.content
    version = answer.json()["version"]
    assert [warning["code"] for warning in version["warnings"]] == ["missing_words"]
    assert version["warnings"][0]["message"].startswith('Column b: 1 of 2 cells are "n/a" (row 2).')
    assert caller.get("projects/demo/datasets/t/versions/1/rows/").json()["rows"] == [
        ["x", 1234.0],
        ["y", None],
    ]
    assert DatasetVersion.objects.get().warnings == version["warnings"]


def _accepted(caller: Caller, content: bytes, **body: Any) -> Any:
    staged = _stage(caller, content).json()
    assert staged["fault"] == ""
    return caller.post(f"projects/demo/uploads/{staged['id']}/accept/", {"name": "sales", **body})


def test_rows_are_added_below_those_of_the_current_version(caller: Caller) -> None:
    first = _accepted(caller, b"shop,code,amount,day\nA,007,1.5,2026-01-01\n").json()["version"]
    assert [column["type"] for column in first["schema"]] == [
        "VARCHAR",
        "VARCHAR",
        "DOUBLE",
        "DATE",
    ]
    # Alone, this file's code and amount would be integers and its day text; its columns are in
    # another order.
    answer = _accepted(caller, b"code,shop,day,amount\n8,B,n/a,3\n9,C,2026-01-02,4\n", append_to=1)
    assert answer.status_code == 201, answer.content
    version = answer.json()["version"]
    assert (version["number"], version["row_count"], version["format"], version["schema"]) == (
        2,
        3,
        "parquet",
        first["schema"],
    )
    assert version["warnings"][0] == {
        "code": "rows_added",
        "params": {"version": 1, "before": 1, "rows": 2},
        "message": "Added 2 rows of the file below 1 row of version 1.",
    }
    rows = caller.get("projects/demo/datasets/sales/versions/2/rows/").json()["rows"]
    assert rows == [
        ["A", "007", 1.5, "2026-01-01"],
        ["B", "8", 3.0, None],
        ["C", "9", 4.0, "2026-01-02"],
    ]
    assert caller.get("projects/demo/datasets/sales/versions/1/rows/").json()["rows"] == [
        ["A", "007", 1.5, "2026-01-01"]
    ]
    copy = b"".join(
        caller.client.get("/api/v1/projects/demo/datasets/sales/versions/2/content/?as=csv")
    )
    assert copy.splitlines() == [
        b"shop,code,amount,day",
        b"A,007,1.5,2026-01-01",
        b"B,8,3.0,",
        b"C,9,4.0,2026-01-02",
    ]
    assert StagedUpload.objects.count() == 0
    assert (
        _objects() == 3
    )  # the first file and its table, the second table; the second file is not kept


def test_rows_are_added_to_a_parquet_version_and_again(caller: Caller) -> None:
    _accepted(caller, b"n\n1\n")
    _accepted(caller, b"n\n2\n", append_to=1)
    assert (
        _accepted(caller, b"n\n3\n", append_to=2, make_current=False).json()["version"]["row_count"]
        == 3
    )
    assert caller.get("projects/demo/datasets/sales/versions/3/rows/").json()["rows"] == [
        [1],
        [2],
        [3],
    ]
    answer = _accepted(caller, b"n\n4\n", append_to=3)
    assert (answer.status_code, answer.json()["code"]) == (409, "current_version_changed")
    assert "Version 3 is not the current version of dataset sales" in answer.json()["message"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"a,c\n1,x\n", ["Column b is missing.", "Column c is new."]),
        (b"a,b,c\n1,x,2\n", ["Column c is new."]),
        (b"a,b\nseven,x\n", ["seven"]),
        (b"a,b\n1.5,x\n", ["1.5"]),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_is_changed(
    caller: Caller, content: bytes, named: list[str]
) -> None:
    _accepted(caller, b"a,b\n1,x\n")
    before = _objects()
    answer = _accepted(caller, content, append_to=1)
    assert answer.status_code == 400
    assert all(phrase in answer.json()["message"] for phrase in named), answer.json()
    assert (DatasetVersion.objects.count(), StagedUpload.objects.count(), _objects()) == (
        1,
        1,
        before + 1,
    )
    assert (
        _accepted(caller, b"a,b\n2,y\n", append_to=1).status_code == 201
    )  # no remaining rows prevent the deletion


def test_rows_are_added_to_a_dataset_that_is_there(caller: Caller) -> None:
    answer = _accepted(caller, b"a\n1\n", append_to=1)
    assert (answer.status_code, answer.json()["message"]) == (
        404,
        "There is no dataset sales in this project.",
    )


def test_a_version_created_meanwhile_is_a_conflict(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _accepted(caller, b"n\n1\n")
    joined = runner.joined

    @contextlib.contextmanager
    def slow(*arguments: Any, **options: Any) -> Iterator[Any]:
        with joined(*arguments, **options) as found:
            assert _accepted(caller, b"n\n5\n").status_code == 201
            yield found

    monkeypatch.setattr(runner, "joined", slow)
    answer = _accepted(caller, b"n\n2\n", append_to=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "current_version_changed")
    assert [version.number for version in DatasetVersion.objects.all()] == [2, 1]
    assert StagedUpload.objects.count() == 1
    assert _objects() == 5  # two files with their tables, and the file that is still staged


def test_a_project_over_its_quota_takes_no_joined_table(caller: Caller, settings: Any) -> None:
    _accepted(caller, b"n\n1\n")
    staged = _stage(caller, b"n\n2\n").json()
    quota._recent_bytes.clear()
    settings.ENV = dataclasses.replace(
        settings.ENV, project_bytes_max=caller.get("projects/demo/").json()["stored_bytes"] + 5
    )
    answer = caller.post(
        f"projects/demo/uploads/{staged['id']}/accept/", {"name": "sales", "append_to": 1}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "quota_exceeded")
