"""Staged uploads: a file is sent once, its reading is changed, and it becomes a version; nobody else sees it."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from jobs.services import housekeeping
from mimir.lib.clock import utc_now
from projects import storage
from projects.models import DatasetVersion, Role, StagedUpload
from projects.services import unreferenced_objects_sweep
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

CSV = b"day;n\n01/02/2020;1,5\n03/04/2020;2,5\n"


@pytest.fixture
def caller(settings: Any, tmp_path: Path) -> Caller:
    settings.STORAGES = {**settings.STORAGES, "artifacts": {**settings.STORAGES["artifacts"], "OPTIONS": {"location": str(tmp_path)}}}
    return Caller(make.project().created_by)


def _stage(caller: Caller, content: bytes = CSV, **fields: str) -> Any:
    return caller.client.post("/api/v1/projects/demo/uploads/", {"file": SimpleUploadedFile("sales.csv", content), **fields})


def _objects() -> int:
    return sum(path.is_file() for path in Path(storage.artifacts().path("")).rglob("*"))


def test_a_file_is_sent_once_read_with_other_options_and_accepted(caller: Caller) -> None:
    staged = _stage(caller).json()
    assert staged["fault"] == ""
    assert [column["type"] for column in staged["reading"]["columns"]] == ["VARCHAR", "DOUBLE"]
    assert staged["reading"]["options"]["delimiter"] == ";"
    assert staged["reading"]["cells"] == [["01/02/2020", "1,5"], ["03/04/2020", "2,5"]]
    assert [warning["code"] for warning in staged["reading"]["warnings"]] == ["number_marks", "ambiguous_dates"]
    path = f"projects/demo/uploads/{staged['id']}/"
    changed = caller.send("PATCH", path, {"options": {"date_formats": ["day-first"], "types": {"n": "text"}}}).json()
    assert changed["reading"]["rows"] == [["2020-02-01", "1,5"], ["2020-04-03", "2,5"]]
    assert caller.get(path).json() == changed
    assert caller.get("projects/demo/uploads/").json()["results"][0]["id"] == staged["id"]
    answer = caller.post(f"{path}accept/", {"name": "sales"})
    assert answer.status_code == 201, answer.content
    version = answer.json()["version"]
    assert ([column["type"] for column in version["schema"]], version["sha256"]) == (["DATE", "VARCHAR"], staged["sha256"])
    assert version["reading"]["date_formats"] == ["day-first"]
    assert caller.get("projects/demo/datasets/sales/versions/1/").json() == {**version, "uses": []}
    assert caller.get("projects/demo/datasets/sales/versions/1/rows/").json()["rows"][0] == ["2020-02-01", "1,5"]
    with storage.object_open(DatasetVersion.objects.get().storage_key) as original:
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
    changed = caller.send("PATCH", f"projects/demo/uploads/{staged['id']}/", {"options": {"header_row": "none"}, "sample": True}).json()
    assert changed["reading"]["complete"] is False
    assert 0 < changed["reading"]["row_count"] < 2501


@pytest.mark.parametrize("header_row", ["none", "2", 2, 0])
def test_options_can_be_sent_as_they_are_answered(caller: Caller, header_row: str | int) -> None:
    staged = _stage(caller, b"a,b\n1,2\n3,4\n").json()
    path = f"projects/demo/uploads/{staged['id']}/"
    options = caller.send("PATCH", path, {"options": {"header_row": header_row, "quote": "none"}}).json()["options"]
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
    fields = {"name": "t", "file": SimpleUploadedFile("t", content), "decimal_mark": "comma", "thousands_mark": "point"}
    answer = caller.client.post("/api/v1/projects/demo/datasets/", fields)
    assert answer.status_code == 201, answer.content
    version = answer.json()["version"]
    assert [warning["code"] for warning in version["warnings"]] == ["missing_words"]
    assert version["warnings"][0]["message"].startswith('Column b: 1 of 2 cells are "n/a" (row 2).')
    assert caller.get("projects/demo/datasets/t/versions/1/rows/").json()["rows"] == [["x", 1234.0], ["y", None]]
    assert DatasetVersion.objects.get().warnings == version["warnings"]
