"""Uploads: tables in every supported format, files without a table, and limits.

The content decides the format, not the file name.
"""

import bz2
import contextlib
import gzip
import hashlib
import io
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from mimir.lib.inspection import run_sql
from mimir.lib.tables import NotATable
from projects.datasets.uploads_write import dataset_upload
from projects.models import Dataset, DatasetVersion
from projects.parsing import runner
from projects.parsing.slots import Kind, Slots
from projects.storage import artifacts
from tests.api.caller import Caller
from tests.support import make
from tests.support.reading import read_bytes

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    created_by = make.project().created_by
    assert created_by is not None
    return Caller(created_by)


def _upload(caller: Caller, content: bytes, name: str = "t") -> Any:
    return caller.client.post(
        "/api/v1/projects/demo/datasets/",
        {"name": name, "file": SimpleUploadedFile("holiday.jpg", content)},
    )


@pytest.fixture(autouse=True)
def _own_storage(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {
            **settings.STORAGES["artifacts"],
            "OPTIONS": {"location": str(tmp_path / "objects")},
        },
    }


def _objects() -> list[Path]:
    return [path for path in Path(artifacts.backend().path("")).rglob("*") if path.is_file()]


def _parquet(**columns: list[Any]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "schema", "rows"),
    [
        (b"a,b\n1,x\n2,y\n", {"a": "BIGINT", "b": "VARCHAR"}, [[1, "x"], [2, "y"]]),
        (b"a;b\r\n1;x\r\n2;y\r\n", {"a": "BIGINT", "b": "VARCHAR"}, [[1, "x"], [2, "y"]]),
        (b"a\tb\n1\tx\n", {"a": "BIGINT", "b": "VARCHAR"}, [[1, "x"]]),
        (b"a|b\n1|x\n", {"a": "BIGINT", "b": "VARCHAR"}, [[1, "x"]]),
        (b"\xef\xbb\xbfa,b\n1,x\n", {"a": "BIGINT", "b": "VARCHAR"}, [[1, "x"]]),
        (b"a,b\n1,x", {"a": "BIGINT", "b": "VARCHAR"}, [[1, "x"]]),
        (
            b'a,b\n1,"x, with ""quotes""\nand a line"\n',
            {"a": "BIGINT", "b": "VARCHAR"},
            [[1, 'x, with "quotes"\nand a line']],
        ),
        (b"a\n", {"a": "VARCHAR"}, []),
        (b"a,b\n1,\n,y\n", {"a": "BIGINT", "b": "VARCHAR"}, [[1, None], [None, "y"]]),
        (b"code,price\n007,1.5\n", {"code": "VARCHAR", "price": "DOUBLE"}, [["007", 1.5]]),
        (b"when,ok\n2026-01-02,true\n", {"when": "DATE", "ok": "BOOLEAN"}, [["2026-01-02", True]]),
        (
            b"a,A,,a b \n1,2,3,4\n",
            {"a": "BIGINT", "A_2": "BIGINT", "column3": "BIGINT", "a b": "BIGINT"},
            [[1, 2, 3, 4]],
        ),
        (b"# no comment,b\n#1,x\n", {"# no comment": "VARCHAR", "b": "VARCHAR"}, [["#1", "x"]]),
        ("naïve,Ж\n1,х\n".encode(), {"naïve": "BIGINT", "Ж": "VARCHAR"}, [[1, "х"]]),
        (b'"a""b","sel\'ect"\n1,2\n', {'a"b': "BIGINT", "sel'ect": "BIGINT"}, [[1, 2]]),
        (
            b"<script>\n<script>alert(1)</script>\n",
            {"<script>": "VARCHAR"},
            [["<script>alert(1)</script>"]],
        ),
        (b'{"a": 1, "b": "x"}\n{"a": 2}\n', {"a": "BIGINT", "b": "VARCHAR"}, [[1, "x"], [2, None]]),
        (b'{"a": {"b": [1, 2]}}\n', {"a": "STRUCT(b BIGINT[])"}, [[{"b": [1, 2]}]]),
        (
            _parquet(n=[1, 2], word=["x", None]),
            {"n": "BIGINT", "word": "VARCHAR"},
            [[1, "x"], [2, None]],
        ),
        (_parquet(n=[float("nan"), float("inf")]), {"n": "DOUBLE"}, [["nan"], ["inf"]]),
    ],
    ids=lambda value: value[:18] if isinstance(value, bytes) else "",
)
def test_a_table_is_read_as_it_is(
    tmp_path: Path, content: bytes, schema: dict[str, str], rows: list[Any]
) -> None:
    found = read_bytes(tmp_path, content)
    assert {column["name"]: column["type"] for column in found.schema} == schema
    read = run_sql(found.connection, found.rows_sql)
    assert [list(map(str, row)) for row in read] == [list(map(str, row)) for row in rows]
    assert found.row_count == len(rows)


