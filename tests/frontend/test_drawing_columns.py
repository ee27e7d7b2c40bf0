"""Plots of columns: histograms, ranges, missing cells and shares."""

from typing import Any

import pytest

from mimir.frontend.drawing import profiles

HEADS: list[tuple[Any, list[str], str]] = [
    (
        {
            "min": 212,
            "max": 5871,
            "mean": 3127.4,
            "histogram": {"edges": [212, 3000, 5871], "counts": [2, 1]},
        },
        ["212 to 5,871", "mean 3,127"],
        "",
    ),
    (
        {
            "top": [{"value": "rain", "count": 60}, {"value": "sun", "count": 30}],
            "distinct": 5,
            "missing": 10,
        },
        ["rain 60 %, sun 30 %", "3 more"],
        "10 missing (10 %)",
    ),
    (
        {"min": "2012-01-01", "max": "2015-12-31T00:00:00", "distinct": 90},
        ["2012-01-01 to 2015-12-31", "90 distinct values"],
        "",
    ),
    (
        {"min": "2012-01-01T06:30:00", "max": "2012-01-01T06:30:00", "distinct": 1},
        ["2012-01-01 06:30", "1 distinct value"],
        "",
    ),
    ({"top": [{"value": "", "count": 100}], "distinct": 1}, ["empty 100 %"], ""),
    ({"missing": 100, "distinct": 0}, ["0 distinct values"], "100 missing (100 %)"),
    ({}, [], ""),
]


@pytest.mark.parametrize(("column", "lines", "missing"), HEADS)
def test_the_header_of_a_column_has_its_range_and_missing_count(
    column: Any, lines: list[str], missing: str
) -> None:
    head = profiles.head(column, 100)
    assert (head.lines, head.missing) == (lines, missing)


@pytest.mark.parametrize(
    "histogram",
    [
        None,
        {},
        {"edges": [0], "counts": []},
        {"edges": [0, 1], "counts": [0]},
        {"edges": 3, "counts": [1]},
        "text",
    ],
)
def test_a_column_without_a_histogram_has_no_picture(histogram: object) -> None:
    assert profiles.head({"histogram": histogram, "min": 1, "max": 2}, 3).lines == ["1 to 2"]
    assert profiles.head({"histogram": histogram}, 3).bars == []


def test_the_bins_of_times_are_shown_as_times() -> None:
    column = {
        "min": "2012-01-01",
        "max": "2012-12-31",
        "distinct": 366,
        "histogram": {"edges": ["2012-01-01", "2012-07-01", "2013-01-01"], "counts": [182, 184]},
    }
    assert profiles.bins_of(column)[1] == ("2012-07-01", "2013-01-01", 184)
    assert profiles.head(column, 366).lines == ["2012-01-01 to", "2012-12-31"]


def test_a_column_of_one_value_is_one_full_bar() -> None:
    assert profiles.head(
        {"min": 3, "max": 3, "mean": 3.0, "histogram": {"edges": [3.0, 3.0], "counts": [9]}}, 9
    ).bars == [(0.5, 1.0, 131.0, 33.0)]


def test_the_plot_of_a_column_fills_its_width() -> None:
    head = profiles.head({"histogram": {"edges": [0, 1, 2, 3], "counts": [1000, 0, 1]}}, 1001)
    assert [height for *_, height in head.bars] == [33, 0, 1]  # one row among many is visible
    assert head.bars[-1][0] + head.bars[-1][2] <= profiles.WIDTH
    top = profiles.head(
        {"top": [{"value": str(number), "count": 9 - number} for number in range(9)]}, 45
    )
    assert len(top.bars) == 3
    assert top.bars[-1][1] + top.bars[-1][3] <= profiles.HEIGHT


@pytest.mark.parametrize(
    ("count", "total", "description"),
    [(0, 10, "0 %"), (1, 10, "10 %"), (1, 10_000, "< 0.1 %"), (12, 1461, "0.8 %"), (5, 0, "0 %")],
)
def test_a_nonzero_share_is_not_shown_as_zero(count: int, total: int, description: str) -> None:
    assert profiles.share(count, total) == description
