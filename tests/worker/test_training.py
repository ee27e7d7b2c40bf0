"""Training compared with plain scikit-learn.

A script that shares only the data with the workload must compute the same metrics.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn import datasets, metrics
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from jobs.contract import EventKind
from jobs.types.ml_training.report import report_fault
from tests.worker.learning import train

pytestmark = pytest.mark.timeout(120)
CLASSIFIERS = {
    "random_forest": lambda: RandomForestClassifier(random_state=7),
    "logistic": lambda: LogisticRegression(max_iter=1000, random_state=7),
    "hist_gradient_boosting": lambda: HistGradientBoostingClassifier(random_state=7),
}
REGRESSORS = {
    "random_forest": lambda: RandomForestRegressor(random_state=7),
    "linear": LinearRegression,
    "hist_gradient_boosting": lambda: HistGradientBoostingRegressor(random_state=7),
}
PUBLIC = [
    ("iris", "logistic"),
    ("iris", "hist_gradient_boosting"),
    ("wine", "random_forest"),
    ("breast_cancer", "logistic"),
    ("breast_cancer", "hist_gradient_boosting"),
    ("digits", "random_forest"),
    ("diabetes", "linear"),
    ("diabetes", "random_forest"),
    ("diabetes", "hist_gradient_boosting"),
]


def _public(name: str) -> tuple[pd.DataFrame, Any, bool]:
    """Return a data set of scikit-learn, its target, and whether the target is a class."""
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    if name == "diabetes":
        return bunch.data, bunch.target, False
    names = np.array([str(each) for each in bunch.target_names], dtype=object)
    return bunch.data, names[bunch.target.to_numpy()], True


def _scores(model: Any, rows: Any, truth: Any, *, classes: bool) -> dict[str, float]:
    guess = model.predict(rows)
    if not classes:
        return {
            "r2": metrics.r2_score(truth, guess),
            "mean_absolute_error": metrics.mean_absolute_error(truth, guess),
            "root_mean_squared_error": np.sqrt(np.mean((np.asarray(truth) - guess) ** 2)),
        }
    chance = model.predict_proba(rows)
    ranked = chance[:, 1] if chance.shape[1] == 2 else chance
    return {
        "accuracy": np.mean(guess == truth),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, guess),
        "f1_macro": metrics.f1_score(truth, guess, average="macro", zero_division=0),
        "log_loss": metrics.log_loss(truth, chance),
        "roc_auc": metrics.roc_auc_score(truth, ranked, multi_class="ovr"),
    }


@pytest.mark.parametrize(("name", "algorithm"), PUBLIC)
def test_public_sets_give_the_figures_of_a_plain_script(
    name: str, algorithm: str, tmp_path: Path
) -> None:
    rows, target, classes = _public(name)
    table = pa.Table.from_pandas(rows.assign(answer=target), preserve_index=False)
    _, report = train(tmp_path, table, target="answer", algorithm=algorithm, seed=7, test_size=0.3)

    model = (CLASSIFIERS if classes else REGRESSORS)[algorithm]()
    # Constant columns, which the workload excludes.
    rows = rows.loc[:, rows.nunique() > 1]
    known, unknown, learned, truth = train_test_split(
        rows, target, test_size=0.3, random_state=7, stratify=target if classes else None
    )
    if algorithm in ("linear", "logistic"):
        model = make_pipeline(StandardScaler(), model)
    trivial = DummyClassifier(strategy="prior") if classes else DummyRegressor()
    assert report["metrics"] == pytest.approx(
        _scores(model.fit(known, learned), unknown, truth, classes=classes), abs=1e-9
    )
    assert report["baseline"] == pytest.approx(
        _scores(trivial.fit(known, learned), unknown, truth, classes=classes), abs=1e-9
    )
    assert report["training"]["stratified"] is classes
    assert not report_fault(report, {"target": "answer", "algorithm": algorithm})


def _mixed(count: int = 600) -> pd.DataFrame:
    """Return columns of every kind with missing values.

    Also an id, a constant column, and both kinds of target, which have missing values, too.
    """
    random = np.random.default_rng(3)
    size = random.normal(10, 3, count)
    town = np.array(["Oslo", "Bergen", "Ålesund"], dtype=object)[random.integers(0, 3, count)]
    town[::11] = None
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, count), unit="D")
    frame = pd.DataFrame(
        {
            "id": [f"id-{number}" for number in range(count)],
            "size": np.where(random.random(count) < 0.1, np.nan, size),
            "town": town,
            "open": [None if number % 13 == 0 else bool(number % 2) for number in range(count)],
            "day": day.date,
            "same": 1,
            "price": size * 3 + random.normal(0, 1, count) + (town == "Oslo") * 5,
        }
    )
    frame["dear"] = frame["price"] > 32
    frame.loc[::50, "price"] = np.nan
    return frame


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns prepared by hand, as docs/explanation/training.md describes."""
    days = (pd.to_datetime(frame["day"]) - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    return pd.DataFrame(
        {
            "size": frame["size"],
            "day": days.astype(float),
            "open": frame["open"].map({True: 1.0, False: 0.0}),
            "town": frame["town"].astype(object).where(frame["town"].notna(), np.nan),
        }
    )


def _prepared(algorithm: str) -> Any:
    if algorithm == "hist_gradient_boosting":
        ordinal = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            encoded_missing_value=np.nan,
            max_categories=250,
        )
        return make_column_transformer(
            ("passthrough", ["size", "day", "open"]), (ordinal, ["town"])
        )
    numbers = [SimpleImputer(strategy="median")] + (
        [StandardScaler()] if algorithm in ("linear", "logistic") else []
    )
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=100, sparse_output=False
    )
    return make_column_transformer(
        (make_pipeline(*numbers), ["size", "day"]),
        (SimpleImputer(strategy="most_frequent"), ["open"]),
        (
            make_pipeline(SimpleImputer(strategy="constant", fill_value="missing"), one_hot),
            ["town"],
        ),
    )