def test_an_upload_is_shown_as_json(caller: Caller) -> None:
    content = b"n,day,word\n1,2026-01-02,<b>\n,,\n"
    version = _upload(caller, content).json()["version"]
    assert (version["row_count"], version["sha256"], version["format"]) == (
        2,
        hashlib.sha256(content).hexdigest(),
        "csv",
    )
    rows = caller.get("projects/demo/datasets/t/versions/latest/rows/").json()["rows"]
    assert rows == [[1, "2026-01-02", "<b>"], [None, None, None]]


def test_what_json_cannot_hold_is_shown_as_text(caller: Caller) -> None:
    _upload(
        caller,
        _parquet(
            n=[float("nan"), float("inf"), 1.5],
            text=["a\x00b", "x" * 3000, None],
            nested=[{"a": [1]}, None, None],
        ),
    )
    rows = caller.get("projects/demo/datasets/t/versions/latest/rows/").json()["rows"]
    assert [row[0] for row in rows] == ["nan", "inf", 1.5]
    assert (rows[0][1], len(rows[1][1]), rows[2][1]) == ("a\ufffdb", 2001, None)
    assert rows[0][2] == '{"a":[1]}'


def _zip(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), "a\n1\n")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n\t\n", "white space"),
        (gzip.compress(b"a\n1\n", mtime=0)[:-9], "truncated"),
        (gzip.compress(gzip.compress(b"a\n1\n", mtime=0), mtime=0), "gzip"),
        (_zip("a.csv", "b.csv"), "one file"),
        (bz2.compress(b""), "empty"),
        ("a,b\n1,Привет, мир\n".encode("cp1251"), "encoding"),
        (b"a\x00b\n1\n", "binary"),
        (b"a,b\n1,2\n1,2,3\n", "line 3"),
        (b'a\n"never closed\n', "line 2"),
        (b'"never closed', "never closed"),
        (b"a" * 201 + b"\n1\n", "longer than 200"),
        (b",".join(b"c" for _ in range(2001)) + b"\n", "2001 columns"),
        (b'[1, {"a": 2}]', "not an object"),
        (b'{"a": 1}\n{"a": \n', "line 2"),
        (_parquet(n=[1])[:-20], "truncated"),
        (b"PAR1" + b"x" * 100 + b"PAR1", "parquet"),
    ],
    ids=lambda value: value[:18] if isinstance(value, bytes) else "",
)
def test_a_file_that_is_not_a_table_is_refused_with_its_kind(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(NotATable) as refused:
        read_bytes(tmp_path, content)
    assert said.lower() in refused.value.message.lower()
    assert str(tmp_path) not in refused.value.message


def test_a_refused_request_leaves_nothing(caller: Caller) -> None:
    answer = _upload(caller, b"a,b\n1,2\n1,2,3\n")
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable_file")
    assert artifacts.scratch_dir() not in answer.content.decode(), (
        "where the server keeps it is nobody's business"
    )
    assert not DatasetVersion.objects.exists()
    assert not Dataset.objects.exists()
    assert not _objects()


def test_a_file_over_the_limit_is_too_large(caller: Caller, settings: Any) -> None:
    settings.ENV = replace(settings.ENV, max_upload_bytes=10)
    answer = _upload(caller, b"a\n" + b"1\n" * 10)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["detail"])) == (
        413,
        "too_large",
        ["file"],
    )


def test_a_csv_that_unfolds_without_end_is_stopped_and_leaves_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    """Upload a CSV with 2,000 mostly empty columns: small on disk, large in memory.

    The time limit is one second here instead of sixty.
    """
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    monkeypatch.setattr(runner, "SECONDS_MAX", 1)
    bomb = (
        b",".join(b"c%d" % number for number in range(2000))
        + b"\n"
        + (b"," * 1999 + b"\n") * 20_000
    )
    answer = _upload(caller, bomb)
    assert answer.status_code == 400, answer.content[:300]
    assert answer.json()["code"] == "unreadable_file"
    assert "Parquet" in answer.json()["message"] or "second" in answer.json()["message"]
    assert not list(Path(artifacts.scratch_dir()).glob("mimir-parse-*"))
    assert not DatasetVersion.objects.exists()


