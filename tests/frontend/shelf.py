"""Handwritten model versions, a profile and a lineage in the format of the API."""

import random
from typing import Any

AT = "2026-11-24T03:12:40Z"
JOB = "01932f0e-5d1c-7a52-9c31-0e94c93a1f60"
SHA = "4be0" * 16
CLASSES = ["drizzle", "fog", "rain", "snow", "sun"]


def project(slug: str = "bikes", role: str = "maintainer") -> Any:
    """Return a project as its own page receives it."""
    return {
        "slug": slug,
        "name": "Seattle bikes",
        "description": "",
        "status": "active",
        "role": role,
        "created_at": AT,
    }


def _common(number: int, dataset: str) -> Any:
    return {
        "number": number,
        "size_bytes": 1_800_000 + number,
        "sha256": SHA,
        "training_data": {"name": dataset, "version": 30 + number},
        "created_at": AT,
        "created_by": "ines",
        "job": JOB,
        "libraries": {"scikit-learn": "1.9.0", "numpy": "2.4.1"},
    }


def _regression_plots(number: int, error: float) -> Any:
    dice = random.Random(number)
    actual = [dice.uniform(200, 5900) for _ in range(293)]
    predicted = [value + dice.gauss(0, 412 * error) for value in actual]
    counts = [2, 3, 5, 9, 16, 27, 41, 52, 49, 36, 24, 14, 8, 4, 2, 1]
    edges = [round((-1600 + 200 * place) * error, 3) for place in range(len(counts) + 1)]
    return {
        "predicted_actual": {"actual": actual, "predicted": predicted},
        "residuals": {"edges": edges, "counts": counts},
    }


def regression(number: int, error: float = 1.0) -> Any:
    """Return a version that predicts rides per day; `error` scales the prediction errors."""
    values = {
        "temp_max": 0.52,
        "weekday": 0.31,
        "precipitation": 0.24,
        "month": 0.12,
        "wind": 0.05,
        "is_holiday": -0.003,
    }
    return {
        **_common(number, "daily_demand"),
        "name": "demand-forecast",
        "task": "regression",
        "algorithm": "hist_gradient_boosting" if number > 1 else "linear",
        "target": "rides",
        "metrics": {
            "root_mean_squared_error": 412.3 * error,
            "mean_absolute_error": 298.1 * error,
            "r2": 1 - 0.14 * error**2,
        },
        "baseline": {"root_mean_squared_error": 1105.0, "mean_absolute_error": 871.0, "r2": -0.002},
        "hyperparameters": {"learning_rate": 0.1, "max_iter": 800, "max_depth": None}
        if number > 1
        else {"fit_intercept": True},
        "signature": {
            "features": [
                {
                    "name": name,
                    "kind": "boolean" if name == "is_holiday" else "number",
                    "type": "DOUBLE",
                }
                for name in values
            ],
            "target": {"name": "rides", "type": "BIGINT"},
            "task": "regression",
        },
        "plots": _regression_plots(number, error),
        "importance": [{"feature": name, "value": value / error} for name, value in values.items()],
        "training": {
            "train_rows": 1168,
            "test_rows": 293,
            "dropped_rows": 4,
            "test_size": 0.2,
            "seed": 42,
            "stratified": False,
            "seconds": 4.2,
            "features": 6,
        },
    }


def _class_plots(number: int, names: list[str]) -> Any:
    dice = random.Random(number)
    counts = [
        [
            dice.randint(30, 90) if row == column else dice.choice([0, 0, 1, 4, 9])
            for column in range(len(names))
        ]
        for row in range(len(names))
    ]
    steps = [place / 20 for place in range(21)]
    return {
        "confusion": {"classes": names, "counts": counts},
        "roc": [
            {
                "class": name,
                "fpr": steps,
                "tpr": [one ** (0.15 + place / 12) for one in steps],
                "auc": 0.95 - place / 50,
            }
            for place, name in enumerate(names)
        ],
        "precision_recall": [
            {
                "class": name,
                "recall": steps,
                "precision": [1 - one ** (5 - place % 5) * 0.6 for one in steps],
            }
            for place, name in enumerate(names)
        ],
        "calibration": [
            {
                "class": name,
                "predicted": steps[1::3],
                "observed": [one**1.2 for one in steps[1::3]],
            }
            for name in names
        ],
    }


