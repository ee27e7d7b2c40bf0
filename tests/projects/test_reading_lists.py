"""Lists and objects in the rows of a JSON file.

They are kept, read as text, reduced to the first item, or expanded to one row per item.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from mimir.lib.reading import jsonlists
from mimir.lib.reading.options import BadOptions
from mimir.lib.reading.read import Reading
from mimir.lib.tables import NotATable
from tests.support.reading import codes_of, read_bytes, rows_of, types_of

ROWS: list[dict[str, Any]] = [
    {
        "id": 1,
        "tags": ["a", 'b"'],
        "stops": [{"at": "2026-01-02", "n": 1}, {"at": "2026-01-03", "n": 2}],
    },
    {"id": 2, "tags": [], "stops": [{"at": "2026-01-04", "n": 12345678901234567890}]},
    {"id": 3},
    {"id": 4, "tags": [None, "c"], "stops": None},
]
SEVERAL = {"lists": "rows", "list_column": "tags"}


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _layouts(rows: list[dict[str, Any]]) -> dict[str, tuple[bytes, dict[str, str]]]:
    return {
        "lines": (_lines(rows), {}),
        "array": (json.dumps(rows, indent=1).encode(), {}),
        "objects": ("\n".join(json.dumps(row, indent=1) for row in rows).encode(), {}),
        "document": (json.dumps({"data": {"rows": rows}}).encode(), {"records_path": "data.rows"}),
        "wide": (
            _lines([row | {f"k{number}": number for number in range(400)} for row in rows]),
            {},
        ),
    }


def _column(found: Reading, name: str) -> list[Any]:
    place = list(types_of(found)).index(name)
    return [row[place] for row in rows_of(found)]


@pytest.mark.parametrize("layout", ["lines", "array", "objects", "document", "wide"])
def test_lists_of_every_layout_are_read_in_four_ways(tmp_path: Path, layout: str) -> None:
    content, options = _layouts(ROWS)[layout]

    def read(how: str, **more: Any) -> Reading:
        return read_bytes(tmp_path / how, content, **options, lists=how, **more)

    kept = read("keep")
    assert (types_of(kept)["tags"], _column(kept, "tags")[1:3]) == ("VARCHAR[]", ["[]", None])
    text = read("text")
    assert (types_of(text)["tags"], _column(text, "tags")) == (
        "VARCHAR",
        ['["a","b\\""]', "[]", None, '[null,"c"]'],
    )
    first = read("first")
    assert _column(first, "tags") == ["a", None, None, None]
    dropped = {
        one["params"]["column"]: one["params"]
        for one in first.warnings
        if one["code"] == "list_items_dropped"
    }
    assert dropped["tags"] == {"column": "tags", "count": 2, "rows": 2}
    rows = read("rows", list_column="tags")
    assert _column(rows, "tags") == ["a", 'b"', None, None, None, "c"]
    assert (_column(rows, "id"), rows.row_count) == (["1", "1", "2", "3", "4", "4"], 6)
    assert {"lists_opened", "empty_lists"} <= set(codes_of(rows))
    assert (
        next(one["params"]["count"] for one in rows.warnings if one["code"] == "empty_lists") == 2
    )
    assert [one["name"] for one in rows.choices["list_columns"]] == ["tags", "stops"]


def test_a_single_object_has_a_row_for_each_item(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, b'{"id": 7, "name": "x", "tags": ["a", "b"]}', lists="rows")
    assert rows_of(found) == [("7", "x", "a"), ("7", "x", "b")]
    found = read_bytes(
        tmp_path / "objects",
        b'{"id": 7, "s": [{"a": 1}, {"a": 2}]}',
        records_path="$",
        lists="rows",
        nested="columns",
    )
    assert (list(types_of(found)), rows_of(found)) == (["id", "s.a"], [("7", "1"), ("7", "2")])


def test_objects_of_items_follow_nested_and_their_fields_are_typed_as_columns(
    tmp_path: Path,
) -> None:
    content, chosen = _lines(ROWS), {"lists": "rows", "list_column": "stops"}
    found = read_bytes(tmp_path / "columns", content, nested="columns", **chosen)
    assert {"stops.at": "DATE", "stops.n": "VARCHAR"}.items() <= types_of(found).items()
    assert _column(found, "stops.n") == ["1", "2", "12345678901234567890", None, None]
    assert "large_integers" in codes_of(found) or "nearly_numbers" in codes_of(found)
    kept = read_bytes(tmp_path / "keep", content, **chosen)
    assert types_of(kept)["stops"].startswith("STRUCT(")
    text = read_bytes(tmp_path / "text", content, nested="text", **chosen)
    assert _column(text, "stops")[0] == '{"at":"2026-01-02","n":1}'


def test_fields_of_objects_take_types_and_lists_in_them_become_rows(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"o": {"x": 1, "d": "2026-01-02", "t": [1, 2], "k/~.": {"": 1}}, "o.x": "taken"},
        {"o": {"x": 2}},
        {"o": None},
    ]
    found = read_bytes(
        tmp_path / "text",
        _lines(rows[1:] + [{"o": {"x": 1, "d": "2026-01-02"}}]),
        nested="columns",
        types={"o.x": "text"},
    )
    assert (types_of(found), rows_of(found)[2]) == (
        {"o.x": "VARCHAR", "o.d": "DATE"},
        ("1", "2026-01-02"),
    )
    unopened = read_bytes(tmp_path / "key", _lines(rows), nested="columns")
    assert ("nested_text" in codes_of(unopened), types_of(unopened)["o"]) == (True, "VARCHAR")
    rows[0]["o"]["k/~."] = {'"': 1.5}
    opened = read_bytes(tmp_path / "rows", _lines(rows), nested="columns", lists="rows")
    assert list(types_of(opened)) == ["o.x", "o.d", "o.t", 'o.k/~.."', "o.x_2"]
    assert rows_of(opened)[:2] == [
        ("1", "2026-01-02", "1", "1.5", "taken"),
        ("1", "2026-01-02", "2", "1.5", "taken"),
    ]


def test_values_beside_lists_stay_one_row(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, b'{"v": [1, 2]}\n{"v": 3}\n{"v": [[4], [5]]}\n', lists="rows")
    assert [row[0] for row in rows_of(found)] == ["1", "2", "3", "[4]", "[5]"]


def test_which_lists_become_rows_must_be_clear(tmp_path: Path) -> None:
    for name, options, sentence in (
        (
            "several",
            {"lists": "rows"},
            "2 columns have lists: tags, stops. Choose in list_column which one becomes rows.",
        ),
        (
            "unknown",
            {"lists": "rows", "list_column": "x"},
            "'x', which is not a column. The columns with lists: tags, stops.",
        ),
    ):
        with pytest.raises(NotATable, match=sentence):
            read_bytes(tmp_path / name, _lines(ROWS), **options)
    with pytest.raises(BadOptions, match="list_column: applies to lists rows only"):
        read_bytes(tmp_path / "alone", _lines(ROWS), list_column="tags")
    with pytest.raises(NotATable, match="the option lists does not apply"):
        read_bytes(tmp_path / "csv", b"a,b\n1,2\n", lists="text")
    none = read_bytes(tmp_path / "none", b'{"a": 1}\n{"a": 2}\n', lists="rows")
    assert (codes_of(none), len(rows_of(none))) == (["no_lists"], 2)


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        ("ROWS_MAX", 5, "One row for each item of tags makes 6 rows. At most 5 are accepted."),
        ("CELLS_MAX", 17, "makes 6 rows of 3 columns, 18 cells. At most 17 are accepted."),
        (
            "COPIED_CHARACTERS_MAX",
            100,
            "repeats .* characters of the other columns. At most 100 are accepted.",
        ),
    ],
)
def test_rows_beyond_the_limits_are_refused_before_they_are_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, sentence: str
) -> None:
    monkeypatch.setattr(jsonlists, limit, value)
    with pytest.raises(NotATable, match=sentence):
        read_bytes(tmp_path, _lines(ROWS), **SEVERAL)
    assert not list((tmp_path / "work").glob("rows-*"))


def test_long_lists_are_opened_some_rows_at_a_time_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonlists, "CHARACTERS_AT_ONCE", 40)
    rows: list[dict[str, Any]] = [
        {"id": number, "tags": list(range(number % 7)), "stops": [1]} for number in range(3000)
    ]
    found = read_bytes(tmp_path, _lines(rows[:60]), **SEVERAL)
    expected = [
        (str(row["id"]), None if item is None else str(item))
        for row in rows[:60]
        for item in row["tags"] or [None]
    ]
    assert [row[:2] for row in rows_of(found)] == expected


def test_no_element_of_a_list_of_rows_is_lost(tmp_path: Path) -> None:
    found = read_bytes(tmp_path / "null", b'{"d": [{"a": 1}, null, {"a": 2}]}')
    assert rows_of(found) == [("1",), (None,), ("2",)]  # as in a file that is the list
    with pytest.raises(NotATable, match="Element 2 of the list d is not an object"):
        read_bytes(tmp_path / "list", b'{"d": [{"a": 1}, [5], {"a": 2}]}')


def test_a_complaint_that_the_engine_cuts_inside_a_character_is_one(tmp_path: Path) -> None:
    rows = [
        {"id": None},
        {"gr\u00f6\u00dfe": {"/~": [False, 10**11], "tags": [], "gr\u00f6\u00dfe": ["\u0080"]}},
        {"gr\u00f6\u00dfe": {"id": None}},
    ]
    found = read_bytes(tmp_path, json.dumps(rows).encode())
    assert "nested_text" in codes_of(found)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"types": [{"id": 1}]}, "also has the list data.types. Choose records_path to read it."),
        (
            {"types": [{"id": 1}], "units": [{"id": 1}]},
            "also has the lists data.types, data.units. Choose records_path to read another one.",
        ),
    ],
)
def test_other_lists_in_the_file_are_named(
    tmp_path: Path, others: dict[str, Any], message: str
) -> None:
    rows = [{"a": 1}, {"a": 2}, {"a": 3}]
    found = read_bytes(tmp_path, json.dumps({"data": {"rows": rows} | others}).encode())
    assert [one["message"] for one in found.warnings if message in one["message"]]
