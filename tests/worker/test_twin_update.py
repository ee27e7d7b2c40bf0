"""Twin update in its worker.

It reports exactly the differences from the base, and a clear error for a row that does not match.
"""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.contract import EventKind, FailureReason
from jobs.worker.digital_twin_update import run as update
from jobs.worker.workload_context import WorkFailed
from tests.support.recorded_context import RecordedContext

DEFINITION = {
    "types": [
        {
            "name": "pump",
            "key": {"name": "id"},
            "properties": [
                {"name": "load", "type": "number"},
                {"name": "starts", "type": "integer"},
                {"name": "label", "type": "string"},
                {"name": "on", "type": "boolean"},
                {"name": "built", "type": "date"},
                {"name": "seen", "type": "datetime"},
            ],
            "relations": [{"name": "hall", "to": "hall"}],
        },
        {"name": "hall", "key": {"name": "id"}, "properties": []},
    ]
}
Entity = tuple[str, str, dict[str, Any]]


def _parquet(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


def _updated(
    folder: Path,
    table: "pa.Table | bytes",
    entities: list[Entity] = [],  # noqa: B006
    **parameters: Any,
) -> tuple[list[Any], RecordedContext]:
    """Return the changes that an update from `table` (or a CSV) reports, and its context."""
    folder.mkdir(exist_ok=True)
    parameters_sent = {
        "twin": "plant",
        "dataset": "pumps",
        "type": "pump",
        "key": "id",
        **parameters,
    }
    context = RecordedContext(folder, type="digital_twin_update", parameters=parameters_sent)
    head = {"revision": 7, "definition": DEFINITION, "type": "pump"}
    lines = [
        head,
        *(
            {"key": key, "status": status, "reported": reported}
            for key, status, reported in entities
        ),
    ]
    (folder / "twin.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    context.give(folder / "twin.jsonl", name="twin", kind="twin", twin="plant")
    if isinstance(table, bytes):
        path = folder / "rows.csv"
        path.write_bytes(table)
        described = duckdb.execute(f"DESCRIBE SELECT * FROM read_csv('{path}')").fetchall()
        schema = [{"name": row[0], "type": row[1]} for row in described]
        facts: dict[str, Any] = {"format": "csv", "schema": schema, "row_count": None}
    else:
        path = _parquet(folder / "rows.parquet", table)
        facts = {"format": "parquet", "schema": [], "row_count": table.num_rows}
    context.give(path, name="dataset", kind="dataset", dataset="pumps", version=3, **facts)
    result = update.run(context)  # type: ignore[arg-type]
    assert result == {"base_revision": 7, "artifact": update.ARTIFACT}
    return [
        json.loads(line) for line in context.delivered[update.ARTIFACT].read_text().splitlines()
    ], context


def _refused(folder: Path, table: "pa.Table | bytes", *phrases: str, **parameters: Any) -> None:
    with pytest.raises(WorkFailed) as caught:
        _updated(folder, table, **parameters)
    assert caught.value.reason is FailureReason.INVALID_INPUT
    for word in phrases:
        assert word in caught.value.message, caught.value.message


def test_new_entities_are_reported_whole_and_known_ones_by_what_differs(tmp_path: Path) -> None:
    base: list[Entity] = [
        ("a", "present", {"load": 1, "label": "x"}),
        ("b", "present", {"load": 2}),
        ("c", "present", {"load": 3}),
    ]
    table = pa.table(
        {
            "id": ["c", "new", "b", "a"],
            "load": [3.0, 9.5, None, 1.5],
            "label": [None, "n", None, "x"],
        }
    )
    changes, context = _updated(tmp_path, table, base)
    assert changes == [
        {"key": "a", "set": {"load": 1.5}},
        {"key": "b", "set": {"load": None}},
        {"key": "new", "set": {"load": 9.5, "label": "n"}},
    ]
    assert context.roles == {update.ARTIFACT: "twin"}
    messages = [data["message"] for kind, data in context.events if kind is EventKind.PROGRESS]
    assert messages[-1] == "3 entities differ from revision 7"


def test_the_same_rows_again_report_nothing(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": [3, 20, 100],
            "load": [1e23, 0.1, -0.0],
            "starts": pa.array([1, None, 2**62]),
            "on": [True, False, None],
        }
    )
    first, _ = _updated(tmp_path / "1", table)
    base: list[Entity] = [
        (change["key"], "present", {k: v for k, v in change["set"].items() if v is not None})
        for change in first
    ]
    assert [key for key, _, _ in base] == ["100", "20", "3"], (
        "keys are text, in its order, without a point"
    )
    assert _updated(tmp_path / "2", table, base)[0] == []


@pytest.mark.parametrize(
    ("missing", "gone"), [("keep", None), ("mark", "missing"), ("delete", "removed")]
)
def test_what_no_row_names_is_kept_marked_or_removed(
    missing: str, gone: str | None, tmp_path: Path
) -> None:
    base: list[Entity] = [
        ("a", "present", {"load": 1}),
        ("b", "present", {}),
        ("c", "missing", {"load": 3}),
        ("d", "missing", {}),
    ]
    changes, _ = _updated(
        tmp_path, pa.table({"id": ["a", "d"], "load": [1.0, None]}), base, missing=missing
    )
    marked = [
        {"key": key, "status": gone}
        for key in ("b", "c")
        if gone and not (gone == "missing" and key == "c")
    ]
    assert changes == [*marked, {"key": "d", "set": {}}], "d is there again"


def test_only_the_named_properties_are_touched_from_the_columns_they_name(tmp_path: Path) -> None:
    table = pa.table({"id": ["a"], "load": [5.0], "text": ["shown"], "label": ["not this"]})
    changes, _ = _updated(
        tmp_path, table, [("a", "present", {"load": 1, "starts": 4})], properties={"label": "text"}
    )
    assert changes == [{"key": "a", "set": {"label": "shown"}}]


def test_each_type_of_column_becomes_what_its_property_holds(tmp_path: Path) -> None:
    at = dt.datetime(2026, 3, 31, 14, 5, tzinfo=dt.UTC)
    table = pa.table(
        {
            "id": pa.array([2**63 - 1], pa.int64()),
            "load": pa.array([Decimal("1.25")], pa.decimal128(10, 2)),
            "starts": pa.array([Decimal(2**60 + 1)], pa.decimal128(38, 0)),
            "label": [4.5],
            "on": [False],
            "built": [dt.date(2026, 3, 31)],
            "seen": pa.array([at], pa.timestamp("us", "UTC")),
            "hall": [12],
        }
    )
    changes, _ = _updated(tmp_path, table)
    assert changes == [
        {
            "key": "9223372036854775807",
            "set": {
                "load": 1.25,
                "starts": 2**60 + 1,
                "label": "4.5",
                "on": False,
                "built": "2026-03-31",
                "seen": "2026-03-31T14:05:00+00:00",
                "hall": "12",
            },
        }
    ]


def test_times_with_a_zone_may_be_keys_and_the_same_moment_is_the_same_key(tmp_path: Path) -> None:
    at = dt.datetime(2026, 3, 31, 14, 5, tzinfo=dt.UTC)
    moments = pa.array([at, at + dt.timedelta(hours=1)], pa.timestamp("us", "Europe/Oslo"))
    changes, _ = _updated(tmp_path / "1", pa.table({"id": moments}))
    assert [change["key"] for change in changes] == ["2026-03-31T14:05:00", "2026-03-31T15:05:00"]
    _refused(
        tmp_path / "2", pa.table({"id": moments.take([0, 0])}), '"2026-03-31T14:05:00" in rows 1, 2'
    )


def test_an_empty_csv_cell_is_missing(tmp_path: Path) -> None:
    base: list[Entity] = [("1", "present", {"load": 4, "label": "old"})]
    changes, _ = _updated(tmp_path, b"id,load,label\n1,,\n2,5,new\n", base)
    assert changes == [
        {"key": "1", "set": {"load": None, "label": None}},
        {"key": "2", "set": {"load": 5, "label": "new"}},
    ]


def test_text_is_read_as_what_its_property_holds(tmp_path: Path) -> None:
    cells = {
        "load": " 2.50",
        "starts": "-7",
        "on": "TRUE",
        "built": "2026-03-31",
        "seen": "2026-03-31 14:05:00",
        "label": "7",
    }
    changes, _ = _updated(
        tmp_path, pa.table({"id": ["a", "b"], **{name: [cell, ""] for name, cell in cells.items()}})
    )
    kept = {
        "load": 2.5,
        "starts": -7,
        "on": True,
        "built": "2026-03-31",
        "seen": "2026-03-31T14:05:00+00:00",
        "label": "7",
    }
    assert changes == [{"key": "a", "set": kept}, {"key": "b", "set": {"label": ""}}]


def test_a_key_that_comes_twice_is_named_with_its_rows(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b", "a", "c", "b", "a"], "row_": range(6), "load": [1.0] * 6})
    _refused(
        tmp_path,
        table,
        '"a" in rows 1, 3, 6',
        '"b" in rows 2, 5',
        "key column id",
        "Keep one row for each entity",
    )


def test_rows_without_a_key_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    _refused(
        tmp_path,
        pa.table({"id": ["a", None, ""], "load": [1.0, 2.0, 3.0]}),
        "2 of 3 rows",
        "key column id",
        "row 2",
    )


def test_a_key_too_long_for_one_is_named_with_its_row(tmp_path: Path) -> None:
    _refused(
        tmp_path,
        pa.table({"id": ["a", "x" * 501]}),
        "Row 2 of the key column id",
        "1 to 500 characters",
    )


@pytest.mark.parametrize("keys", [[1.5, 2.0], [True, False], [[1], [2]], [b"a", b"b"]])
def test_what_cannot_name_an_entity_is_no_key(keys: list[Any], tmp_path: Path) -> None:
    _refused(
        tmp_path, pa.table({"id": keys}), "The key column id is ", "text, a whole number or a date"
    )


@pytest.mark.parametrize(
    ("column", "cells", "phrases"),
    [
        ("load", ["1", "a lot"], ['Row 2 of column load holds "a lot"', "must be a number"]),
        ("load", ["1", "1_0"], ['Row 2 of column load holds "1_0"', "must be a number"]),
        ("load", ["1", "inf"], ['Row 2 of column load holds "inf"', "must be a number"]),
        (
            "starts",
            ["1", "2.5"],
            ['Row 2 of column starts holds "2.5"', "must be a whole number"],
        ),
        ("on", ["true", "yes"], ['Row 2 of column on holds "yes"', "must be true or false"]),
        ("load", [1.0, float("inf")], ["Row 2 of column load holds inf", "must be a number"]),
        ("starts", [1.0, 2.5], ["Row 2 of column starts holds 2.5", "must be a whole number"]),
        ("on", [None, 1], ["Row 2 of column on holds 1", "must be true or false"]),
        (
            "built",
            ["2026-03-31", "31.3."],
            ['Row 2 of column built holds "31.3."', "must be a date such as 2026-03-31"],
        ),
        (
            "seen",
            ["2026-03-31", "soon"],
            ['Row 2 of column seen holds "soon"', "must be a time such as"],
        ),
        ("label", ["x", "y" * 10_001], ["Row 2 of column label", "at most 10000 characters"]),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_row_column_and_what_is_wanted(
    column: str, cells: list[Any], phrases: list[str], tmp_path: Path
) -> None:
    _refused(tmp_path, pa.table({"id": ["a", "b"], column: cells}), *phrases)


def test_a_property_that_a_new_definition_took_away_is_named(tmp_path: Path) -> None:
    _refused(
        tmp_path,
        pa.table({"id": ["a"], "t": [1]}),
        "pump no longer has a property gone",
        properties={"gone": "t"},
    )


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    _refused(
        tmp_path,
        pa.table({"id": ["a"], "t": [1]}),
        "There is no column T: the dataset has id, t",
        properties={"load": "T"},
    )


def test_no_rows_report_nothing_and_delete_entities_only_on_request(tmp_path: Path) -> None:
    table = pa.table({"id": pa.array([], pa.string()), "load": pa.array([], pa.float64())})
    base: list[Entity] = [("a", "present", {"load": 1})]
    assert _updated(tmp_path / "keep", table, base)[0] == []
    assert _updated(tmp_path / "delete", table, base, missing="delete")[0] == [
        {"key": "a", "status": "removed"}
    ]


LATEST: dict[str, Any] = {
    "times": pa.array(
        [dt.datetime(2024, 1, day) for day in (2, 3, 1, 5)], pa.timestamp("ns", "UTC")
    ),
    "dates": pa.array([dt.date(2024, 1, day) for day in (2, 3, 1, 5)]),
    "numbers": pa.array([2.0, 3.0, float("nan"), 5.0]),
    "ISO text": pa.array(["2024-01-02", "2024-01-03 00:00:01", None, "2024-02-01T00:00:00Z"]),
    "gaps": pa.array([None, 3, None, 1]),
}


@pytest.mark.parametrize("kind", LATEST)
def test_of_several_rows_of_an_entity_the_latest_counts(kind: str, tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "a", "a", "b"], "load": [1.0, 2.0, 3.0, 4.0], "at": LATEST[kind]})
    changes, context = _updated(tmp_path, table, latest_by="at")
    assert changes == [{"key": "a", "set": {"load": 2.0}}, {"key": "b", "set": {"load": 4.0}}]
    assert not context.notices()


def test_the_last_of_equally_late_rows_counts_and_is_reported(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "a", "b"], "load": [1.0, 2.0, 3.0], "at": [5, 5, 1]})
    changes, context = _updated(tmp_path, table, latest_by="at")
    assert changes[0] == {"key": "a", "set": {"load": 2.0}}
    assert context.notices() == (
        "1 rows have the same at as another row of their entity: the last of them in the "
        "dataset is used."
    )


def test_the_latest_row_is_named_by_its_place_in_the_dataset(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "a", "b"], "load": ["1", "many", "2"], "at": [1, 2, 1]})
    _refused(tmp_path, table, 'Row 2 of column load holds "many"', latest_by="at")


def test_what_has_no_order_is_refused_and_a_repeated_key_names_the_way_out(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": ["a", "a"],
            "load": [1.0, 2.0],
            "at": ["01/02/2024", "02/01/2024"],
            "ok": [True, False],
        }
    )
    _refused(tmp_path / "a", table, "which is text", '"01/02/2024" in row 1', latest_by="at")
    _refused(tmp_path / "b", table, "latest_by names ok, which is BOOLEAN", latest_by="ok")
    _refused(tmp_path / "c", table, "There is no column when", latest_by="when")
    _refused(tmp_path / "d", table, "set latest_by")
