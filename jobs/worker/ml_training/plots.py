"""Data of the plots on a model's page, bounded in size for any number of rows and classes."""

from typing import Any

from mimir.lib.schemas.metrics import REGRESSION
from mimir.lib.schemas.training_report import (
    CalibrationCurve,
    ConfusionMatrix,
    ModelPlots,
    PrecisionRecallCurve,
    RocCurve,
)

POINTS_MAX, CURVE_POINTS_MAX, BINS, CALIBRATION_BINS = 500, 100, 30, 10
CURVES_MAX = 10  # classes with their own curves: the most frequent ones
CONFUSION_MAX = 30  # classes with their own row; the others share one
OTHERS = "(other classes)"


def plots_of(model: Any, task: str, rows: Any, truth: Any, classes: list[str]) -> ModelPlots:
    """Return the data of each plot of the task.

    `classes`: the texts of the model's classes, in its order; empty for a regression.
    """
    if task == REGRESSION:
        return _regression(model.predict(rows), truth)
    chances, predicted = model.predict_proba(rows), model.predict(rows)
    code = {value: index for index, value in enumerate(model.classes_)}
    import numpy

    true = numpy.array([code.get(value, -1) for value in truth])
    guessed = numpy.array([code[value] for value in predicted])
    return {"confusion": _confusion(true, guessed, classes), **_curves(true, chances, classes)}


def _regression(predicted: Any, truth: Any) -> ModelPlots:
    import numpy

    picked = _spread(len(truth), POINTS_MAX)
    counts, edges = numpy.histogram(truth - predicted, bins=BINS)
    return {
        "predicted_actual": {
            "actual": _floats(truth[picked]),
            "predicted": _floats(predicted[picked]),
        },
        "residuals": {"edges": _floats(edges), "counts": [int(count) for count in counts]},
    }


def _confusion(true: Any, guessed: Any, classes: list[str]) -> ConfusionMatrix:
    """Return the confusion matrix: rows are actual classes, columns predicted ones."""
    import numpy

    known = true >= 0
    true, guessed = true[known], guessed[known]
    if len(classes) <= CONFUSION_MAX:
        names, place = list(classes), numpy.arange(len(classes))
    else:
        shown = sorted(
            numpy.argsort(-numpy.bincount(true, minlength=len(classes)), kind="stable")[
                :CONFUSION_MAX
            ]
        )
        names = [classes[index] for index in shown] + [OTHERS]
        place = numpy.full(len(classes), len(shown))
        place[shown] = numpy.arange(len(shown))
    counts = numpy.zeros((len(names), len(names)), dtype=int)
    numpy.add.at(counts, (place[true], place[guessed]), 1)
    return {"classes": names, "counts": counts.tolist()}


def _curves(true: Any, chances: Any, classes: list[str]) -> ModelPlots:
    """Return one-vs-rest curves of the most frequent classes; of two classes, the second's only."""
    import numpy
    from sklearn import metrics

    frequent = numpy.argsort(
        -numpy.bincount(true[true >= 0], minlength=len(classes)), kind="stable"
    )[:CURVES_MAX]
    roc: list[RocCurve] = []
    precision_recall: list[PrecisionRecallCurve] = []
    calibration: list[CalibrationCurve] = []
    for index in [1] if len(classes) == 2 else sorted(int(index) for index in frequent):
        is_it, chance = true == index, chances[:, index]
        if is_it.all() or not is_it.any():
            continue
        wrong, right, _ = metrics.roc_curve(is_it, chance)
        picked = _spread(len(wrong), CURVE_POINTS_MAX)
        area = float(metrics.roc_auc_score(is_it, chance))
        roc.append(
            {
                "class": classes[index],
                "fpr": _floats(wrong[picked]),
                "tpr": _floats(right[picked]),
                "auc": area,
            }
        )
        precision, recall, _ = metrics.precision_recall_curve(is_it, chance)
        picked = _spread(len(recall), CURVE_POINTS_MAX)
        precision_recall.append(
            {
                "class": classes[index],
                "recall": _floats(recall[picked]),
                "precision": _floats(precision[picked]),
            }
        )
        calibration.append(_calibration(classes[index], is_it, chance))
    return {"roc": roc, "precision_recall": precision_recall, "calibration": calibration}


def _calibration(name: str, is_it: Any, chance: Any) -> CalibrationCurve:
    """Return the mean probability and the actual share of the class, by bins of probability."""
    import numpy

    bins = numpy.minimum((chance * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    used = [number for number in range(CALIBRATION_BINS) if (bins == number).any()]
    return {
        "class": name,
        "predicted": [float(chance[bins == number].mean()) for number in used],
        "observed": [float(is_it[bins == number].mean()) for number in used],
    }


def _spread(count: int, most: int) -> Any:
    """Return at most `most` evenly spread positions of `count`, with the first and the last."""
    import numpy

    return (
        numpy.arange(count)
        if count <= most
        else numpy.unique(numpy.linspace(0, count - 1, most).round().astype(int))
    )


def _floats(values: Any) -> list[float]:
    return [float(f"{value:.7g}") for value in values]
