"""Types of the report that a training writes with its model (`model.json`).

`jobs/worker/ml_training` writes it, `jobs/types/ml_training/report.py` checks it, and the fields of
a model version store it.
"""

from typing import NotRequired, TypedDict

from mimir.lib.json_types import JsonObject
from mimir.lib.schemas.signature import ModelSignature


class PredictedActual(TypedDict):
    """Actual and predicted values of a sample of held-out rows."""

    actual: list[float]
    predicted: list[float]


class Residuals(TypedDict):
    """Histogram of actual minus predicted values: one count between each two edges."""

    edges: list[float]
    counts: list[int]


class ConfusionMatrix(TypedDict):
    """Numbers of held-out rows: rows are actual classes, columns predicted ones."""

    classes: list[str]
    counts: list[list[int]]


RocCurve = TypedDict(
    "RocCurve", {"class": str, "fpr": list[float], "tpr": list[float], "auc": float}
)
PrecisionRecallCurve = TypedDict(
    "PrecisionRecallCurve", {"class": str, "recall": list[float], "precision": list[float]}
)
CalibrationCurve = TypedDict(
    "CalibrationCurve", {"class": str, "predicted": list[float], "observed": list[float]}
)


class FeatureImportance(TypedDict):
    """Permutation importance of one feature: the decrease of the main metric."""

    feature: str
    value: float


class ModelPlots(TypedDict):
    """Data of the plots. The first two belong to a regression, the next four to a classification.

    `importance`: the largest first.
    """

    predicted_actual: NotRequired[PredictedActual]
    residuals: NotRequired[Residuals]
    confusion: NotRequired[ConfusionMatrix]
    roc: NotRequired[list[RocCurve]]
    precision_recall: NotRequired[list[PrecisionRecallCurve]]
    calibration: NotRequired[list[CalibrationCurve]]
    importance: NotRequired[list[FeatureImportance]]


class TrainingFacts(TypedDict):
    """Rows, split and duration of a training."""

    train_rows: int
    test_rows: int
    dropped_rows: int
    test_size: float
    seed: int
    stratified: bool
    split: str
    features: int
    seconds: float


class ModelEvaluation(TypedDict):
    """A model with its metrics and plots. `libraries`: their versions."""

    task: str
    algorithm: str
    target: str
    signature: ModelSignature
    metrics: dict[str, float]
    baseline: dict[str, float]
    plots: ModelPlots
    libraries: dict[str, str]


class TrainingReport(ModelEvaluation):
    """Report of a training. `hyperparameters` depend on the algorithm."""

    hyperparameters: JsonObject
    training: TrainingFacts
