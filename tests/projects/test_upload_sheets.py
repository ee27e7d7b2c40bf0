"""Sheets of a staged workbook become one dataset, or one dataset each.

All versions are created or none, and each one owns a copy of the file.
"""

import contextlib
import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from projects.models import Dataset, DatasetVersion, StagedUpload
from projects.parsing import runner
from projects.storage import artifacts, quota
from projects.storage.sweep import unreferenced_objects_sweep
from tests.api.caller import Caller
from tests.support import make
from tests.support.workbooks import xls, xlsx_of

pytestmark = pytest.mark.django_db

TRIPS, ODD = "Trips 2025", 'שלום "&" O\'Brien <x>' + "x" * 179
BOOK = xlsx_of(
    {
        TRIPS: (["id", "n"], ["7", 1], ["8", 2]),
        ODD: (["id", "place"], ["9", "Pier"]),
        "Empty": (),
        "Notes": (["text"], ["a"]),
    },
    ["Notes"],
)


@pytest.fixture
def caller(settings: Any, tmp_path: Path) -> Caller:
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {**settings.STORAGES["artifacts"], "OPTIONS": {"location": str(tmp_path)}},
    }
    return Caller(make.project().created_by)


def _stage(caller: Caller, content: bytes = BOOK, **fields: str) -> Any:
    answer = caller.client.post(
        "/api/v1/projects/demo/uploads/",
        {"file": SimpleUploadedFile("trips.xlsx", content), **fields},
    )
    assert answer.status_code == 201, answer.content
    return answer.json()


def _accept(caller: Caller, staged: Any, *pairs: tuple[str, str], **body: Any) -> Any:
    datasets = [{"sheet": sheet, "name": name} for sheet, name in pairs]
    return caller.post(
        f"projects/demo/uploads/{staged['id']}/accept-sheets/", {"datasets": datasets, **body}
    )


def _objects() -> int:
    return sum(path.is_file() for path in Path(artifacts.backend().path("")).rglob("*"))


def test_each_sheet_becomes_a_dataset_that_stands_alone(caller: Caller) -> None:
    staged = _stage(caller, range="A:B", types='{"id": "integer"}')
    assert [(sheet["name"], sheet["rows"], sheet["hidden"]) for sheet in staged["sheets"]] == [
        (TRIPS, 3, False), (ODD, 2, False), ("Empty", 0, False), ("Notes", 2, True)
    ]  # fmt: skip
    answer = _accept(caller, staged, (TRIPS, "trips"), (ODD, "places"), ("Notes", "a-notes"))
    assert answer.status_code == 201, answer.content
    created = answer.json()["datasets"]
    assert [(one["name"], one["version"]["number"], one["version"]["row_count"]) for one in created] == [  # noqa: E501
        ("trips", 1, 2), ("places", 1, 1), ("a-notes", 1, 1)
    ]  # fmt: skip
    assert [[column["type"] for column in one["version"]["schema"]] for one in created] == [
        ["BIGINT", "BIGINT"],
        ["BIGINT", "VARCHAR"],
        ["VARCHAR"],
    ]
    assert [(one["version"]["reading"]["sheet"], one["version"]["reading"]["range"]) for one in created] == [  # noqa: E501
        (TRIPS, "A:B"), (ODD, "A:B"), ("Notes", "A:B")
    ]  # fmt: skip
    assert "types" not in created[2]["version"]["reading"]
    assert not StagedUpload.objects.exists()
    assert _objects() == 6
    stored = sum(
        version.size_bytes + version.table_size_bytes for version in DatasetVersion.objects.all()
    )
    assert caller.get("projects/demo/").json()["stored_bytes"] == stored > 3 * len(BOOK)
    unreferenced_objects_sweep(older_than=dt.timedelta(seconds=-1))
    assert _objects() == 6


def test_a_deleted_dataset_leaves_the_files_of_the_others(
    caller: Caller, django_capture_on_commit_callbacks: Any
) -> None:
    _accept(caller, _stage(caller), (TRIPS, "trips"), (ODD, "places"))
    for gone, stays in (("trips", ["places"]), ("places", [])):
        with django_capture_on_commit_callbacks(execute=True):
            assert caller.send("DELETE", f"projects/demo/datasets/{gone}/").status_code == 204
        assert _objects() == 2 * len(stays)
        for name in stays:
            content = caller.get(f"projects/demo/datasets/{name}/versions/1/content/")
            assert b"".join(content) == BOOK


def test_a_version_can_be_read_again_from_its_own_file_and_options(caller: Caller) -> None:
    _accept(caller, _stage(caller), (ODD, "places"))
    before = caller.get("projects/demo/datasets/places/versions/1/").json()
    staged = _stage(
        caller, sheet=before["reading"]["sheet"], header_row=str(before["reading"]["header_row"])
    )
    assert [
        {key: column[key] for key in ("name", "type")} for column in staged["reading"]["columns"]
    ] == before["schema"]


@pytest.mark.parametrize(
    ("pairs", "body", "status", "said"),
    [
        (
            [(TRIPS, "t"), (ODD, "t")],
            {},
            400,
            "2 sheets have the dataset name t. Use a different name for each",
        ),
        ([(TRIPS, "t"), ("April", "u")], {}, 400, "The workbook has no sheet April."),
        ([(TRIPS, "t"), ("Empty", "u")], {}, 400, "Sheet Empty has no cells. Choose another one."),
        (
            [(TRIPS, "t"), (ODD, "u")],
            {"types": {"place": "integer"}},
            400,
            f"Sheet {ODD}: Column place",
        ),
        ([(TRIPS, "t")], {"append_to": 1}, 400, "append_to"),
        ([(TRIPS, "t")], {"types": {"n": "colour"}}, 400, "is not a type"),
        ([(TRIPS, "a/b")], {}, 400, "letters"),
        ([(TRIPS, "validate")], {}, 400, "reserved"),
        ([], {}, 400, "datasets"),
        ([(TRIPS, f"t{number}") for number in range(101)], {}, 400, "100"),
    ],
)
def test_what_cannot_be_done_stores_nothing(
    caller: Caller, pairs: Any, body: dict[str, Any], status: int, said: str
) -> None:
    staged = _stage(caller)
    answer = _accept(caller, staged, *pairs, **body)
    assert answer.status_code == status
    assert said in answer.json()["message"] + str(answer.json()["detail"])
    assert (_objects(), Dataset.objects.count(), StagedUpload.objects.count()) == (1, 0, 1)


