"""Handling of rare classes and splits, and messages about columns."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from jobs.contract import EventKind
from jobs.worker.ml_training.classes import RARE_GROUP
from tests.worker.learning import train

pytestmark = pytest.mark.timeout(120)
N = 60
NOISE = np.random.default_rng(5).normal(size=N)
CATEGORIES = ["a", "b"] * 29 + ["rare", "odd"]


def _learn(folder: Path, columns: dict[str, Any], **parameters: Any) -> tuple[str, dict[str, Any]]:
    context, report = train(
        folder,
        pa.table({"noise": NOISE, **columns}),
        target="y",
        **{"algorithm": "logistic", **parameters},
    )
    return context.notices(), report


@pytest.mark.parametrize("choice", ["", "drop", "group"])
def test_rare_classes_do_not_stop_a_training(choice: str, tmp_path: Path) -> None:
    notices, report = _learn(
        tmp_path, {"y": CATEGORIES}, **({"rare_classes": choice} if choice else {})
    )
    if choice == "group":
        assert report["signature"]["classes"] == [RARE_GROUP, "a", "b"]
        assert (
            f"2 classes of y with only one row are grouped as {RARE_GROUP}: odd, rare." in notices
        )
    else:
        assert report["signature"]["classes"] == ["a", "b"]
        assert "Classes of y with only one row are not used: odd, rare." in notices
        assert report["training"]["dropped_rows"] == 2


def test_rare_classes_of_whole_numbers_are_dropped_too(tmp_path: Path) -> None:
    _, report = _learn(tmp_path, {"y": [1, 2] * 29 + [3, 4]}, task="classification")
    assert report["signature"]["classes"] == ["1", "2"]


def test_classes_that_differ_by_case_or_spaces_are_pointed_out(tmp_path: Path) -> None:
    notices, report = _learn(tmp_path, {"y": ["yes", "no", "Yes ", "no"] * 15})
    assert report["signature"]["classes"] == ["Yes ", "no", "yes"]
    assert (
        "Classes of y differ only by case, spaces or Unicode form: 'Yes ' (15 rows), 'yes' "
        "(15 rows)."
    ) in notices
    assert 'lower(trim("y"))' in notices


def test_imbalanced_classes_are_reported(tmp_path: Path) -> None:
    notices, _ = _learn(tmp_path, {"y": ["no"] * 57 + ["yes"] * 3})
    assert "The classes are imbalanced: no has 95.0 % of the rows, yes 5.0 %." in notices
    assert "class_weight" in notices


TOWNS = ["Oslo", "Rome", "Bern"] * 20
LABEL = [{"Oslo": "cold", "Rome": "warm", "Bern": "cold"}[town] for town in TOWNS]
# Columns with their expected messages; training on noise alone gives none.
ADVICE: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"y": [["a", "b"][int(value > 0)] for value in np.roll(NOISE, 7)]}, ""),
    "a number that gives a class away": (
        {"x": [3, 0] * 30, "y": ["a", "b"] * 30},
        "alone: x (accuracy 1.000)",
    ),
    "a category that gives a class away": (
        {"town": TOWNS, "y": LABEL},
        "alone: town (accuracy 1.000)",
    ),
    "a row number": (
        {"row": list(range(100, 100 + N)), "y": ["a", "b"] * 30},
        "seem to identify rows: row.",
    ),
    "an identifier with gaps": (
        {"customer_id": [7 * number % 1009 for number in range(N)], "y": ["a", "b"] * 30},
        "rows: customer_id.",
    ),
    "categories in two forms": (
        {"town": ["Oslo", "oslo ", "Rome"] * 20, "y": ["a", "b", "b", "a"] * 15},
        "Column town has categories that differ",
    ),
}


@pytest.mark.parametrize("what", ADVICE)
def test_suspicious_columns_are_reported_and_kept(what: str, tmp_path: Path) -> None:
    columns, message = ADVICE[what]
    notices, report = _learn(tmp_path, columns)
    assert message in notices
    assert [feature["name"] for feature in report["signature"]["features"]] == [
        "noise",
        *(name for name in columns if name != "y"),
    ]
    if not message:
        assert notices == ""


def test_a_copied_number_and_a_nearly_constant_column_are_reported(tmp_path: Path) -> None:
    count = 200
    target = np.random.default_rng(1).normal(size=count)
    table = pa.table({"copy": target * 3 + 1, "flat": [1] * (count - 1) + [2], "y": target})
    context, report = train(tmp_path, table, target="y", algorithm="linear")
    assert "alone: copy (R² " in context.notices()
    assert (
        "Nearly constant columns, with the share of their most frequent value: flat (99.5 %)."
        in context.notices()
    )
    assert len(report["signature"]["features"]) == 2


def test_excluded_columns_are_not_features(tmp_path: Path) -> None:
    _, report = _learn(tmp_path, {"leak": ["x", "z"] * 30, "y": ["a", "b"] * 30}, exclude=["leak"])
    assert [feature["name"] for feature in report["signature"]["features"]] == ["noise"]


@pytest.mark.parametrize("named", [True, False])
def test_a_split_by_time_holds_out_the_latest_rows(named: bool, tmp_path: Path) -> None:  # noqa: FBT001
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=(7 * number) % N) for number in range(N)]
    days[3] = None  # type: ignore[call-overload]
    values = [0.0 if day is None else float((day - dt.date(2024, 1, 1)).days) for day in days]
    table = pa.table({"noise": NOISE, "day": days, "y": values})
    parameters = {"split": "time", **({"time_column": "day"} if named else {})}
    context, report = train(
        tmp_path, table, target="y", algorithm="linear", test_size=0.2, **parameters
    )
    assert (
        report["training"]["train_rows"],
        report["training"]["test_rows"],
        report["training"]["split"],
    ) == (47, 12, "time")
    assert "1 rows have no day, the time of the split" in context.notices()
    assert report["metrics"]["r2"] == pytest.approx(1.0)
    assert report["baseline"]["r2"] < -1  # the mean of earlier rows: the held-out ones are later


def test_the_log_tells_each_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context, _ = train(
        tmp_path,
        pa.table({"x": NOISE, "id": [f"k{n}" for n in range(N)], "y": NOISE * 2}),
        target="y",
        algorithm="linear",
    )
    log = capsys.readouterr().err
    for line in (
        "mimir: Importing pandas, scikit-learn and pyarrow",
        "mimir: 60 rows, 3 columns",
        "mimir: target: y, regression",
        "mimir: Excluded, because they carry no information: id is text that differs in nearly "
        "every row.",
        "mimir: columns used: x (number)",
        "mimir: split: 45 rows for training, 15 rows held out (random)",
        "mimir: algorithm: linear (fit_intercept=True)",
        "mimir: r2: 1 (baseline ",
        "mimir: it becomes the next version of model m",
    ):
        assert line in log
    assert next(data for kind, data in context.events if kind is EventKind.PROGRESS)[
        "message"
    ].startswith("Importing")


@pytest.mark.parametrize(("task", "features"), [("classification", "sqrt"), ("regression", 1.0)])
def test_the_default_of_max_features_is_reported_as_it_is_used(
    task: str, features: Any, tmp_path: Path
) -> None:
    target = ["a", "b"] * 30 if task == "classification" else list(NOISE)
    small = {"n_estimators": 2}
    _, report = _learn(
        tmp_path,
        {"x": list(np.roll(NOISE, 3)), "y": target},
        algorithm="random_forest",
        hyperparameters=small,
    )
    assert report["hyperparameters"]["max_features"] == features
