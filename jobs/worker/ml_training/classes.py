"""Classes of a classification: rare classes, spelling variants, number and balance."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jobs.worker.ml_training.columns import notice, training_parameters
from jobs.worker.ml_training.reading import Learning
from jobs.worker.ml_training.target import unfit
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.schemas.signature import CLASSES_MAX, kind_of
from mimir.lib.tables import identifier

CLASS_NAME_MAX = 180  # `probability_<class>` is a column name
CLASS_ROWS_MIN = 2  # one for training, one for evaluation
RARE_ROWS_SHARE_MAX = 0.1  # Automatic drops at most this share of the rows
RARE_GROUP = "(rare classes)"
# Above or below these shares, classes count as imbalanced.
MAJORITY_SHARE, MINORITY_OF_EVEN_SHARE = 0.9, 0.1
IMBALANCE_ROWS_MIN = 50
CLASSES_SHOWN = 5


def class_text(value: object) -> str:
    """Return a class as the signature and the probability columns name it."""
    return (
        str(value).lower()
        if str(value) in ("True", "False") and not isinstance(value, str)
        else str(value)
    )


def prepare_classes(context: WorkloadContext, learning: Learning) -> Learning:
    """Check the classes; drop, group or refuse rare ones by the parameter `rare_classes`.

    Raises: WorkFailed if the classes cannot be learned.
    """
    import numpy

    name = training_parameters(context)["target"]
    classes, counts = numpy.unique(learning.target, return_counts=True)
    if len(classes) < 2:
        only = f"has only one class ({class_text(classes[0])}) in {len(learning.target)} rows"
        raise unfit(name, f"{only}: there is nothing to predict. Choose another target")
    _report_alike(context, name, dict(zip(map(class_text, classes), map(int, counts), strict=True)))
    learning = _without_rare(context, learning, classes, counts)
    classes, counts = numpy.unique(learning.target, return_counts=True)
    if len(classes) > CLASSES_MAX:
        hint = (
            "Choose task regression"
            if kind_of(learning.target_type) == "number"
            else "Choose another target, or group its values in a pipeline"
        )
        raise unfit(
            name, f"has {len(classes)} classes; a model can have at most {CLASSES_MAX}. {hint}"
        )
    for text in map(class_text, classes):
        if len(text) > CLASS_NAME_MAX or "\x00" in text:
            raise unfit(
                name,
                f"has a class that cannot name a column ({text[:60]!r}): at most "
                f"{CLASS_NAME_MAX} characters. Shorten it in a pipeline",
            )
    _report_imbalance(context, list(map(class_text, classes)), counts)
    return learning


def _without_rare(
    context: WorkloadContext, learning: Learning, classes: Any, counts: Any
) -> Learning:
    """Drop the classes with too few rows, or group them as one class. Raises: WorkFailed."""
    import numpy

    rare = counts < CLASS_ROWS_MIN
    if not rare.any():
        return learning
    parameters = training_parameters(context)
    name, choice = parameters["target"], parameters.get("rare_classes", "")
    rows, shown = int(counts[rare].sum()), some_classes(list(map(class_text, classes[rare])))
    few = rows <= RARE_ROWS_SHARE_MAX * len(learning.target)
    left = int((~rare).sum())
    is_rare = numpy.isin(learning.target, classes[rare])
    if choice == "group" and (rows >= CLASS_ROWS_MIN or few):
        if kind_of(learning.target_type) != "category":
            raise unfit(
                name,
                f"is {learning.target_type}: rare classes can be grouped for text only. "
                "Choose rare_classes drop",
            )
        if rows >= CLASS_ROWS_MIN:
            notice(
                context,
                f"{rare.sum()} classes of {name} with only one row are grouped "
                f"as {RARE_GROUP}: {shown}.",
            )
            return replace(learning, target=numpy.where(is_rare, RARE_GROUP, learning.target))
    if left < 2 or choice == "refuse" or (choice != "drop" and not few):
        raise _rare_fault(learning, name, shown, rows=rows, left=left)
    frequent = ~is_rare
    notice(
        context,
        f"Classes of {name} with only one row are not used: {shown}. "
        "To change this, set rare_classes to group or refuse.",
    )
    order = None if learning.order is None else learning.order[frequent]
    frame = learning.frame[frequent].reset_index(drop=True)
    return replace(
        learning,
        frame=frame,
        target=learning.target[frequent],
        order=order,
        unused_rows=learning.unused_rows + rows,
    )


def _rare_fault(learning: Learning, name: str, shown: str, *, rows: int, left: int) -> WorkFailed:
    """Return the failure of rare classes. `rows`: of these classes; `left`: number of others."""
    share = f"{100 * rows / len(learning.target):.0f} % of the rows"
    what = (
        f"has classes with only one row ({shown}), {share}. "
        "Each class needs two rows, one for training and one for evaluation"
    )
    options = (
        "Choose rare_classes drop or group"
        if left >= 2
        else "Choose rare_classes group"
        if rows >= CLASS_ROWS_MIN
        else "Add rows"
    )
    number = "task regression or " if kind_of(learning.target_type) == "number" else ""
    return unfit(
        name,
        f"{what}. {options}, group its values in a pipeline, or choose {number}another target",
    )


def some_classes(names: Sequence[str]) -> str:
    """Return text with the first names and the number of the others."""
    more = f" and {len(names) - CLASSES_SHOWN} more" if len(names) > CLASSES_SHOWN else ""
    return f"{', '.join(name[:60] for name in names[:CLASSES_SHOWN])}{more}"


def alike(names: Sequence[str]) -> list[list[str]]:
    """Return groups of texts that differ only by case, spaces or Unicode form."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(
            " ".join(unicodedata.normalize("NFKC", name).casefold().split()), []
        ).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _report_alike(context: WorkloadContext, name: str, counts: dict[str, int]) -> None:
    groups = alike(list(counts))
    if not groups:
        return
    shown = "; ".join(
        ", ".join(f"{text[:60]!r} ({counts[text]:,} rows)" for text in group[:CLASSES_SHOWN])
        for group in groups[:CLASSES_SHOWN]
    )
    message = f"Classes of {name} differ only by case, spaces or Unicode form: {shown}."
    hint = f"unify them in a pipeline, for example lower(trim({identifier(name)}))"
    notice(context, f"{message} They stay different classes. If they mean the same, {hint}.")


def _report_imbalance(context: WorkloadContext, classes: list[str], counts: Any) -> None:
    total = int(counts.sum())
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    most, least = counts[largest] / total, counts[smallest] / total
    if total < IMBALANCE_ROWS_MIN or (
        most < MAJORITY_SHARE and least >= MINORITY_OF_EVEN_SHARE / len(classes)
    ):
        return
    balance = (
        " Hyperparameter class_weight balanced may help."
        if training_parameters(context).get("algorithm") == "logistic"
        else ""
    )
    notice(
        context,
        f"The classes are imbalanced: {classes[largest][:60]} has {100 * most:.1f} % of the rows, "
        f"{classes[smallest][:60]} {100 * least:.1f} %. "
        f"Accuracy is misleading here: use balanced accuracy and F1.{balance}",
    )
