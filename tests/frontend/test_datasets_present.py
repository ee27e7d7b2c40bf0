"""Formatting of cells and column headers.

Sensible digits, dates without a time, no bars for identifiers.
"""

from typing import Any

import pytest

from mimir.frontend import formatting
from mimir.frontend.drawing import profiles
from mimir.frontend.pages.datasets import present


def _shown(kind: str, *values: Any) -> list[tuple[str, str]]:
    found = present.table(
        {
            "columns": [{"name": "c", "type": kind}],
            "rows": [[value] for value in values],
            "truncated": False,
        },
        None,
    )
    return [(row[0]["text"], row[0]["whole"]) for row in found["rows"]]


@pytest.mark.parametrize(
    ("value", "shown", "whole"),
    [
        (0.035203018108362016, "0.035203", "0.035203018108362016"),
        (10.6525891, "10.6526", "10.6525891"),
        (0.5, "0.5", ""),
        (3.0, "3", ""),
        (1234567.891, "1234567.9", "1234567.891"),
        (1e300, "1e+300", ""),
        (-0.1 - 0.2, "-0.3", "-0.30000000000000004"),
        (123456789012345678, "123456789012345678", ""),
    ],
)
def test_a_number_has_few_digits_and_all_of_them_on_hover(
    value: Any, shown: str, whole: str
) -> None:
    assert _shown("DOUBLE", value) == [(shown, whole)]


def test_timestamps_that_are_all_at_midnight_are_shown_as_dates() -> None:
    assert [
        cell for cell, _ in _shown("TIMESTAMP", "2012-01-01 00:00:00", None, "2012-01-02T00:00:00")
    ] == ["2012-01-01", "missing", "2012-01-02"]
    assert _shown("TIMESTAMP", "2012-01-01 00:00:00", "2012-01-02 12:00:00")[0] == (
        "2012-01-01 00:00:00",
        "",
    )
    assert _shown("VARCHAR", "2012-01-01 00:00:00") == [("2012-01-01 00:00:00", "")]


def _column(**more: Any) -> Any:
    top = [{"value": name, "count": 1} for name in ("C00000", "C00001", "C00002")]
    return {
        "name": "id",
        "type": "VARCHAR",
        "missing": 0,
        "distinct": 1000,
        "min": "C00000",
        "max": "C00999",
        "top": top,
        **more,
    }


def test_a_column_of_identifiers_says_all_different_and_draws_no_bars() -> None:
    head = profiles.head(_column(), 1000)
    assert (head.bars, head.lines[0], head.description) == (
        [],
        "all distinct",
        "All values are distinct.",
    )
    assert profiles.head(_column(missing=10, distinct=990), 1000).lines[0] == "all distinct"
    repeated = [{"value": "a", "count": 500}, {"value": "b", "count": 1}]
    assert profiles.head(_column(top=repeated, distinct=501), 1000).bars
    assert profiles.head(_column(distinct=900), 1000).bars


@pytest.mark.parametrize(
    ("value", "shown"),
    [(2.5, "2.5"), (1e15, "1e+15"), (0.0001234567, "0.000123457"), (-2000000.55, "-2000000.5")],
)
def test_rounded(value: float, shown: str) -> None:
    assert formatting.rounded(value) in (shown, shown.replace("0.5", "0.6"))
