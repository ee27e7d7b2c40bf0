"""Request, results and metrics of a job's page, per type."""

from typing import Any

import pytest

from mimir.frontend.pages.job import metric_plot, result
from mimir.frontend.pages.jobs.present import job_title

JOB: Any = {
    "project": "p",
    "type": "pipeline_execution",
    "name": "",
    "status": "succeeded",
    "attempt": 1,
    "message": "",
    "parameters": {},
    "inputs": [],
    "result": None,
}
TRAINED: Any = JOB | {
    "type": "ml_training",
    "parameters": {
        "dataset": "t",
        "version": 2,
        "target": "rides",
        "model": "demand",
        "hyperparameters": {"max_depth": None},
        "features": ["a", "b"],
    },
    "inputs": [{"name": "dataset", "kind": "dataset", "dataset": "t", "version": 2}],
    "result": {
        "model": "demand",
        "version": 3,
        "metrics": {"accuracy": 0.75, "log_loss": 0.5, "own": 1},
        "baseline": {"accuracy": 0.8, "log_loss": 0.9},
    },
}
PREDICTED: Any = JOB | {
    "type": "ml_inference",
    "parameters": {"model": "demand", "dataset": "t", "output": "o", "keys": []},
    "inputs": [
        {"name": "model", "kind": "model", "model": "demand", "version": 3},
        {"name": "dataset", "kind": "dataset", "dataset": "t", "version": 7},
    ],
    "result": {"datasets": [{"name": "o", "version": 1}], "rows": 1200},
}
UPDATED: Any = JOB | {
    "type": "digital_twin_update",
    "parameters": {"twin": "s", "dataset": "o", "type": "station", "key": "id"},
    "inputs": [
        {"name": "twin", "kind": "twin", "twin": "s"},
        {"name": "dataset", "kind": "dataset", "dataset": "o", "version": 1},
    ],
    "result": {"twin": "s", "revision": 4, "created": 2, "changed": 0, "removed": 1},
}
SAME: Any = UPDATED | {
    "result": {"twin": "s", "revision": 4, "created": 0, "changed": 0, "removed": 0},
}


@pytest.mark.parametrize(
    ("job", "title", "links"),
    [
        (
            TRAINED,
            "Train demand on t",
            ["/projects/p/models/demand/?version=3"],
        ),
        (
            PREDICTED,
            "Predict with demand for t",
            ["/projects/p/datasets/o/?version=1"],
        ),
        (
            UPDATED,
            "Update s from o",
            ["/projects/p/twins/s/revisions/4/"],
        ),
        (
            SAME,
            "Update s from o",
            ["/projects/p/twins/s/"],
        ),
        (JOB, "Pipeline", []),
    ],
)
def test_the_outputs_of_a_job(job: Any, title: str, links: list[str]) -> None:
    assert (job_title(job), [row["url"] for row in result.outputs(job)]) == (
        title,
        links,
    )


def test_the_metrics_are_compared_with_the_baseline_in_words() -> None:
    shown = [
        (row["title"], row["value"], row["baseline"], row["word"])
        for row in result.figures(TRAINED)
    ]
    assert shown == [
        ("Accuracy", "0.75", "0.8", "worse"),
        ("Log loss", "0.5", "0.9", "better"),
        ("own", "1", "", ""),
    ]
    assert result.figures(PREDICTED) == []


def test_the_request_is_shown_in_schema_order_with_links_to_its_input_versions() -> None:
    rows = [(row["title"], row["text"], row["url"]) for row in result.request_rows(TRAINED)]
    assert rows == [
        ("Dataset", "t", "/projects/p/datasets/t/?version=2"),
        ("Target", "rides", ""),
        ("Features", "a, b", ""),
        ("Model", "demand", ""),
        ("Hyperparameters", "max_depth = null", ""),
    ]
    assert [
        (row["text"], row["url"], row["version"]) for row in result.request_rows(PREDICTED)
    ] == [
        ("demand", "/projects/p/models/demand/?version=3", 3),
        ("t", "/projects/p/datasets/t/?version=7", 7),
        ("o", "", None),
        ("none", "", None),
    ]
    assert result.request_rows(UPDATED)[0]["url"] == "/projects/p/twins/s/"
    assert [row["url"] for row in result.input_rows(UPDATED)] == [
        "/projects/p/twins/s/",
        "/projects/p/datasets/o/?version=1",
    ]
    assert result.subject((TRAINED | {"result": None}), []) == {
        "name": "demand",
        "version": None,
        "url": "",
    }


def _metric(attempt: int = 1, **data: Any) -> Any:
    return {"kind": "metric", "attempt": attempt, "data": data}


def test_each_reported_metric_becomes_a_line() -> None:
    events = [
        _metric(name="log_loss", value=2.0, step=10),
        _metric(name="log_loss", value=1.0, step=20),
        _metric(name="log_loss", value=0.5),
        _metric(name="rows", value=5),
        _metric(name="rows", value=7),
        _metric(name="log_loss", value=9.0, step=5, attempt=2),
        _metric(name="log_loss", value="x", step=30),
        _metric(name="log_loss", value=float("nan"), step=30),
        {"kind": "progress", "attempt": 1, "data": {}},
    ]
    loss, rows = metric_plot.curves(events, 1)
    assert (loss.title, loss.last, loss.rows, loss.steps) == (
        "Log loss",
        "0.5",
        [("10", "2"), ("20", "1"), ("20", "0.5")],
        ("10", "20"),
    )
    assert loss.path == "M52.0 12.0L290.0 68.0L290.0 96.0"
    assert (rows.name, rows.rows) == ("rows", [("1", "5"), ("2", "7")])
    assert metric_plot.curves([_metric(name="rows", value=5)], 1)[0].path == ""


def test_a_long_series_is_thinned_and_keeps_its_end() -> None:
    many = [_metric(name="log_loss", value=float(number), step=number) for number in range(5000)]
    (curve,) = metric_plot.curves(many, 1)
    assert curve.path.count("L") <= metric_plot.POINTS_MAX
    assert (curve.last, curve.end) == ("4,999", (290.0, 12.0))
    assert len(curve.rows) == metric_plot.NUMBERS_MAX
