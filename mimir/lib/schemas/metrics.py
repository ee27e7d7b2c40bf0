"""Metrics of a model on held-out rows: titles, meaning, and which direction is better.

Names and definitions are scikit-learn's (`sklearn.metrics`). `root_mean_squared_error` and
`mean_absolute_error` have the unit of the target. `f1_macro` is the mean of the classes' F1;
`roc_auc` of more than two classes is the macro mean of one-vs-rest.
"""

from dataclasses import dataclass

REGRESSION = "regression"
CLASSIFICATION = "classification"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `in_target_unit`: its unit is the target's. `low`, `high`: its bounds, if any."""

    name: str
    title: str
    task: str
    higher_is_better: bool
    description: str
    in_target_unit: bool = False
    low: float | None = None
    high: float | None = None


_ALL = (
    Metric(
        "r2",
        "R²",
        REGRESSION,
        True,
        "Share of the target's variance that the model explains. 1 is perfect, 0 is as good as "
        "the mean.",
        high=1.0,
    ),
    Metric(
        "mean_absolute_error",
        "Mean absolute error",
        REGRESSION,
        False,
        "Average absolute error of a prediction.",
        True,
        low=0.0,
    ),
    Metric(
        "root_mean_squared_error",
        "Root mean squared error",
        REGRESSION,
        False,
        "Like the mean absolute error, with more weight on large errors.",
        True,
        low=0.0,
    ),
    Metric(
        "accuracy",
        "Accuracy",
        CLASSIFICATION,
        True,
        "Share of the rows with a correct class.",
        low=0.0,
        high=1.0,
    ),
    Metric(
        "balanced_accuracy",
        "Balanced accuracy",
        CLASSIFICATION,
        True,
        "Recall averaged over the classes: rare classes count as much as common ones.",
        low=0.0,
        high=1.0,
    ),
    Metric(
        "f1_macro",
        "F1 (macro)",
        CLASSIFICATION,
        True,
        "Harmonic mean of precision and recall, averaged over the classes.",
        low=0.0,
        high=1.0,
    ),
    Metric(
        "log_loss",
        "Log loss",
        CLASSIFICATION,
        False,
        "Penalty for low probabilities of the true classes. 0 is perfect.",
        low=0.0,
    ),
    Metric(
        "roc_auc",
        "ROC AUC",
        CLASSIFICATION,
        True,
        "Area under the ROC curve: how well probabilities rank rows of a class above others. 0.5 "
        "is random, 1 is perfect.",
        low=0.0,
        high=1.0,
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def metrics_of(task: str) -> list[Metric]:
    """Return the metrics of a task, the most important one first."""
    return [metric for metric in _ALL if metric.task == task]
