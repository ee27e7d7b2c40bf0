"""Texts of metrics: against the baseline, against the previous version, and side by side."""

from typing import Any

import pytest

from mimir.frontend.pages.models.metric_text import (
    against_baseline,
    against_version,
    best_of,
    figures,
    main_of,
    ordered,
    verdict,
)
from mimir.frontend.pages.models.present import (
    compared,
    compared_plots,
    list_row,
    training_facts,
    version_rows,
)
from tests.frontend.shelf import classification, regression, short

BASELINES = [
    ("root_mean_squared_error", 412.3, 1105.0, "63 % better than the baseline", "ok"),
    ("root_mean_squared_error", 1200.0, 1000.0, "20 % worse than the baseline", "failed"),
    ("root_mean_squared_error", 3000.0, 1000.0, "3 times the error of the baseline", "failed"),
    ("root_mean_squared_error", 1001.0, 1000.0, "no better than the baseline", ""),
    ("mean_absolute_error", 0.0, 0.0, "as good as the baseline", ""),
    ("mean_absolute_error", 1.0, 0.0, "worse than the baseline, which has no error", "failed"),
    ("accuracy", 0.861, 0.439, "0.422 above the baseline", "ok"),
    ("accuracy", 0.4, 0.5, "0.1 below the baseline", "failed"),
    ("r2", 0.0, 0.0001, "no better than the baseline", ""),
    ("log_loss", 0.5, 1.0, "50 % better than the baseline", "ok"),
]


@pytest.mark.parametrize(("name", "value", "baseline", "text", "tone"), BASELINES)
def test_a_metric_against_the_baseline(
    name: str, value: float, baseline: float, text: str, tone: str
) -> None:
    verdict_found = against_baseline(name, value, baseline)
    assert verdict_found
    assert (verdict_found.text, verdict_found.tone) == (text, tone)


@pytest.mark.parametrize(
    ("name", "value", "baseline"),
    [
        ("root_mean_squared_error", None, 1.0),
        ("root_mean_squared_error", 1.0, None),
        ("unknown", 1.0, 2.0),
        ("r2", float("nan"), 0.0),
    ],
)
def test_no_comparison_is_shown_without_a_baseline(
    name: str, value: object, baseline: object
) -> None:
    assert against_baseline(name, value, baseline) is None
    assert against_version(name, value, baseline) is None


@pytest.mark.parametrize(
    ("name", "value", "before", "text"),
    [
        ("root_mean_squared_error", 412.0, 447.0, "−35 better"),
        ("root_mean_squared_error", 477.0, 468.0, "+9 worse"),
        ("accuracy", 0.86, 0.84, "+0.02 better"),
        ("accuracy", 0.84, 0.86, "−0.02 worse"),
        ("root_mean_squared_error", 412.1, 412.2, "the same"),
    ],
)
def test_a_metric_against_the_version_before(
    name: str, value: float, before: float, text: str
) -> None:
    verdict_found = against_version(name, value, before)
    assert verdict_found
    assert verdict_found.text == text


@pytest.mark.parametrize(
    ("name", "values", "place"),
    [
        ("root_mean_squared_error", [2.0, 1.0], 1),
        ("r2", [2.0, 1.0], 0),
        ("root_mean_squared_error", [1.0, 1.0001], None),
        ("root_mean_squared_error", [1.0, None], None),
        ("x", [1, 2], None),
    ],
)
def test_the_better_of_two_is_marked_if_one_is_better(
    name: str, values: list[object], place: int | None
) -> None:
    assert best_of(name, values) == place


def test_known_metrics_come_first_and_unknown_ones_are_not_lost() -> None:
    assert ordered({"zeta": 1, "r2": 1, "root_mean_squared_error": 1}, {"alpha": 2}) == [
        "root_mean_squared_error",
        "r2",
        "alpha",
        "zeta",
    ]
    known: Any = {"metrics": {"r2": 0.5, "mean_absolute_error": None}}
    unknown: Any = {"metrics": {"zeta": 1.0}}
    assert (main_of(known), main_of(unknown)) == ("r2", "")


def test_versions_with_another_target_are_not_compared() -> None:
    one, two = regression(1), regression(2) | {"target": "trips"}
    assert [row["before"] for row in figures(two, one)] == ["", "", ""]
    rows = version_rows([short(two), short(one)], 2)
    assert (rows[0]["change"], rows[0]["other_target"], rows[0]["shown"]) == (None, True, True)
    assert all(row["best"] is None for row in compared(one, two))


def test_a_version_is_compared_with_the_baseline_and_the_previous_version() -> None:
    two, one = regression(2), regression(1, 1.085)
    rows = figures(two, one)
    assert [(row["title"], row["value"], row["baseline"], row["before"]) for row in rows] == [
        ("Root mean squared error", "412", "1,105", "447"),
        ("R²", "0.86", "−0.002", "0.835"),
        ("Mean absolute error", "298", "871", "323"),
    ]
    assert [row["change"].text for row in rows] == ["−35 better", "+0.025 better", "−25.3 better"]
    verdict_found = verdict(two)
    assert verdict_found
    assert verdict_found.text == "63 % better than the baseline"


def test_a_model_without_a_metric_we_know_still_has_its_row() -> None:
    version: Any = {**short(regression(1)), "metrics": {}, "baseline": {}}
    row = list_row({"name": "m", "created_at": "", "version": version})
    assert (row["metric"], row["value"], row["verdict"]) == ("", "", None)


def test_differences_between_two_versions_are_listed_first() -> None:
    rows = compared(regression(1, 1.085), regression(2))
    differing = [row["title"] for row in rows if row["differs"]]
    assert [row["title"] for row in rows[: len(differing)]] == differing
    assert differing == [
        "Root mean squared error",
        "R²",
        "Mean absolute error",
        "Algorithm",
        "Data",
        "Intercept",
        "Learning rate",
        "Trees",
        "Depth",
    ]
    assert [row["best"] for row in rows[:3]] == [1, 1, 1]
    intercept = next(row for row in rows if row["title"] == "Intercept")
    assert intercept["cells"] == ["yes", ""]


def test_curves_are_compared_class_by_class() -> None:
    plots = compared_plots(classification(1), classification(2), "rain")
    assert (plots["class"], [curve["title"] for curve in plots["curves"]]) == (
        "rain",
        ["ROC", "Precision-recall", "Calibration"],
    )
    assert [one.text for one in plots["curves"][0]["chart"].labels] == ["version 1", "version 2"]
    assert (
        compared_plots(classification(1), classification(2), "no such class")["class"]
        in classification(1)["signature"]["classes"]
    )
    assert compared_plots(classification(1), regression(2), "")["curves"] == []


def test_unknown_training_facts_are_omitted() -> None:
    assert training_facts({}) == []
    facts = dict(training_facts(classification(1)["training"]))
    assert facts["Rows"] == "1,095 for training, 366 held out, 25\u00a0%"
    assert facts["Split"] == "random, stratified"
    assert "Left out" not in facts
