"""The figures by which a model is judged on the rows it never saw: what each is called and which way is better.

The names are scikit-learn's, as are the definitions (`sklearn.metrics`); `root_mean_squared_error` and `mean_absolute_error` are in the
unit of the target. `f1_macro` is the plain mean of the classes' F1, `roc_auc` of several classes the plain mean of one against the rest.
"""

from dataclasses import dataclass

REGRESSION = "regression"
CLASSIFICATION = "classification"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. `in_target_unit`: it counts in the target's own unit; `low` and `high` are its bounds where it has any."""

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
        "The part of the target's variance that the model explains; 1 is perfect, 0 is the mean.",
        high=1.0,
    ),
    Metric(
        "mean_absolute_error",
        "Mean absolute error",
        REGRESSION,
        False,
        "How far off a prediction is, on average.",
        True,
        low=0.0,
    ),
    Metric(
        "root_mean_squared_error",
        "Root mean squared error",
        REGRESSION,
        False,
        "As the mean absolute error, but large misses weigh more.",
        True,
        low=0.0,
    ),
    Metric(
        "accuracy",
        "Accuracy",
        CLASSIFICATION,
        True,
        "The part of the rows whose class is predicted right.",
        low=0.0,
        high=1.0,
    ),
    Metric(
        "balanced_accuracy",
        "Balanced accuracy",
        CLASSIFICATION,
        True,
        "The part predicted right of each class, averaged over the classes: rare ones count as much as common ones.",
        low=0.0,
        high=1.0,
    ),
    Metric(
        "f1_macro",
        "F1 (macro)",
        CLASSIFICATION,
        True,
        "Precision and recall in one figure, averaged over the classes.",
        low=0.0,
        high=1.0,
    ),
    Metric(
        "log_loss",
        "Log loss",
        CLASSIFICATION,
        False,
        "How surprised the model's probabilities are by the true classes; 0 is perfect.",
        low=0.0,
    ),
    Metric(
        "roc_auc",
        "ROC AUC",
        CLASSIFICATION,
        True,
        "How well the probabilities rank rows of a class above others; 0.5 is chance, 1 perfect.",
        low=0.0,
        high=1.0,
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def metrics_of(task: str) -> list[Metric]:
    """The metrics of a task, the one to look at first first."""
    return [metric for metric in _ALL if metric.task == task]
