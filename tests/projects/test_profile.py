"""Column profiles: exact, computed once, bounded, with a message where impossible."""

import io
import math
import random
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from mimir.lib.inspection import run_sql
from mimir.lib.tables import Column, NotATable
from projects.datasets.profile import dataset_profile
from projects.models import DatasetProfile, DatasetVersion
from projects.parsing import column_profile, runner
from projects.parsing.slots import Kind, Slots
from projects.storage import artifacts
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

CSV = b"""n,word,day,at,ok,x,none,hour
1,one,2020-01-01,2020-01-01 10:00:00,true,1.5,,10:00:00
2,two,2020-01-03,2020-01-02 10:00:00,false,nan,,10:00:00
3,one,2020-01-02,,true,inf,,
"""


@pytest.fixture
def caller(settings: Any, tmp_path: Path) -> Caller:
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {**settings.STORAGES["artifacts"], "OPTIONS": {"location": str(tmp_path)}},
    }
    return Caller(make.project().created_by)


def _upload(caller: Caller, content: bytes) -> None:
    answer = caller.client.post(
        "/api/v1/projects/demo/datasets/", {"name": "t", "file": SimpleUploadedFile("t", content)}
    )
    assert answer.status_code == 201, answer.content


def _profile(caller: Caller, version: str = "latest") -> Any:
    answer = caller.get(f"projects/demo/datasets/t/versions/{version}/profile/")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_reader_that_cannot_wait_gets_only_cached_results(caller: Caller) -> None:
    _upload(caller, CSV)
    path = "projects/demo/datasets/t/versions/1/profile/?stored="
    early = caller.get(f"{path}true")
    assert (early.status_code, early.json()["code"]) == (404, "not_computed")
    assert DatasetProfile.objects.count() == 0
    computed = _profile(caller)
    assert caller.get(f"{path}true").json() == computed
    assert caller.get(f"{path}perhaps").status_code == 400


def _columns(caller: Caller, content: bytes) -> dict[str, dict[str, Any]]:
    _upload(caller, content)
    return {column["name"]: column for column in _profile(caller)["columns"]}


def _parquet(table: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(table), file)
    return file.getvalue()


def test_each_kind_of_column_is_described_as_what_it_is(caller: Caller) -> None:
    found = _columns(caller, CSV)
    kinds = {name: column["kind"] for name, column in found.items()}
    assert kinds == {
        "n": "number", "word": "category", "day": "time", "at": "time", "ok": "boolean", "x": "number", "none": "category", "hour": "other",  # noqa: E501
    }  # fmt: skip
    assert {name: (column["missing"], column["distinct"]) for name, column in found.items()} == {
        "n": (0, 3), "word": (0, 2), "day": (0, 3), "at": (1, 2), "ok": (0, 2), "x": (1, 2), "none": (3, 0), "hour": (1, 1),  # noqa: E501
    }  # fmt: skip
    number, word, day = found["n"], found["word"], found["day"]
    assert (number["min"], number["max"], number["mean"], number["std"], number["top"]) == (
        1,
        3,
        2.0,
        1.0,
        None,
    )
    assert number["histogram"] == {"edges": [1, 2, 3, 4], "counts": [1, 1, 1]}
    assert (word["top"], word["histogram"], word["min"]) == (
        [{"value": "one", "count": 2}, {"value": "two", "count": 1}],
        None,
        None,
    )
    assert (day["min"], day["max"], day["histogram"]["counts"]) == (
        "2020-01-01",
        "2020-01-03",
        [1, 1, 1],
    )
    assert (found["at"]["min"], sum(found["at"]["histogram"]["counts"])) == (
        "2020-01-01T10:00:00",
        2,
    )
    assert found["ok"]["top"] == [{"value": "true", "count": 2}, {"value": "false", "count": 1}]
    assert (found["x"]["min"], found["x"]["max"], found["x"]["histogram"]["counts"]) == (
        1.5,
        1.5,
        [1],
    )
    assert found["none"]["top"] == []