def classification(number: int, classes: int = 5) -> Any:
    """Return a version that predicts the weather of a day."""
    names = (
        CLASSES[:classes]
        if classes <= len(CLASSES)
        else [f"class {place}" for place in range(classes)]
    )
    return {
        **_common(number, "weather"),
        "name": "weather-class",
        "task": "classification",
        "algorithm": "random_forest",
        "target": "weather",
        "metrics": {"accuracy": 0.861, "f1_macro": 0.71, "roc_auc": 0.93, "log_loss": 0.41},
        "baseline": {"accuracy": 0.439, "f1_macro": 0.12, "roc_auc": 0.5, "log_loss": 1.29},
        "hyperparameters": {},
        "signature": {
            "features": [
                {"name": "wind", "kind": "number", "type": "DOUBLE"},
                {"name": "date", "kind": "time", "type": "DATE"},
            ],
            "target": {"name": "weather", "type": "VARCHAR"},
            "task": "classification",
            "classes": names,
        },
        "plots": _class_plots(number, names),
        "importance": [{"feature": "wind", "value": 0.4}, {"feature": "date", "value": 0.1}],
        "training": {
            "train_rows": 1095,
            "test_rows": 366,
            "dropped_rows": 0,
            "test_size": 0.25,
            "seed": 0,
            "stratified": True,
            "seconds": 61.0,
            "features": 2,
        },
    }


def short(version: dict[str, Any]) -> Any:
    """Return a version in the short form of lists."""
    omitted = (
        "name",
        "hyperparameters",
        "signature",
        "plots",
        "training",
        "libraries",
        "importance",
    )
    return {name: value for name, value in version.items() if name not in omitted}


def lineage(of: str) -> Any:
    """Return a lineage: two inputs, a pipeline, a dataset, a training, a model and a twin.

    Each has only the fields of a lineage.
    """

    def node(kind: str, name: str, version: int | None = None, job_type: str | None = None) -> Any:
        ident = f"job:{name}" if kind == "job" else f"{kind}:{name}@{version}"
        shown = "Nightly" if kind == "job" else name
        status = "succeeded" if kind == "job" else None
        return {
            "id": ident,
            "kind": kind,
            "name": shown,
            "version": version,
            "job_type": job_type,
            "status": status,
            "at": AT,
            "by": "ines",
        }

    prepared, learned, updated = f"{JOB[:-1]}1", f"{JOB[:-1]}2", f"{JOB[:-1]}3"
    nodes = [
        node("dataset", "trips", 9),
        node("dataset", "weather", 3),
        node("pipeline", "trips-by-weather", 12),
        node("job", prepared, job_type="pipeline_execution"),
        node("dataset", "daily_demand", 41),
        node("job", learned, job_type="ml_training"),
        node("model", "demand-forecast", 7),
        node("job", updated, job_type="digital_twin_update"),
        node("twin", "stations", 318),
    ]
    pairs = [(0, 3), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6), (4, 7), (7, 8)]
    return {
        "of": of,
        "nodes": nodes,
        "edges": [{"from": nodes[one]["id"], "to": nodes[two]["id"]} for one, two in pairs],
        "truncated": False,
    }


def profile() -> Any:
    """Return the profile of the dataset version below."""
    return {"row_count": 1461, "fault": "", "columns": _columns()}


def _column(name: str, kind: str, column_type: str, **known: Any) -> Any:
    empty = dict.fromkeys(("min", "max", "mean", "std", "histogram", "top"))
    return {
        "name": name,
        "type": column_type,
        "kind": kind,
        "missing": 0,
        "distinct": 12,
        **empty,
        **known,
    }


