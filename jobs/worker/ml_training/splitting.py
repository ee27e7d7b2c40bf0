"""Split the rows into a training set and a held-out set."""

import math
from dataclasses import dataclass
from typing import Any

from jobs.contract import FailureReason
from jobs.worker.ml_training.columns import notice, training_parameters
from jobs.worker.ml_training.reading import Learning
from jobs.worker.ml_training.target import unfit
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.schemas.metrics import CLASSIFICATION

FEW_VALUES = 10


@dataclass(frozen=True, slots=True)
class Parts:
    """Frames and targets of both sets.

    `stratified`: both sets have the classes in the same proportions.
    """

    train: Any
    test: Any
    train_target: Any
    test_target: Any
    stratified: bool


def split(context: WorkloadContext, learning: Learning, *, test_size: float, seed: int) -> Parts:
    """Split the rows at random, with scikit-learn, or by time.

    Raises: WorkFailed if the target cannot be learned.
    """
    from sklearn.model_selection import train_test_split

    if learning.task != CLASSIFICATION:
        _check_numbers(context, learning)
    if learning.order is not None:
        return _split_by_time(context, learning, test_size)
    stratified = learning.task == CLASSIFICATION and _can_stratify(context, learning, test_size)
    train, test, train_target, test_target = train_test_split(
        learning.frame,
        learning.target,
        test_size=test_size,
        random_state=seed,
        stratify=learning.target if stratified else None,
    )
    return Parts(train, test, train_target, test_target, stratified)


def _split_by_time(context: WorkloadContext, learning: Learning, test_size: float) -> Parts:
    """Hold out the latest rows. Rows with the time of the boundary stay in the training set."""
    import numpy

    rows = numpy.argsort(learning.order, kind="stable")
    first = len(rows) - math.ceil(test_size * len(rows))
    while first < len(rows) and learning.order[rows[first]] == learning.order[rows[first - 1]]:
        first += 1
    if first >= len(rows):
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            "The latest rows all have the same time: they cannot be split by time. "
            "Choose split random.",
        )
    train, test = rows[:first], rows[first:]
    known, held = learning.target[train], learning.target[test]
    if len(numpy.unique(known)) < 2:
        raise unfit(
            training_parameters(context)["target"],
            "has only one value in the earlier rows, the training set. Choose split random",
        )
    unseen = set(held.tolist()) - set(known.tolist()) if learning.task == CLASSIFICATION else set()
    if unseen:
        notice(
            context,
            f"{len(unseen)} classes occur only in the held-out later rows: "
            "the model cannot predict them.",
        )
    return Parts(
        learning.frame.iloc[train], learning.frame.iloc[test], known, held, stratified=False
    )


def _can_stratify(context: WorkloadContext, learning: Learning, test_size: float) -> bool:
    """Return whether each class fits into both sets; report it if not."""
    import numpy

    classes, held_out = (
        len(numpy.unique(learning.target)),
        math.ceil(test_size * len(learning.target)),
    )
    if min(held_out, len(learning.target) - held_out) >= classes:
        return True
    notice(
        context,
        f"Not stratified: {classes} classes do not fit into a held-out set of {held_out} rows.",
    )
    return False


def _check_numbers(context: WorkloadContext, learning: Learning) -> None:
    import numpy

    parameters = training_parameters(context)
    name = parameters["target"]
    distinct = len(numpy.unique(learning.target))
    if distinct == 1:
        raise unfit(
            name,
            f"is {learning.target[0]:g} in all of {len(learning.target)} rows: "
            "there is nothing to predict. Choose another target",
        )
    if (
        distinct <= FEW_VALUES
        and "task" not in parameters
        and parameters.get("algorithm") != "linear"
    ):
        notice(
            context,
            f"{name} has only {distinct} distinct numbers and is learned as a number. "
            "Choose task classification if they are classes.",
        )