def test_a_refused_transaction_leaves_the_staged_file_alone(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, real = _stage(caller), runner.imported_each

    @contextlib.contextmanager
    def archived_meanwhile(*arguments: Any, **options: Any) -> Iterator[Any]:
        with real(*arguments, **options) as found:
            yield found
        StagedUpload.objects.get().project.__class__.objects.update(status="archived")

    monkeypatch.setattr(runner, "imported_each", archived_meanwhile)
    answer = _accept(caller, staged, (TRIPS, "trips"), (ODD, "places"))
    assert (answer.status_code, answer.json()["code"]) == (409, "project_archived")
    assert (
        _objects(),
        DatasetVersion.objects.count(),
        Dataset.objects.count(),
        StagedUpload.objects.count(),
    ) == (1, 0, 0, 1)


def test_copies_count_before_they_are_stored(caller: Caller, settings: Any) -> None:
    staged = _stage(caller)
    quota._recent_bytes.clear()
    settings.ENV = dataclasses.replace(settings.ENV, project_bytes_max=2 * len(BOOK))
    answer = _accept(caller, staged, (TRIPS, "a"), (ODD, "b"), ("Notes", "c"))
    assert (answer.status_code, answer.json()["code"]) == (413, "quota_exceeded")
    assert _objects() == 1


def test_a_file_that_is_not_a_workbook_has_no_sheets(caller: Caller) -> None:
    staged = _stage(caller, b"a,b\n1,2\n")
    assert staged["sheets"] == []
    assert (
        "the option sheet does not apply" in _accept(caller, staged, ("a", "t")).json()["message"]
    )


def test_sheets_stay_known_where_the_chosen_one_cannot_be_read(caller: Caller) -> None:
    staged = _stage(caller, sheet="Empty")
    assert (staged["reading"], staged["fault"]) == (
        None,
        "Sheet Empty has no cells. Choose another one.",
    )
    assert [sheet["name"] for sheet in staged["sheets"]] == [TRIPS, ODD, "Empty", "Notes"]
    changed = caller.send(
        "PATCH", f"projects/demo/uploads/{staged['id']}/", {"options": {"sheets": [TRIPS, ODD]}}
    ).json()
    assert [column["name"] for column in changed["reading"]["columns"]] == [
        "sheet",
        "id",
        "n",
        "place",
    ]
    assert changed["options"] == {"sheets": [TRIPS, ODD]}
    created = caller.post(f"projects/demo/uploads/{staged['id']}/accept/", {"name": "both"}).json()
    assert (created["version"]["row_count"], created["version"]["reading"]["sheets"]) == (
        3,
        [TRIPS, ODD],
    )


def test_a_direct_upload_reads_several_sheets(caller: Caller) -> None:
    fields = {"name": "t", "file": SimpleUploadedFile("t.xlsx", BOOK)}
    answer = caller.client.post(
        "/api/v1/projects/demo/datasets/", {**fields, "sheets": json.dumps([TRIPS, ODD])}
    )
    assert answer.status_code == 201, answer.content
    assert answer.json()["version"]["row_count"] == 3
    for wrong in ('{"a": 1}', "Trips", "[" * 5000):
        refused = caller.client.post(
            "/api/v1/projects/demo/datasets/",
            {"name": "t", "file": SimpleUploadedFile("t.xlsx", BOOK), "sheets": wrong},
        )
        assert (refused.status_code, list(refused.json()["detail"])) == (400, ["sheets"])


@pytest.mark.parametrize("name", ["a\\u0000b", "a\\ud800b"])
@pytest.mark.parametrize("field", ["sheets", "types", "sheet"])
def test_what_the_database_cannot_hold_is_refused(caller: Caller, field: str, name: str) -> None:
    given = {"sheets": f'["{name}"]', "types": f'{{"{name}": "text"}}'}
    answers = []
    if field in given:
        body = {"file": SimpleUploadedFile("trips.xlsx", BOOK), field: given[field]}
        answers.append(caller.client.post("/api/v1/projects/demo/uploads/", body))
    staged = _stage(caller)
    raw = {**given, "sheet": f'"{name}"'}[field]
    answers.append(
        caller.send(
            "PATCH",
            f"projects/demo/uploads/{staged['id']}/",
            f'{{"options": {{"{field}": {raw}}}}}',
        )
    )
    answers.append(
        caller.send(
            "POST",
            f"projects/demo/uploads/{staged['id']}/accept-sheets/",
            f'{{"datasets": [{{"sheet": "{name}", "name": "t"}}]}}',
        )
    )
    assert [answer.status_code for answer in answers] == [400] * len(answers), [
        answer.content for answer in answers
    ]


def test_cells_with_nul_are_read_without_it(caller: Caller) -> None:
    staged = _stage(caller, xls(["t\x00itle"], ["id", "a\x00b"], ["x\x00", 1], ["y", 2]))
    assert staged["fault"] == ""
    reading = staged["reading"]
    assert [column["name"] for column in reading["columns"]] == ["id", "ab"]
    assert reading["lines"][:2] == ["title", "id\tab"]
