"""Unix times.

They are read as times if the user selects a time type. A warning appears if the name and all values
suggest times.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from mimir.lib.reading.options import BadOptions
from mimir.lib.reading.unixtimes import names_a_time
from mimir.lib.tables import NotATable
from tests.support.reading import codes_of, read_bytes, rows_of, types_of
from tests.support.workbooks import xlsx

AT = "2023-11-14 22:13:20"


def _csv(*values: str) -> bytes:
    return "\n".join(["x;y", *(f"{value};a" for value in values)]).encode()


@pytest.mark.parametrize(
    ("values", "formats", "kind", "first"),
    [
        (["1700000000", "-1"], ["unix-seconds"], "datetime", AT),
        (["1700000000.25"], ["unix-seconds"], "datetime", f"{AT}.25"),
        (["1700000000"], ["unix-seconds"], "timestamptz", f"{AT}+00"),
        (["1700000000250", "n/a"], ["unix-milliseconds"], "datetime", f"{AT}.25"),
        (["1700000000250001"], ["unix-microseconds"], "datetime", f"{AT}.250001"),
        (["1700000000250001002"], ["unix-nanoseconds"], "TIMESTAMP_NS", f"{AT}.250001002"),
        (["1699920000", "0"], ["unix-seconds"], "date", "2023-11-14"),
        (["1700000000", "2026-01-31 10:00"], ["unix-seconds"], "datetime", AT),
        (["1700000000250"], ["unix-milliseconds", "unix-seconds"], "datetime", f"{AT}.25"),
        (["1700000000"], ["unix-milliseconds", "unix-seconds"], "datetime", AT),
    ],
)
def test_numbers_become_times_where_a_type_of_time_was_chosen(
    tmp_path: Path, values: list[str], formats: list[str], kind: str, first: str
) -> None:
    found = read_bytes(tmp_path / "chosen", _csv(*values), types={"x": kind}, date_formats=formats)
    assert rows_of(found)[0][0] == first
    assert "unix_times" in codes_of(found)
    assert types_of(read_bytes(tmp_path / "not", _csv(*values), date_formats=formats))["x"] in (
        "BIGINT",
        "DOUBLE",
        "VARCHAR",
    )


@pytest.mark.parametrize(
    ("value", "formats", "kind"),
    [
        ("253402300800", ["unix-seconds"], "datetime"),  # the year 10000
        ("-62135596801", ["unix-seconds"], "datetime"),
        ("9300000000000000000", ["unix-nanoseconds"], "TIMESTAMP_NS"),
        ("1700000000", ["unix-seconds"], "date"),  # not midnight
        ("1.7e9", ["unix-seconds"], "datetime"),
        ("9" * 30, ["unix-seconds"], "datetime"),
    ],
)
def test_a_number_that_is_not_a_time_is_a_bad_cell(
    tmp_path: Path, value: str, formats: list[str], kind: str
) -> None:
    content = _csv("0", value)
    options: dict[str, Any] = {"types": {"x": kind}, "date_formats": formats}
    with pytest.raises(NotATable, match=f'Column x: 1 of 2 cells are not .*: "{value[:20]}'):
        read_bytes(tmp_path / "refused", content, **options)
    found = read_bytes(tmp_path / "missing", content, bad_cells="missing", **options)
    assert (rows_of(found)[1][0], "bad_cells_missing" in codes_of(found)) == (None, True)


def test_digits_below_the_type_are_rounded_and_counted(tmp_path: Path) -> None:
    content = b'{"t": 1700000000.1234567, "n": "1700000000123456789"}\n{"t": 1, "n": "1000"}\n'
    types = {"t": "datetime", "n": "datetime"}
    found = read_bytes(
        tmp_path, content, types=types, date_formats=["unix-seconds", "unix-nanoseconds"]
    )
    assert rows_of(found)[0] == (f"{AT}.123457", f"{AT}.123457")
    rounded = [one["params"] for one in found.warnings if one["code"] == "unix_times_rounded"]
    assert rounded[0] == {"column": "t", "count": 1, "total": 2, "example": '"1700000000.1234567"'}


def test_a_workbook_has_unix_times_too(tmp_path: Path) -> None:
    rows: tuple[list[Any], ...] = (["id", "created_at"], [1, 1700000000], [2, 1700000000.5])
    found = read_bytes(
        tmp_path / "book",
        xlsx(*rows),
        types={"created_at": "datetime"},
        date_formats=["unix-seconds"],
    )
    assert [row[1] for row in rows_of(found)] == [AT, f"{AT}.5"]
    plain = read_bytes(tmp_path / "plain", xlsx(*rows[:2]))
    assert (codes_of(plain), types_of(plain)["created_at"]) == (["possible_unix_times"], "BIGINT")


def test_unix_formats_rule_out_no_other_date(tmp_path: Path) -> None:
    found = read_bytes(
        tmp_path, b"a,d\n1,01/02/2026\n2,13/02/2026\n", date_formats=["unix-seconds"]
    )
    assert (types_of(found)["d"], rows_of(found)[0][1]) == ("DATE", "2026-02-01")
    with pytest.raises(BadOptions, match="unix-milliseconds"):
        read_bytes(tmp_path / "bad", b"a\n1\n", date_formats=["unix-hours"])


def test_a_type_of_time_without_its_format_names_the_format(tmp_path: Path) -> None:
    with pytest.raises(
        NotATable, match="If they are Unix times, choose date_formats unix-milliseconds"
    ):
        read_bytes(tmp_path, _csv("1700000000250"), types={"x": "datetime"})


@pytest.mark.parametrize(
    ("name", "values", "format_name"),
    [
        ("created_at", [1700000000, 1000000000], "unix-seconds"),
        ("eventTime", [1700000000000, None], "unix-milliseconds"),
        ("ts_ms", [1700000000000], "unix-milliseconds"),
        ("created_at", [1700000000, 999999999], ""),  # one value before 2001-09-09
        ("created_at", [4102444800], ""),  # 2100
        ("created_at", [1700000000, 1700000000000], ""),
        ("created_at", [1700000000.5], ""),  # the warning is only for whole numbers
        ("created_at", ["1700000000"], ""),  # a JSON string is not a number
        ("id", [1700000000], ""),
        ("time_spent", [1700000000], ""),
    ],
)
def test_possible_unix_times_are_detected_by_name_and_values(
    tmp_path: Path, name: str, values: list[Any], format_name: str
) -> None:
    content = "".join(json.dumps({name: value, "n": 1}) + "\n" for value in values).encode()
    warnings = [
        one["params"]
        for one in read_bytes(tmp_path, content).warnings
        if one["code"] == "possible_unix_times"
    ]
    assert [one["format"] for one in warnings] == ([format_name] if format_name else [])


def test_the_last_word_of_a_name_says_time() -> None:
    yes = (
        "created_at",
        "eventTime",
        "ts",
        "ts_ms",
        "Date",
        "properties.time",
        "updatedAt",
        "TIMESTAMP",
        "CREATED_UTC",
        "epoch",
        "createdAtMs",
    )
    no = (
        "time_spent",
        "lat",
        "runtime",
        "estimate",
        "user_id",
        "date_id",
        "seconds",
        "",
        "1",
        "created_by",
    )
    assert [name for name in yes if not names_a_time(name)] == []
    assert [name for name in no if names_a_time(name)] == []
