"""JSON as a table: kinds and digits of values, lists without objects, single documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from mimir.lib.tables import NotATable
from tests.support.reading import codes_of, read_bytes, rows_of, types_of


def _jsonl(*values: Any) -> bytes:
    return b"".join(
        b'{"x": '
        + (value if isinstance(value, bytes) else json.dumps(value).encode())
        + b', "n": 1}\n'
        for value in values
    )


@pytest.mark.parametrize(
    ("values", "type_name", "first"),
    [
        (["1-2-3", "4-5-6"], "VARCHAR", "1-2-3"),
        (["25-11-2025", "11-12-2025"], "VARCHAR", "25-11-2025"),
        (["123", "456"], "VARCHAR", "123"),
        (["true", "false"], "VARCHAR", "true"),
        (["2026-01-31", "2026/02/01"], "DATE", "2026-01-31"),
        ([-1, 2], "BIGINT", "-1"),
        ([b"9007199254740993", b"-9007199254740993"], "BIGINT", "9007199254740993"),
        ([b"12345678901234567890", b"1"], "VARCHAR", "12345678901234567890"),
        ([b"123456789012345678901234567890", b"1"], "VARCHAR", "123456789012345678901234567890"),
        ([1.5, 2], "DOUBLE", "1.5"),
        ([1, "n/a", 3], "BIGINT", "1"),
        ([7, True, 8], "VARCHAR", "7"),
        ([1, "2"], "VARCHAR", "1"),
        (["The Quiet Field", 1776], "VARCHAR", "The Quiet Field"),
        ([{"a": 1}, "x"], "VARCHAR", '{"a":1}'),
        ([[1, 2], [3]], "BIGINT[]", "[1, 2]"),
        (
            [{"at": "1-2-3", "id": "BBD05AE7-5F3B-4C0E-9C0B-2D5C6B7A8E9F"}] * 2,
            'STRUCT("at" VARCHAR, id VARCHAR)',
            None,
        ),
        (
            [b'{"i": 12345678901234567890}', b'{"i": 1}'],
            "STRUCT(i VARCHAR)",
            "{'i': 12345678901234567890}",
        ),
        (
            [b'{"i": 9007199254740993}', b'{"i": 1.5}'],
            "STRUCT(i VARCHAR)",
            "{'i': 9007199254740993}",
        ),
    ],
)
def test_a_json_value_keeps_its_kind_and_its_digits(
    tmp_path: Path, values: list[Any], type_name: str, first: str | None
) -> None:
    found = read_bytes(tmp_path, _jsonl(*values))
    assert types_of(found)["x"].replace('"at"', '"at"') == type_name or first is None
    if first is not None:
        assert rows_of(found)[0][0] == first
    assert types_of(found)["n"] == "BIGINT"


@pytest.mark.parametrize(
    ("content", "names", "rows", "code"),
    [
        (
            '[["a", "n"], ["x", 3], ["y", 12345678901234567890]]',
            ["a", "n"],
            [("x", "3"), ("y", "12345678901234567890")],
            "list_of_rows_named",
        ),
        (
            '[["NAME","POP"],["Oslo","709037"]]',
            ["NAME", "POP"],
            [("Oslo", "709037")],
            "list_of_rows_named",
        ),
        (
            " [\n [1, 2.50], [3]]",
            ["column1", "column2"],
            [("1", "2.5"), ("3", "None")],
            "list_of_rows",
        ),
        ("[1, 2, null]", ["column1"], [("1",), ("2",), ("None",)], "list_of_rows"),
        (
            '{"a": [1, 2], "b": ["x", null]}',
            ["a", "b"],
            [("1", "x"), ("2", "None")],
            "list_of_columns",
        ),
        (
            '{"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}}',
            ["a", "b"],
            [("1", "x"), ("2", "y")],
            "list_of_columns",
        ),
        (
            '{"columns": ["a"], "index": ["x", "y"], "data": [[1], [2]]}',
            ["index", "a"],
            [("x", "1"), ("y", "2")],
            "list_of_columns",
        ),
        (
            '{"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, "y"]]}',
            ["a", "b"],
            [("1", "x"), ("2", "y")],
            "list_of_columns",
        ),
    ],
)
def test_json_without_objects_is_a_table(
    tmp_path: Path, content: str, names: list[str], rows: list[tuple[str, ...]], code: str
) -> None:
    found = read_bytes(tmp_path, content.encode())
    assert list(types_of(found)) == names
    assert [tuple(str(value) for value in row) for row in rows_of(found)] == rows
    assert code in codes_of(found)


@pytest.mark.parametrize(
    "content",
    ['{"a": [1, 2], "b": [1]}', '{"x": {"lat": 1}, "y": {"lat": 2}}', '{"a": [1, 2], "b": 3}'],
)
def test_a_json_document_of_another_kind_stays_one_row(tmp_path: Path, content: str) -> None:
    assert len(rows_of(read_bytes(tmp_path, content.encode()))) == 1


def test_the_first_row_of_a_json_list_can_be_chosen(tmp_path: Path) -> None:
    content = b'[["a", "b"], ["c", "d"]]'
    assert rows_of(read_bytes(tmp_path, content, header_row="none")) == [("a", "b"), ("c", "d")]
    with pytest.raises(NotATable, match="header_row"):
        read_bytes(tmp_path / "objects", b'[{"a": 1}]', header_row=1)
    with pytest.raises(NotATable, match="header_row 1 or none"):
        read_bytes(tmp_path / "second", content, header_row=2)
