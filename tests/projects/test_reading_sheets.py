"""Workbooks: a range of cells, row numbers of the sheet, several sheets as one table."""

from pathlib import Path
from typing import Any

import pytest

from mimir.lib.reading.options import BadOptions, options_of
from mimir.lib.tables import NotATable
from tests.support.reading import codes_of, read_bytes, rows_of, types_of
from tests.support.workbooks import PlainCell, ods, xls, xlsx, xlsx_of

TITLED: tuple[list[PlainCell], ...] = (
    ["Trips"],
    [],
    [None, "made by hand"],
    ["id", "n", "note"],
    [1, 1.5, "a"],
    [2, "ERR", "b"],
    [3, 2.5, "c"],
    [],
    ["", "total", 9],
)


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ("A4:C7", [("1", "1.5", "a"), ("2", "ERR", "b"), ("3", "2.5", "c")]),
        ("$a$4:$b$6", [("1", "1.5"), ("2", "ERR")]),
        ("4:5", [("1", "1.5", "a")]),
        ("B4:B", [("1.5",), ("ERR",), ("2.5",), (None,), ("total",)]),
        (
            "A4:XFD1048576",
            [
                ("1", "1.5", "a"),
                ("2", "ERR", "b"),
                ("3", "2.5", "c"),
                (None, None, None),
                (None, "total", "9"),
            ],
        ),
    ],
)
def test_cells_outside_the_range_are_not_read(tmp_path: Path, given: str, rows: list[Any]) -> None:
    found = read_bytes(tmp_path, xlsx(*TITLED), range=given, header_row=4)
    assert rows_of(found) == rows
    assert found.options["range"] == given.replace("$", "").upper()
    assert found.options["header_row"] == 4


NO_RANGES = (
    "C4:A1",
    "A9:C1",
    "A1",
    "A0:B2",
    "A1:XFE2",
    "1:1048577",
    "A1:B16000000",
    "A:3",
    "Trips!A1:B2",
    "Ａ1:B2",
    5,
    "A1:B2,C1:D2",
)


@pytest.mark.parametrize("given", NO_RANGES)
def test_an_invalid_range_is_refused(given: Any) -> None:
    with pytest.raises(BadOptions) as refused:
        options_of({"range": given})
    assert list(refused.value.faults) == ["range"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"range": "E1:G9"}, "Sheet Trips has no cells in E1:G9. Its cells are in A1:C9."),
        ({"range": "A8:C8"}, "Sheet Trips has no cells in A8:C8."),
        (
            {"range": "A4:C7", "header_row": 2},
            "Sheet Trips has no row 2 in A4:C7 for the column names.",
        ),
        ({"skip_rows": 9}, "Sheet Trips has no cells below row 9."),
        ({"sheet": "trips"}, "The workbook has no sheet trips. It has Trips."),
        (
            {"range": "A4:C7", "types": {"n": "decimal"}},
            'Column n: 1 of 3 cells are not numbers: "ERR" in row 6 of the sheet.',
        ),
    ],
)
def test_what_cannot_be_read_is_named_as_the_sheet_counts(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotATable) as refused:
        read_bytes(tmp_path, xlsx(*TITLED), **options)
    assert said in refused.value.message
    assert [sheet["name"] for sheet in refused.value.choices["sheets"]] == ["Trips"]


def test_rows_are_counted_from_the_first_row_of_the_sheet(tmp_path: Path) -> None:
    rows: list[list[PlainCell]] = [[]] * 70 + [["id", "n"], [1, 1.5], [2, "n/a"]]
    for number, content in enumerate((xlsx(*rows), ods(*rows), xls(*rows))):
        found = read_bytes(tmp_path / str(number), content)
        assert found.options["header_row"] == 71
        assert rows_of(found) == [("1", "1.5"), ("2", None)]
        assert "(row 73 of the sheet)" in found.warnings[0]["message"]


MONTHS: dict[str, tuple[list[PlainCell], ...]] = {
    "2025-01-01": (["id", "n"], [1, 5], [2, 7]),
    "O'Brien \"& <Söhne>": (["Title"], [], ["ID", "note"], [3, "x"]),
    "שלום עולם": (["id", "n", "sheet"], [4, 1.5, "old"]),
    "Chart": (),
    "hidden": (["id"], [5]),
}


