"""Generated JSON is read without loss.

The rows equal `json.loads` of the same text, or a warning names the column. Lists that become rows
keep all items.
"""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mimir.lib.inspection import run_sql
from mimir.lib.reading.read import Reading
from mimir.lib.table_shapes import ColumnInfo
from tests.support.reading import read_bytes

EXAMPLES = 25  # each reads a file or two
_names = st.sampled_from(["id", "v", "tags", "o.x", "größe", "a b", 'q"', "/~", "date"])
_texts = st.sampled_from(
    [
        "",
        " ",
        "x",
        "1",
        "007",
        "true",
        "null",
        "n/a",
        "[1]",
        '{"a":1}',
        '"',
        "\\",
        "é\n\t",
        "2026-01-02",
        "@",
        "1,5",
    ]
)
_scalars = (
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats(allow_nan=False, allow_infinity=False) | _texts | st.text(st.characters(  # noqa: E501
        exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5)
)  # fmt: skip
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=6,
)
_row = st.dictionaries(_names, _values, min_size=1, max_size=4)
_rows = st.lists(_row, min_size=1, max_size=5)
_once = settings(max_examples=EXAMPLES)


def _read(content: str, **options: Any) -> tuple[Reading, list[dict[str, Any]]]:
    """Return the reading and its rows."""
    with tempfile.TemporaryDirectory() as folder:
        found = read_bytes(Path(folder), content.encode(), **options)
        rows = run_sql(
            found.connection,
            f"SELECT {', '.join(_shown(column) for column in found.schema)} FROM "
            f"({found.rows_sql})",
        )
        return found, [
            {column["name"]: value for column, value in zip(found.schema, row, strict=True)}
            for row in rows
        ]


def _shown(column: ColumnInfo) -> str:
    name = '"' + column["name"].replace('"', '""') + '"'
    nested = column["type"].endswith("]") or column["type"].startswith("STRUCT")
    return f"CAST(to_json({name}) AS VARCHAR)" if nested else name


def _same(value: Any, read: Any, kind: str) -> bool:
    """Return whether a stored value equals the value in the file."""
    if isinstance(value, list | dict):
        return isinstance(read, str) and _plain(json.loads(read)) == _plain(value)
    if value is None or read is None:
        return value is read or (isinstance(value, str) and not value.strip() and kind != "VARCHAR")
    if isinstance(value, bool | str):
        return str(read) == (
            str(value) if kind != "VARCHAR" or isinstance(value, str) else json.dumps(value)
        )
    return (
        math.isclose(float(read), float(value), rel_tol=0)
        if kind != "VARCHAR"
        else float(read) == float(value)
    )


def _plain(value: Any) -> Any:
    """Return the value without null and empty fields of structures."""
    if isinstance(value, dict):
        return {
            key: _plain(inner)
            for key, inner in value.items()
            if inner is not None and _plain(inner) != {}
        }
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _reported(found: Reading) -> set[str]:
    return {str(one["params"].get("column", "")) for one in found.warnings}


@_once
@given(rows=_rows, lines=st.booleans())
def test_values_equal_the_text_or_are_reported(rows: list[dict[str, Any]], lines: bool) -> None:
    if len({key.casefold() for row in rows for key in row}) != len(
        {key for row in rows for key in row}
    ):
        return
    text = "\n".join(map(json.dumps, rows)) if lines or len(rows) < 2 else json.dumps(rows)
    found, stored = _read(text, records_path="$")
    assert found.row_count == len(rows)
    for row, read in zip(rows, stored, strict=True):
        for column in found.schema:
            name = column["name"]
            if name not in _reported(found):
                assert _same(row.get(name), read[name], column["type"]), (
                    name,
                    row.get(name),
                    read[name],
                    column["type"],
                )


@_once
@given(
    items=st.lists(
        st.none() | st.lists(_values, max_size=4) | st.integers(), min_size=1, max_size=6
    ),
    nested=st.sampled_from(["keep", "columns", "text"]),
)
def test_lists_as_rows_have_a_row_for_each_item(items: list[Any], nested: str) -> None:
    rows = [{"id": number, "v": value} for number, value in enumerate(items)]
    found, stored = _read(
        "\n".join(map(json.dumps, rows)),
        records_path="$",
        lists="rows",
        list_column="v",
        nested=nested,
    )
    expected = [
        (row["id"], item)
        for row in rows
        for item in ((row["v"] or [None]) if isinstance(row["v"], list) else [row["v"]])
    ]
    assert found.row_count == len(stored) == len(expected)
    assert [row["id"] for row in stored] == [number for number, _ in expected]
    column = next((column for column in found.schema if column["name"] == "v"), None)
    changed = {"nested_text", "nested_mixed", "nested_integers", "mixed_json", "missing_words"}
    if column is not None and not changed & {one["code"] for one in found.warnings}:
        assert all(
            _same(item, row["v"], column["type"])
            for (_, item), row in zip(expected, stored, strict=True)
        )
