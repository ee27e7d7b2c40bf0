"""The sheets of a workbook in the import form, and the facts below its column types."""

from typing import Any

import pytest
from django.http import QueryDict

from mimir.frontend.pages.imports.column_facts import fact_line
from mimir.frontend.pages.imports.sheet_fields import sheets_of

NAMES = ("Trips 2025", 'Söhne & "Co"', "שלום", "Empty", "trips-2025")


def upload(options: Any | None = None, read: str = "Trips 2025") -> Any:
    sheets = [
        {"name": name, "rows": 3044 * (name != "Empty"), "columns": 9, "hidden": name == "שלום"}
        for name in NAMES
    ]
    return {
        "options": options or {},
        "sheets": sheets,
        "reading": {"options": {"sheet": read}} if read else None,
    }


def posted(query: str) -> QueryDict:
    return QueryDict(f"sheets_known=1&{query}")


def test_the_sheet_that_was_read_is_chosen_and_stays_automatic() -> None:
    for sheets in (sheets_of(upload()), sheets_of(upload(), posted("sheets=0&shown=0"))):
        assert [(row["chosen"], row["empty"], row["hidden"]) for row in sheets.rows] == [
            (True, False, False), (False, False, False), (False, False, True), (False, True, False), (False, False, False)  # noqa: E501
        ]  # fmt: skip
        assert sheets.rows[0]["size"] == "3,044 rows, 9 columns"
        assert (sheets.options(), sheets.each, sheets.title) == ({}, False, "Trips 2025")


@pytest.mark.parametrize(
    ("query", "options", "each"),
    [
        ("sheets=1&shown=0", {"sheet": NAMES[1]}, False),
        ("sheets=0&sheets=2&several=one&shown=0", {"sheets": [NAMES[0], NAMES[2]]}, False),
        ("sheets=0&sheets=2&several=each&shown=0", {"sheet": NAMES[0]}, True),
        ("sheets=0&sheets=2&several=each&shown=0&tab=2", {"sheet": NAMES[2]}, True),
        ("sheets=0&sheets=2&several=each&shown=1&tab=7", {"sheet": NAMES[0]}, True),
        ("sheets=3&shown=0", {}, False),
        ("sheets=99&sheets=x&shown=-1", {}, False),
    ],
)
def test_chosen_sheets_give_the_options(query: str, options: Any, each: bool) -> None:
    sheets = sheets_of(upload(), posted(query))
    assert (sheets.options(), sheets.each) == (options, each)


def test_each_sheet_has_a_dataset_name_of_its_own() -> None:
    sheets = sheets_of(
        upload(), posted("sheets=0&sheets=1&sheets=2&sheets=4&dataset-1=mine&shown=2")
    )
    assert sheets.datasets() == [
        {"sheet": NAMES[0], "name": "trips-2025"},
        {"sheet": NAMES[1], "name": "mine"},
        {"sheet": NAMES[2], "name": "sheet-3"},
        {"sheet": NAMES[4], "name": "trips-2025-5"},
    ]
    assert [target.sheet for target in sheets.targets if target.current] == [NAMES[2]]


def test_the_options_are_shown_even_for_an_unreadable_file() -> None:
    sheets = sheets_of(upload({"sheets": [NAMES[2], NAMES[0]]}, read=""))
    assert (sheets.chosen, sheets.options(), sheets.each) == (
        [2, 0],
        {"sheets": [NAMES[2], NAMES[0]]},
        False,
    )


@pytest.mark.parametrize(
    ("column", "line"),
    [
        ({"type": "BIGINT", "missing": 0, "distinct": 5, "min": 31000, "max": 31396}, "31,000 to 31,396"),  # noqa: E501
        ({"type": "DOUBLE", "missing": 12, "distinct": 5, "min": 0.0, "max": 2104.8}, "0 to 2,104.8 · 1.2 % missing"),  # noqa: E501
        ({"type": "BIGINT", "missing": 0, "distinct": 1, "min": 7, "max": 7}, "only 7"),
        ({"type": "TIMESTAMP", "missing": 0, "distinct": 9, "min": "2024-12-31 07:00:00", "max": "2025-12-30 00:00:00"},  # noqa: E501
         "31 Dec 2024 to 30 Dec 2025"),
        ({"type": "TIMESTAMP", "missing": 0, "distinct": 9, "min": "2025-01-03 07:00:00", "max": "2025-01-03 09:30:00"},  # noqa: E501
         "3 Jan 2025, 07:00 to 09:30"),
        ({"type": "TIME", "missing": 0, "distinct": 9, "min": "07:00:00", "max": "09:30:00"}, "07:00:00 to 09:30:00"),  # noqa: E501
        ({"type": "DATE", "missing": 0, "distinct": 2, "min": "-infinity", "max": "2025-01-03"}, "-infinity to 3 Jan 2025"),  # noqa: E501
        ({"type": "VARCHAR", "missing": 0, "distinct": 1000}, "all distinct"),
        ({"type": "VARCHAR", "missing": 970, "distinct": 2}, "2 distinct · 97 % missing"),
        ({"type": "VARCHAR", "missing": 999, "distinct": 1}, "one value · 99 % missing"),
        ({"type": "INTEGER[]", "missing": 0}, ""),
        ({"type": "VARCHAR", "missing": 1000, "distinct": 0}, ""),
        ({"type": "VARCHAR"}, ""),
    ],
)  # fmt: skip
def test_facts_are_one_short_line(column: Any, line: str) -> None:
    assert fact_line(column, 1000) == line


def test_few_missing_values_are_counted() -> None:
    column: Any = {"type": "VARCHAR", "missing": 3, "distinct": 2}
    assert fact_line(column, 48_213) == "2 distinct · 3 missing"
