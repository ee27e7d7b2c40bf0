"""Preprocessing and algorithm of a trained model.

The preprocessing is fitted with the model on the training set only, and stored inside the model.
`docs/explanation/training.md` describes this for users, precisely enough to reproduce it without
Mimir: keep both consistent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.worker.tabular import Feature
from mimir.lib.json_types import JsonObject
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS
from mimir.lib.schemas.metrics import REGRESSION

DEFAULT_ALGORITHM = "hist_gradient_boosting"
ONE_HOT_CATEGORIES_MAX = 100
ORDINAL_CATEGORIES_MAX = 250  # histogram gradient boosting accepts 255 per column
MISSING_TEXT = "missing"


def hyperparameters_of(algorithm: str, task: str, given: JsonObject) -> JsonObject:
    """Return all hyperparameters, with defaults for those that the job does not set."""
    chosen = {
        name: given.get(name, shape["default"])
        for name, shape in HYPERPARAMETERS[algorithm]["properties"].items()
    }
    if "max_features" in chosen and chosen["max_features"] is None:
        chosen["max_features"] = 1.0 if task == REGRESSION else "sqrt"  # scikit-learn's defaults
    return chosen


def make_model(
    algorithm: str,
    task: str,
    features: Sequence[Feature],
    hyperparameters: JsonObject,
    *,
    seed: int,
    threads: int,
    **more: object,
) -> Any:
    """Return an unfitted scikit-learn Pipeline with the steps `prepare` and `model`.

    `more`: further arguments of the algorithm.
    """
    from sklearn.pipeline import Pipeline

    groups = {
        kind: [feature.name for feature in features if feature.kind == kind]
        for kind in ("number", "time", "boolean", "category")
    }
    if algorithm == "hist_gradient_boosting":
        numbers = groups["number"] + groups["time"] + groups["boolean"]
        prepare = _ordinal(numbers, groups["category"])
        more["categorical_features"] = list(range(len(numbers), len(features))) or None
    else:
        prepare = _filled(groups, scaled=algorithm in ("linear", "logistic"))
    estimator = _estimator(algorithm, task, dict(hyperparameters), seed, threads, more)
    return Pipeline([("prepare", prepare), ("model", estimator)])


def _filled(groups: dict[str, list[str]], *, scaled: bool) -> Any:
    """Impute missing values, encode text as one column per category, and scale if `scaled`.

    Numbers and times get the median, booleans the most frequent value.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers: list[Any] = [("fill", SimpleImputer(strategy="median"))]
    if scaled:
        numbers.append(("scale", StandardScaler()))
    encode = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=ONE_HOT_CATEGORIES_MAX,
        sparse_output=False,
    )
    fill = SimpleImputer(strategy="constant", fill_value=MISSING_TEXT)
    steps = [
        ("numbers", Pipeline(numbers), groups["number"] + groups["time"]),
        ("booleans", SimpleImputer(strategy="most_frequent"), groups["boolean"]),
        ("categories", Pipeline([("fill", fill), ("encode", encode)]), groups["category"]),
    ]
    return ColumnTransformer([step for step in steps if step[2]])


def _ordinal(numbers: list[str], categories: list[str]) -> Any:
    """Pass numbers unchanged and encode categories as numbers.

    Histogram gradient boosting handles missing values and categories itself.
    """
    import numpy
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OrdinalEncoder

    encode = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=numpy.nan,
        encoded_missing_value=numpy.nan,
        max_categories=ORDINAL_CATEGORIES_MAX,
    )
    steps = [("numbers", "passthrough", numbers), ("categories", encode, categories)]
    return ColumnTransformer([step for step in steps if step[2]])


def _estimator(
    algorithm: str,
    task: str,
    chosen: JsonObject,
    seed: int,
    threads: int,
    more: Mapping[str, object],
) -> Any:
    from sklearn import ensemble, linear_model

    if algorithm == "linear":
        return linear_model.LinearRegression(**chosen, **more)
    if algorithm == "logistic":
        return linear_model.LogisticRegression(random_state=seed, **chosen, **more)
    if algorithm == "random_forest":
        kind = (
            ensemble.RandomForestRegressor
            if task == REGRESSION
            else ensemble.RandomForestClassifier
        )
        return kind(random_state=seed, n_jobs=threads, **chosen, **more)
    kind = (
        ensemble.HistGradientBoostingRegressor
        if task == REGRESSION
        else ensemble.HistGradientBoostingClassifier
    )
    return kind(random_state=seed, **chosen, **more)