def test_counts_are_exact_whatever_the_values(caller: Caller) -> None:
    dice = random.Random(7)  # noqa: S311
    table: dict[str, list[Any]] = {
        "real": [dice.gauss(0, 1e3) if dice.random() > 0.1 else None for _ in range(20_000)],
        "whole": [dice.randrange(-500, 5000) for _ in range(20_000)],
        "far": [dice.randrange(-(2**62), 2**62) for _ in range(20_000)],
        "word": [f"word {int(dice.paretovariate(0.6)) % 3000}" for _ in range(20_000)],
    }
    found = _columns(caller, _parquet(table))
    for name in ("real", "whole", "far"):
        values = [value for value in table[name] if value is not None]
        column, edges = found[name], found[name]["histogram"]["edges"]
        assert (column["missing"], column["distinct"]) == (20_000 - len(values), len(set(values)))
        assert (column["min"], column["max"]) == (min(values), max(values))
        assert math.isclose(column["mean"], statistics.fmean(values), rel_tol=1e-9)
        assert math.isclose(column["std"], statistics.stdev(values), rel_tol=1e-9)
        assert len(edges) <= 21
        assert edges == sorted(set(edges))
        last = len(edges) - 2
        bins = Counter(min(sum(value >= edge for edge in edges) - 1, last) for value in values)
        assert column["histogram"]["counts"] == [bins[index] for index in range(last + 1)]
    counted = Counter(table["word"])
    expected = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:10]
    assert [(row["value"], row["count"]) for row in found["word"]["top"]] == expected
    assert found["word"]["distinct"] == len(counted)


_NUMBERS = [
    "1e308 -1e308 1e300",
    "0.1 0.2 0.30000000000000004",
    "5e-324 0.0",
    "7",
    "nan",
    "inf",
    "9223372036854775807 0",
]


@pytest.mark.parametrize("text", _NUMBERS)
def test_numbers_at_the_ends_of_their_type_are_described_too(caller: Caller, text: str) -> None:
    column = _columns(
        caller, b"x,y\n" + b"\n".join(line + b",1" for line in text.encode().split())
    )["x"]
    values = [float(line) for line in text.split() if math.isfinite(float(line))]
    assert [None if end is None else float(end) for end in (column["min"], column["max"])] == [
        min(values, default=None),
        max(values, default=None),
    ]
    assert sum(column["histogram"]["counts"] if values else []) == len(values)


def test_types_of_parquet_that_text_does_not_have(caller: Caller) -> None:
    instants = [0, 1_500_000_000, 3_000_000_000]
    found = _columns(
        caller,
        _parquet(
            {
                "huge": pyarrow.array([2**63 + 5, 2**64 - 1, 0], pyarrow.uint64()),
                "zoned": pyarrow.array(instants, pyarrow.timestamp("ns", "UTC")),
                "bytes": pyarrow.array([b"\x00a", b"b", None]),
                "list": pyarrow.array([[1, 2], [1, 2], []]),
                "zero": ["a\x00b", "a\x00b", "x" * 500],
            }
        ),
    )
    assert (found["huge"]["max"], sum(found["huge"]["histogram"]["counts"])) == (2**64 - 1, 3)
    assert (found["zoned"]["min"], found["zoned"]["max"]) == (
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:03Z",
    )
    assert [(found[name]["missing"], found[name]["distinct"]) for name in ("bytes", "list")] == [
        (1, 2),
        (0, 2),
    ]
    assert [row["value"] for row in found["zero"]["top"]] == ["a\ufffdb", "x" * 200 + "…"]


def test_a_table_without_rows_has_a_profile(caller: Caller) -> None:
    _upload(caller, b"a,b\n")
    shown = _profile(caller)
    assert (
        shown["row_count"],
        shown["fault"],
        [column["distinct"] for column in shown["columns"]],
    ) == (0, "", [0, 0])