def test_several_sheets_become_one_table(tmp_path: Path) -> None:
    names = list(MONTHS)[:3]
    found = read_bytes(tmp_path, xlsx_of(MONTHS, hidden=["hidden"]), sheets=names)
    assert types_of(found) == {
        "sheet": "VARCHAR",
        "id": "BIGINT",
        "n": "DOUBLE",
        "note": "VARCHAR",
        "sheet_2": "VARCHAR",
    }
    assert rows_of(found) == [
        (names[0], "1", "5.0", None, None),
        (names[0], "2", "7.0", None, None),
        (names[1], "3", None, "x", None),
        (names[2], "4", "1.5", None, "old"),
    ]
    assert found.options["sheets"] == names
    said = {
        (warning["code"], warning["params"].get("of_sheet") or warning["params"]["sheet"])
        for warning in found.warnings
    }
    assert said == {
        *(("sheet_lacks_columns", name) for name in names),
        ("skipped_lines", names[1]),
        ("sheet_spelling", names[1]),
        ("header_renamed", names[2]),
    }
    assert [sheet["hidden"] for sheet in found.choices["sheets"]] == [
        False,
        False,
        False,
        False,
        True,
    ]
    assert found.choices["sheets"][3]["rows"] == 0


def test_rows_of_several_sheets_are_named_by_their_sheet(tmp_path: Path) -> None:
    content = xlsx_of({"A": (["n"], [1]), "B": ([], ["n"], [2], ["n/a"])})
    found = read_bytes(tmp_path, content, sheets=["B", "A"], range="A1:A9")
    assert rows_of(found) == [("B", "2"), ("B", None), ("A", "1")]
    assert "(row 4 of sheet B)" in found.warnings[0]["message"]
    assert "header_row" not in found.options


def test_names_of_sheets_are_not_dates_unless_chosen(tmp_path: Path) -> None:
    content = xlsx_of({"2025-01-01": (["n"], [1]), "2025-01-02": (["n"], [2])})
    found = read_bytes(
        tmp_path, content, sheets=["2025-01-01", "2025-01-02"], types={"sheet": "date"}
    )
    assert types_of(found) == {"sheet": "DATE", "n": "BIGINT"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sheets": ["2025-01-01", "Chart"]}, "Sheet Chart has no cells. Choose another one."),
        ({"sheets": ["2025-01-01", "April"]}, "The workbook has no sheet April."),
        (
            {"sheets": ["2025-01-01", "hidden"], "range": "B1:B9"},
            "Sheet hidden has no cells in B1:B9.",
        ),
    ],
)
def test_a_sheet_that_cannot_be_read_is_named(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotATable, match=said):
        read_bytes(tmp_path, xlsx_of(MONTHS), **options)


def test_options_of_sheets_are_checked() -> None:
    for given, field in (
        ({"sheet": "A", "sheets": ["B"]}, "sheets"),
        ({"sheets": "A"}, "sheets"),
        ({"sheets": [""]}, "sheets"),
        ({"sheets": ["x" * 201]}, "sheets"),
        ({"sheets": [f"s{number}" for number in range(101)]}, "sheets"),
    ):
        with pytest.raises(BadOptions) as refused:
            options_of(given)
        assert list(refused.value.faults) == [field]
    assert options_of({"sheets": ["A", "B", "A"]}).given() == {"sheets": ["A", "B"]}


def test_many_sheets_with_long_names_are_read(tmp_path: Path) -> None:
    names = [f"{number:03}" + "x" * 197 for number in range(500)]
    found = read_bytes(
        tmp_path, xlsx_of({name: (["n"], [1]) for name in names}), sheets=names[400:]
    )
    assert (found.row_count, len(found.choices["sheets"]), codes_of(found)) == (100, 500, [])


def test_the_first_lines_shown_have_the_header_and_what_is_before_it(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, xlsx(["Trips of 2025"], ["station", "trips"], ["Pier 69", 120]))
    assert found.lines[:3] == ["Trips of 2025", "station\ttrips", "Pier 69\t120"]


@pytest.mark.parametrize("name", ["trips.xlsx", "trips.xls", "trips.xlsb", "trips.ods", "trips"])
def test_the_content_of_a_workbook_decides_not_its_name(tmp_path: Path, name: str) -> None:
    for number, content in enumerate((xlsx(["n"], [1]), ods(["n"], [1]), xls(["n"], [1]))):
        assert rows_of(read_bytes(tmp_path / str(number), content, name=name)) == [("1",)]
