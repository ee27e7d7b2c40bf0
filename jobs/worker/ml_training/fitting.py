"""Fit a model; report progress and intermediate scores.

Reporting does not change the result.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from jobs.contract import EventKind
from jobs.worker.workload_context import WorkloadContext

STAGES = 10
POLL_SECONDS = 0.5
FROM, TO = 0.15, 0.8  # share of the job's progress
SAMPLE_ROWS = 2000  # of the held-out set, for intermediate scores


def fit_watched(
    context: WorkloadContext, model: Any, parts: Any, score: Callable[[Any], float], metric: str
) -> None:
    """Fit `model` on the training set.

    `score`: returns the model's `metric` on a sample of the held-out set.
    """
    estimator = model[-1]
    if hasattr(estimator, "warm_start") and hasattr(estimator, "n_estimators"):
        _fit_forest(context, model, parts, score, metric)
        return
    for _ in _waited(lambda: model.fit(parts.train, parts.train_target)):
        _report_trees(
            context, len(getattr(estimator, "_predictors", ())), getattr(estimator, "max_iter", 0)
        )
    if hasattr(estimator, "staged_predict"):
        _report_curve(context, model, parts, metric)


def _fit_forest(
    context: WorkloadContext, model: Any, parts: Any, score: Callable[[Any], float], metric: str
) -> None:
    """Fit a forest in stages.

    The result is the same forest: scikit-learn draws each tree's random state as if all trees were
    fitted at once.
    """
    forest, trees = model[-1], model[-1].n_estimators
    prepared = model[:-1].fit_transform(parts.train, parts.train_target)
    forest.set_params(warm_start=True)
    for count in sorted({max(1, trees * stage // STAGES) for stage in range(1, STAGES + 1)}):
        forest.set_params(n_estimators=count)
        for _ in _waited(lambda: forest.fit(prepared, parts.train_target)):
            pass
        _report_trees(context, count, trees)
        context.event(EventKind.METRIC, name=metric, value=score(model), step=count)
    forest.set_params(warm_start=False)


def _waited(work: Callable[[], Any]) -> Iterator[None]:
    """Run the work on another thread and yield at intervals.

    The main thread stays free for signals and events.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below, on the caller's thread
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    last = time.monotonic()
    while thread.is_alive():
        thread.join(0.05)
        if time.monotonic() - last > POLL_SECONDS:
            last = time.monotonic()
            yield
    if raised:
        raise raised[0]


def _report_trees(context: WorkloadContext, done: int, of: int) -> None:
    if of and done:
        fraction = FROM + (TO - FROM) * min(1.0, done / of)
        context.event(
            EventKind.PROGRESS,
            fraction=round(fraction, 3),
            message=f"Training: {done} of {of} trees",
        )


def _report_curve(context: WorkloadContext, model: Any, parts: Any, metric: str) -> None:
    """Report the score of the model after each stage of trees."""
    from jobs.worker.ml_training.evaluation import LEADING_SCORES

    sample = model[:-1].transform(parts.test.iloc[:SAMPLE_ROWS])
    truth = parts.test_target[:SAMPLE_ROWS]
    count = model[-1].n_iter_
    shown = {max(1, count * stage // STAGES) for stage in range(1, STAGES + 1)}
    for step, predicted in enumerate(model[-1].staged_predict(sample), start=1):
        if step in shown:
            context.event(
                EventKind.METRIC,
                name=metric,
                value=LEADING_SCORES[metric](truth, predicted),
                step=step,
            )