def test_a_parser_that_dies_is_a_sentence_for_the_user(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        runner, "FILE_BYTES_MAX", 16
    )  # no disk space for the answer: the child ends with an error
    answer = _upload(caller, b"a\n1\n")
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable_file")
    assert "damaged" in answer.json()["message"]


def test_too_many_uploads_get_retry_after(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = Slots(1, (), dict.fromkeys(Kind, 1))
    monkeypatch.setattr(runner, "_slots", slots)
    monkeypatch.setattr(runner, "WAIT_SECONDS", 0.01)
    with slots.held(Kind.UPLOAD, runner.Owner("somebody else"), 1):
        answer = _upload(caller, b"a\n1\n")
    assert (answer.status_code, answer.json()["code"]) == (429, "busy")
    assert int(answer["Retry-After"]) > 0


def test_the_parser_sees_no_secret_and_no_other_file(tmp_path: Path) -> None:
    """The parser of uploaded files has its own environment and may open only that file."""
    other = tmp_path / "other.csv"
    other.write_text("secret\n1\n")
    table = tmp_path / "t.csv"
    table.write_text("a\n1\n")
    with pytest.raises(runner.Unreadable):
        # Simulate a replaced path: DuckDB has only one allowed path.
        turned = runner.TableFile(
            f"{table}' UNION SELECT * FROM '{other}", "csv", [{"name": "a", "type": "BIGINT"}]
        )
        runner.preview(turned, limit=1, scratch_dir=str(tmp_path))


def test_a_version_never_changes(caller: Caller) -> None:
    _upload(caller, b"a\n1\n")
    first = DatasetVersion.objects.get()
    before = caller.get("projects/demo/datasets/t/").json()["versions"][0]
    _upload(caller, b"a\n2\n")
    versions = caller.get("projects/demo/datasets/t/").json()["versions"]
    assert [version["number"] for version in versions] == [2, 1]
    assert versions[1] == {**before, "current": False}
    assert artifacts.open_file(first.storage_key).read() == b"a\n1\n"
    for method in ("PUT", "PATCH", "DELETE"):
        assert (
            caller.send(method, "projects/demo/datasets/t/versions/1/content/").status_code == 405
        )


def test_the_same_content_again_is_a_version_again(caller: Caller) -> None:
    assert [_upload(caller, b"a\n1\n").json()["version"]["number"] for _ in range(2)] == [1, 2]


def test_a_file_whose_object_is_missing_is_reported(caller: Caller) -> None:
    _upload(caller, b"a\n1\n")
    version = DatasetVersion.objects.get()
    artifacts.delete(version.storage_key)
    artifacts.delete(version.table_key)
    for path in ("content/", "rows/", "content/?as=parquet"):
        answer = caller.client.get(f"/api/v1/projects/demo/datasets/t/versions/1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (500, "content_missing")


@pytest.mark.django_db(transaction=True)
def test_uploads_to_one_name_at_once_are_versions_without_a_gap() -> None:
    project = make.project()
    user = project.created_by
    assert user is not None
    numbers: list[int] = []

    def upload(number: int) -> None:
        file = io.BytesIO(b"a\n%d\n" % number)
        path = Path(artifacts.scratch_dir()) / f"test-upload-{project.id}-{number}"
        path.write_bytes(file.getvalue())
        try:
            created = dataset_upload(
                project=project,
                name="t",
                file=file,
                path=str(path),
                size_bytes=path.stat().st_size,
                user=user,
            )
            numbers.append(created.number)
        finally:
            path.unlink()
            connection.close()

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    assert Dataset.objects.get().latest_number == 5


def test_an_upload_whose_project_was_archived_meanwhile_leaves_nothing(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from projects.models import Project, ProjectStatus

    imported = runner.imported

    @contextlib.contextmanager
    def archived_meanwhile(path: str, **arguments: Any) -> Any:
        with imported(path, **arguments) as found:
            Project.objects.update(status=ProjectStatus.ARCHIVED)
            yield found

    monkeypatch.setattr(runner, "imported", archived_meanwhile)
    answer = _upload(caller, b"a\n1\n")
    assert (answer.status_code, answer.json()["code"]) == (409, "project_archived")
    assert not _objects()
