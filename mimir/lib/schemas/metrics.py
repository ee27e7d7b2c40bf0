"""The metrics a model version may carry: what they are called, and which way is better. One source for the training and the pages."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """What people read of one metric."""

    title: str
    higher_is_better: bool


# In the order in which they are shown; the first one that a version has is the one it is judged by.
METRICS: dict[str, Metric] = {
    "rmse": Metric("RMSE", higher_is_better=False),
    "mae": Metric("MAE", higher_is_better=False),
    "r2": Metric("R²", higher_is_better=True),
    "accuracy": Metric("Accuracy", higher_is_better=True),
    "balanced_accuracy": Metric("Balanced accuracy", higher_is_better=True),
    "f1_macro": Metric("F1, mean of the classes", higher_is_better=True),
    "roc_auc": Metric("Area under ROC", higher_is_better=True),
    "log_loss": Metric("Log loss", higher_is_better=False),
}
