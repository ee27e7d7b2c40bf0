"""Evaluate a model on held-out rows: metrics and feature importance.

The metrics are described in `mimir/lib/schemas/metrics.py`.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from jobs.contract import EventKind
from jobs.worker.workload_context import WorkloadContext
from mimir.lib.schemas.metrics import REGRESSION
from mimir.lib.schemas.training_report import FeatureImportance

IMPORTANCE_ROWS, IMPORTANCE_REPEATS, IMPORTANCE_SECONDS = 1000, 3, 30.0


def _r2(truth: Any, predicted: Any) -> float:
    from sklearn.metrics import r2_score

    return float(r2_score(truth, predicted))


def _accuracy(truth: Any, predicted: Any) -> float:
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(truth, predicted))


LEADING_SCORES: dict[str, Callable[[Any, Any], float]] = {"r2": _r2, "accuracy": _accuracy}


def leading_metric(task: str) -> str:
    """Return the main metric of a task."""
    return "r2" if task == REGRESSION else "accuracy"


def judge(model: Any, task: str, rows: Any, truth: Any) -> dict[str, float]:
    """Return the metrics; a metric that is undefined on these rows is omitted."""
    found = (
        _regression(model, rows, truth)
        if task == REGRESSION
        else _classification(model, rows, truth)
    )
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _regression(model: Any, rows: Any, truth: Any) -> dict[str, float]:
    from sklearn import metrics

    predicted = model.predict(rows)
    return {
        "r2": float(metrics.r2_score(truth, predicted)),
        "mean_absolute_error": float(metrics.mean_absolute_error(truth, predicted)),
        "root_mean_squared_error": float(metrics.root_mean_squared_error(truth, predicted)),
    }


def _classification(model: Any, rows: Any, truth: Any) -> dict[str, float]:
    from sklearn import metrics

    predicted, classes = model.predict(rows), list(model.classes_)
    found = {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(truth, predicted)),
        "f1_macro": float(metrics.f1_score(truth, predicted, average="macro", zero_division=0)),
    }
    there = set(truth)
    if not there <= set(classes):
        # A class occurs only in the held-out set: the model has no probability for it.
        return found
    chances = model.predict_proba(rows)
    found["log_loss"] = float(metrics.log_loss(truth, chances, labels=classes))
    if len(there) == len(classes):
        score = chances[:, 1] if len(classes) == 2 else chances
        found["roc_auc"] = float(
            metrics.roc_auc_score(truth, score, multi_class="ovr", average="macro")
        )
    return found


def importance(
    context: WorkloadContext, model: Any, task: str, rows: Any, truth: Any, *, seed: int
) -> list[FeatureImportance]:
    """Return the permutation importance of each feature, the largest first.

    It is the decrease of the main metric when the feature's values are shuffled among held-out
    rows: the mean of a few shuffles, on a bounded sample. Features that the time limit excludes are
    omitted, with a notice.
    """
    import numpy

    rows, truth = rows.iloc[:IMPORTANCE_ROWS], truth[:IMPORTANCE_ROWS]
    score = LEADING_SCORES[leading_metric(task)]
    best = score(truth, model.predict(rows))
    random = numpy.random.default_rng(seed)
    end = time.monotonic() + IMPORTANCE_SECONDS
    found: list[FeatureImportance] = []
    for name in rows.columns:
        if time.monotonic() > end:
            left = f"{len(rows.columns) - len(found)} of {len(rows.columns)}"
            context.event(
                EventKind.NOTICE,
                message=f"The importance of {left} features was not measured: "
                f"the time limit is {IMPORTANCE_SECONDS:.0f} s.",
            )
            break
        falls = []
        for _ in range(IMPORTANCE_REPEATS):
            shuffled = rows.copy()
            shuffled[name] = rows[name].to_numpy()[random.permutation(len(rows))]
            falls.append(best - score(truth, model.predict(shuffled)))
        found.append({"feature": name, "value": float(numpy.mean(falls))})
    return sorted(found, key=lambda item: -item["value"])