def test_columns_beyond_the_bound_are_named_and_not_described(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(column_profile, "COLUMNS_MAX", 2)
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT 1 AS a, 2 AS b, 3 AS c")
    columns, fault = column_profile.described(
        connection, "t", [Column(name, "INTEGER") for name in "abc"], column_profile.Budget(3600)
    )
    assert [(column["name"], column["distinct"]) for column in columns] == [
        ("a", 1),
        ("b", 1),
        ("c", None),
    ]
    assert fault == "Only the first 2 of 3 columns are described."


def test_a_column_that_cannot_be_described_leaves_the_others() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT 1 AS a, 3 AS c")
    columns, fault = column_profile.described(
        connection, "t", [Column(name, "INTEGER") for name in "abc"], column_profile.Budget(3600)
    )
    assert [(column["name"], column["distinct"]) for column in columns] == [
        ("a", 1),
        ("b", None),
        ("c", 1),
    ]
    assert fault.endswith("because of memory or type: b.")


def test_a_long_question_is_interrupted_when_the_budget_is_spent() -> None:
    connection, budget = (
        duckdb.connect(config={"threads": 1}),
        column_profile.Budget(time.process_time() + 0.3),
    )
    with budget.watching(connection), pytest.raises(NotATable):
        run_sql(
            connection,
            "SELECT count(*) FROM range(10000000000) a, range(1000) b WHERE a.range % 7 = b.range",
        )
    assert budget.spent


def test_it_is_computed_once(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    _upload(caller, CSV)
    first = _profile(caller)
    monkeypatch.setattr(runner, "profile", None)  # nobody calls it
    assert _profile(caller, "1") == first
    assert DatasetProfile.objects.count() == 1


def test_two_that_ask_at_once_get_one_answer(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _upload(caller, CSV)
    version, computed = DatasetVersion.objects.get(), runner.profile

    def overtaken(*arguments: Any, **named: Any) -> runner.Profile:
        monkeypatch.setattr(runner, "profile", computed)
        dataset_profile(version=version)  # the other request finishes first
        return runner.Profile(columns=[], fault="ours")

    monkeypatch.setattr(runner, "profile", overtaken)
    assert dataset_profile(version=version).fault == ""
    assert DatasetProfile.objects.get().fault == ""


def test_a_table_over_the_cpu_limit_fails_permanently(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    _upload(caller, CSV)
    monkeypatch.setattr(runner, "PROFILE_CPU_SECONDS", 0.0)
    shown = _profile(caller)
    assert shown["fault"].startswith(
        "The table is too large to describe completely: 0 of 8 columns"
    )
    assert [column["missing"] for column in shown["columns"]] == [None] * 8
    monkeypatch.undo()
    assert _profile(caller) == shown


def test_a_temporary_error_is_not_cached(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    _upload(caller, CSV)
    for name, value in (("WAIT_SECONDS", 0.0), ("SECONDS_MAX", -1)):
        with monkeypatch.context() as bounds:
            bounds.setattr(runner, name, value)
            slots = Slots(0 if name == "WAIT_SECONDS" else 1, (), dict.fromkeys(Kind, 1))
            bounds.setattr(runner, "_slots", slots)
            answer = caller.get("projects/demo/datasets/t/versions/1/profile/")
        assert (answer.status_code, answer.json()["code"]) == (429, "busy")
        assert answer["Retry-After"]
    assert not DatasetProfile.objects.exists()
    runner._interruptions.clear()  # as after the minutes for which an interruption is cached
    assert _profile(caller)["fault"] == ""


def test_a_damaged_file_is_reported_and_a_missing_one_is_an_error(
    caller: Caller,
) -> None:
    _upload(caller, _parquet({"a": list(range(1000))}))
    version = DatasetVersion.objects.get()
    path = Path(artifacts.backend().path(version.table_key or version.storage_key))
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:50] + b"\xff" * 100 + content[150:])
    assert _profile(caller)["fault"] != ""
    _upload(caller, CSV)
    Path(
        artifacts.backend().path(
            (lambda row: row.table_key or row.storage_key)(DatasetVersion.objects.get(number=2))
        )
    ).unlink()
    answer = caller.get("projects/demo/datasets/t/versions/2/profile/")
    assert (answer.status_code, answer.json()["code"]) == (500, "content_missing")