def _answered(algorithm: str, target: str, model: Any) -> tuple[pd.DataFrame, dict[str, float]]:
    frame = _mixed()
    there = frame[target].notna()
    rows, truth = _plain(frame[there]), frame.loc[there, target].to_numpy()
    classes = target == "dear"
    known, unknown, learned, answer = train_test_split(
        rows, truth, test_size=0.25, random_state=0, stratify=truth if classes else None
    )
    return frame, _scores(
        make_pipeline(_prepared(algorithm), model).fit(known, learned),
        unknown,
        answer,
        classes=classes,
    )


@pytest.mark.parametrize(
    ("algorithm", "target", "model"),
    [
        ("linear", "price", LinearRegression()),
        ("random_forest", "price", RandomForestRegressor(25, min_samples_leaf=2, random_state=0)),
        (
            "hist_gradient_boosting",
            "price",
            HistGradientBoostingRegressor(random_state=0, categorical_features=[3]),
        ),
        ("logistic", "dear", LogisticRegression(max_iter=1000, random_state=0)),
        (
            "hist_gradient_boosting",
            "dear",
            HistGradientBoostingClassifier(random_state=0, categorical_features=[3]),
        ),
    ],
)
def test_mixed_columns_are_prepared_as_the_documentation_says(
    algorithm: str, target: str, model: Any, tmp_path: Path
) -> None:
    frame, expected = _answered(algorithm, target, model)
    chosen = {"n_estimators": 25, "min_samples_leaf": 2} if algorithm == "random_forest" else {}
    given = frame.drop(columns="dear" if target == "price" else "price")
    table = pa.Table.from_pandas(given, preserve_index=False)
    context, report = train(
        tmp_path, table, target=target, algorithm=algorithm, hyperparameters=chosen
    )
    assert report["metrics"] == pytest.approx(expected, abs=1e-9)
    assert [feature["name"] for feature in report["signature"]["features"]] == [
        "size",
        "town",
        "open",
        "day",
    ]
    assert (
        "id is text that differs in nearly every row; same has one value only" in context.notices()
    )
    if target == "price":
        assert report["training"]["dropped_rows"] == 12
        assert "12 of 600 rows have no price" in context.notices()


def test_a_forest_reports_its_score_during_training(tmp_path: Path) -> None:
    rows, target, _ = _public("wine")
    table = pa.Table.from_pandas(rows.assign(answer=target), preserve_index=False)
    context, _ = train(
        tmp_path,
        table,
        target="answer",
        algorithm="random_forest",
        hyperparameters={"n_estimators": 30},
    )
    scores = [data for kind, data in context.events if kind is EventKind.METRIC and "step" in data]
    assert [score["step"] for score in scores] == list(range(3, 31, 3))
    assert {score["name"] for score in scores} == {"accuracy"}
    fractions = [data["fraction"] for kind, data in context.events if kind is EventKind.PROGRESS]
    assert fractions == sorted(fractions)


def test_a_model_that_does_not_converge_says_so_and_is_kept(tmp_path: Path) -> None:
    rows, target, _ = _public("wine")
    table = pa.Table.from_pandas(rows.assign(answer=target), preserve_index=False)
    context, report = train(
        tmp_path, table, target="answer", algorithm="logistic", hyperparameters={"max_iter": 1}
    )
    assert "did not converge" in context.notices()
    assert report["metrics"]["accuracy"] > 0.3


def test_a_number_with_few_values_is_learned_as_a_number_and_said(tmp_path: Path) -> None:
    table = pa.table({"x": list(range(40)), "y": [number % 3 for number in range(40)]})
    context, report = train(tmp_path / "a", table, target="y")
    assert report["task"] == "regression"
    assert "only 3 distinct numbers" in context.notices()
    context, report = train(
        tmp_path / "b", table, target="y", task="classification", algorithm="random_forest"
    )
    assert report["signature"]["classes"] == ["0", "1", "2"]
    assert context.notices().startswith("Columns that seem to identify rows: x.")
    assert "\n" not in context.notices()


def test_a_feature_that_one_cell_makes_text_of_is_named_with_its_row(tmp_path: Path) -> None:
    table = pa.table(
        {
            "x": [str(number % 20) for number in range(40)] + ["many"],
            "y": [float(number) for number in range(41)],
        }
    )
    context, _ = train(tmp_path, table, target="y", algorithm="linear")
    assert (
        "Column x is text because of 'many' in row 41: 40 of its 41 values are numbers"
        in context.notices()
    )
