"""The part a model learns from, and the part it is judged by."""

import math
from dataclasses import dataclass
from typing import Any

from jobs.contract import EventKind, FailureReason
from jobs.worker.orders import Orders, WorkFailed
from jobs.worker.training.reading import Learning
from mimir.lib.schemas.metrics import CLASSIFICATION
from mimir.lib.schemas.signature import CLASSES_MAX, kind_of

CLASS_NAME_MAX = 180  # `probability_<class>` is the name of a column
FEW_VALUES = 10
CLASSES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Parts:
    """Frames and targets; `stratified`: both parts have the classes in the same proportions."""

    train: Any
    test: Any
    train_target: Any
    test_target: Any
    stratified: bool


def split(orders: Orders, learning: Learning, *, test_size: float, seed: int) -> Parts:
    """scikit-learn's own split. Raises: WorkFailed when the target cannot be learned."""
    from sklearn.model_selection import train_test_split

    stratified = False
    if learning.task == CLASSIFICATION:
        stratified = _check_classes(orders, learning, test_size)
    else:
        _check_numbers(orders, learning)
    train, test, train_target, test_target = train_test_split(
        learning.frame, learning.target, test_size=test_size, random_state=seed, stratify=learning.target if stratified else None
    )
    return Parts(train, test, train_target, test_target, stratified)


def class_text(value: Any) -> str:
    """A class as the signature and the columns of probabilities name it."""
    return str(value).lower() if str(value) in ("True", "False") and not isinstance(value, str) else str(value)


def _check_classes(orders: Orders, learning: Learning, test_size: float) -> bool:
    """Whether the split can hold each class in both parts. Raises: WorkFailed."""
    import numpy

    target, name = learning.target, orders.job["parameters"]["target"]
    classes, counts = numpy.unique(target, return_counts=True)
    if len(classes) < 2:
        raise _unfit(
            name, f"has one class only ({class_text(classes[0])}) in {len(target)} rows: there is nothing to tell apart. Choose another target"
        )
    if len(classes) > CLASSES_MAX:
        hint = "Choose task regression" if kind_of(learning.target_type) == "number" else "Choose another target, or group its values in a pipeline"
        raise _unfit(name, f"has {len(classes)} classes, and a model can have {CLASSES_MAX}. {hint}")
    single = [class_text(value) for value in classes[counts < 2]]
    if single:
        shown = ", ".join(single[:CLASSES_SHOWN]) + (f" and {len(single) - CLASSES_SHOWN} more" if len(single) > CLASSES_SHOWN else "")
        hint = "Leave such rows out or group rare classes in a pipeline, or choose another target"
        raise _unfit(name, f"has classes with one row only ({shown}): each needs two, one to learn from and one to judge by. {hint}")
    for text in map(class_text, classes):
        if len(text) > CLASS_NAME_MAX or "\x00" in text:
            raise _unfit(
                name, f"has a class that cannot name a column ({text[:60]!r}): at most {CLASS_NAME_MAX} characters. Shorten it in a pipeline"
            )
    held_out = math.ceil(test_size * len(target))
    if min(held_out, len(target) - held_out) >= len(classes):
        return True
    orders.event(EventKind.NOTICE, message=f"Not stratified: {len(classes)} classes do not fit into a held-out part of {held_out} rows.")
    return False


def _check_numbers(orders: Orders, learning: Learning) -> None:
    import numpy

    name, parameters = orders.job["parameters"]["target"], orders.job["parameters"]
    distinct = len(numpy.unique(learning.target))
    if distinct == 1:
        raise _unfit(name, f"is {learning.target[0]:g} in all of {len(learning.target)} rows: there is nothing to predict. Choose another target")
    if distinct <= FEW_VALUES and "task" not in parameters and parameters.get("algorithm") != "linear":
        message = f"{name} has {distinct} distinct numbers only and is learned as a number. Choose task classification if they are classes."
        orders.event(EventKind.NOTICE, message=message)


def _unfit(name: str, what: str) -> WorkFailed:
    return WorkFailed(FailureReason.INVALID_INPUT, f"The target {name} {what}.", column=name)