def _columns() -> Any:
    hump = {
        "edges": [212 + 377 * place for place in range(16)],
        "counts": [1, 5, 9, 14, 22, 31, 38, 42, 40, 33, 24, 15, 8, 3, 1],
    }
    return [
        _column("date", "time", "DATE", min="2012-01-01", max="2015-12-31", distinct=1461),
        _column(
            "rides",
            "number",
            "BIGINT",
            min=212,
            max=5871,
            mean=3127.4,
            std=900.2,
            histogram=hump,
            distinct=1311,
        ),
        _column(
            "weather",
            "category",
            "VARCHAR",
            distinct=5,
            top=[
                {"value": "rain", "count": 641},
                {"value": "sun", "count": 640},
                {"value": "fog", "count": 101},
            ],
        ),
        _column(
            "is_holiday",
            "boolean",
            "BOOLEAN",
            distinct=2,
            top=[{"value": "false", "count": 1417}, {"value": "true", "count": 44}],
        ),
        _column(
            "mean_min",
            "number",
            "DOUBLE",
            min=6.1,
            max=31.4,
            mean=14.2,
            std=3.1,
            missing=12,
            histogram=hump,
        ),
    ]


SCHEMA = [{"name": one["name"], "type": one["type"]} for one in profile()["columns"]]


def dataset_version(number: int) -> Any:
    """Return a version of a dataset."""
    return {
        "number": number,
        "format": "parquet",
        "row_count": 1461,
        "schema": SCHEMA,
        "size_bytes": 84_300,
        "sha256": SHA,
        "created_at": AT,
        "created_by": "ines",
        "job": JOB if number > 1 else None,
        "current": number == 41,
    }


def rows() -> Any:
    """Return the first rows of the dataset version."""
    found = [
        [
            f"2012-01-{day:02d}",
            800 + 37 * day,
            "rain" if day % 3 else "sun",
            day < 3,
            None if day == 6 else 12.5 + day / 7,
        ]
        for day in range(1, 31)
    ]
    return {"columns": SCHEMA, "rows": found, "truncated": True}


def answers() -> Any:
    """Return the responses for a small project: a dataset, and a model for each task."""
    # Imports Django models: scripts that use the other samples run without settings.
    from tests.support.job_types import job_types_answer

    one, two = regression(1, 1.085), regression(2)
    classes = classification(1)
    base, page = "projects/bikes/", {"next": None}
    versions = [dataset_version(41), dataset_version(40)]
    return {
        "job-types/": job_types_answer(),
        base: project(),
        f"{base}models/": {
            "results": [
                {"name": row["name"], "created_at": AT, "version": short(row)}
                for row in (two, classes)
            ],
            **page,
        },
        f"{base}models/demand-forecast/": {
            "name": "demand-forecast",
            "created_at": AT,
            "versions": [short(two), short(one)],
            **page,
        },
        f"{base}models/demand-forecast/versions/latest/": two,
        f"{base}models/demand-forecast/versions/1/": one,
        f"{base}models/demand-forecast/versions/2/": two,
        f"{base}models/weather-class/": {
            "name": "weather-class",
            "created_at": AT,
            "versions": [short(classification(2)), short(classes)],
            **page,
        },
        f"{base}models/weather-class/versions/latest/": classification(2),
        f"{base}models/weather-class/versions/1/": classes,
        f"{base}models/weather-class/versions/2/": classification(2),
        f"{base}lineage/": lineage("dataset:daily_demand@41"),
        f"{base}datasets/": {"results": [], **page},
        f"{base}datasets/daily_demand/": {
            "name": "daily_demand",
            "current_version": 41,
            "versions": versions,
            **page,
        },
        f"{base}datasets/daily_demand/versions/41/rows/": rows(),
        f"{base}datasets/daily_demand/versions/41/profile/": profile(),
        f"{base}datasets/daily_demand/versions/40/rows/": rows(),
    }
