"""`ml_training`: train a model on a dataset version."""

import json
import sys
import time
from dataclasses import replace
from typing import Any

from jobs.contract import ArtifactRole, EventKind, FailureReason, WorkStage
from jobs.contract.protocol import TrainingResult
from jobs.worker.joblog import log
from jobs.worker.libraries import import_libraries, limit_threads, report_warnings
from jobs.worker.ml_training.checks import warn_about_columns
from jobs.worker.ml_training.classes import class_text, prepare_classes
from jobs.worker.ml_training.columns import notice, training_parameters
from jobs.worker.ml_training.estimators import DEFAULT_ALGORITHM, hyperparameters_of, make_model
from jobs.worker.ml_training.reading import Learning, read_learning
from jobs.worker.ml_training.splitting import Parts, split
from jobs.worker.tabular import Feature
from jobs.worker.workload_context import WorkFailed, WorkloadContext
from mimir.lib.json_types import JsonObject
from mimir.lib.schemas.metrics import CLASSIFICATION, REGRESSION
from mimir.lib.schemas.signature import ModelSignature, SignatureFeature
from mimir.lib.schemas.training_report import ModelEvaluation, TrainingFacts, TrainingReport

ARTIFACT, REPORT = "model.skops", "model.json"
TEST_SIZE, SEED = 0.25, 0
# Training set size above which scikit-learn's histogram gradient boosting stops early: for that it
# holds out a stratified part of the training set.
EARLY_STOPPING_ROWS = 10_000


def run(context: WorkloadContext) -> TrainingResult:
    """Return the result for `finish`: {"artifact", "report"}. Raises: WorkFailed."""
    began = time.monotonic()
    threads = limit_threads(context)
    parameters = training_parameters(context)
    test_size, seed = (
        float(parameters.get("test_size", TEST_SIZE)),
        int(parameters.get("seed", SEED)),
    )
    import_libraries(context)
    with report_warnings(context):
        _progress(context, 0.02, WorkStage.READING, "Reading the dataset")
        learning = read_learning(context)
        if learning.task == CLASSIFICATION:
            learning = prepare_classes(context, learning)
        parts = split(context, learning, test_size=test_size, seed=seed)
        learning, parts = _without_empty(context, learning, parts)
        warn_about_columns(context, learning, seed=seed)
        log(
            f"split: {len(parts.train):,} rows for training, "
            f"{len(parts.test):,} rows held out ({_split_kind(learning, parts)})"
        )
        _progress(context, 0.15, WorkStage.TRAINING, f"Training on {len(parts.train):,} rows")
        model, chosen = _fitted(context, learning, parts, seed, threads)
        _progress(
            context, 0.8, WorkStage.EVALUATING, f"Evaluating on {len(parts.test):,} held-out rows"
        )
        evaluation = _evaluated(context, learning, parts, model, seed)
        facts: TrainingFacts = {
            "train_rows": len(parts.train),
            "test_rows": len(parts.test),
            "dropped_rows": learning.unused_rows,
            "test_size": test_size,
            "seed": seed,
            "stratified": parts.stratified,
            "split": parameters.get("split", "random"),
            "features": len(learning.features),
            "seconds": round(time.monotonic() - began, 3),
        }
        report: TrainingReport = {**evaluation, "hyperparameters": chosen, "training": facts}
        _progress(context, 0.95, WorkStage.SAVING, "Saving the model")
        _deliver(context, model, report)
        log(f"it becomes the next version of model {parameters['model']} if the job succeeds")
    return {"artifact": ARTIFACT, "report": REPORT}


def _split_kind(learning: Learning, parts: Parts) -> str:
    if learning.order is not None:
        return "latest rows by time"
    return "stratified" if parts.stratified else "random"


def _progress(context: WorkloadContext, fraction: float, stage: WorkStage, message: str) -> None:
    log(message)
    context.event(EventKind.PROGRESS, fraction=fraction, message=message, stage=stage)


def _without_empty(
    context: WorkloadContext, learning: Learning, parts: Parts
) -> tuple[Learning, Parts]:
    """Drop features without a value in the training set. Raises: WorkFailed if none is left."""
    empty = [name for name in parts.train.columns if parts.train[name].isna().all()]
    if not empty:
        return learning, parts
    notice(
        context,
        f"Excluded, because they have no value in the training set: {', '.join(empty[:20])}.",
    )
    features = [feature for feature in learning.features if feature.name not in empty]
    if not features:
        raise WorkFailed(
            FailureReason.INVALID_INPUT,
            f"No feature has a value in the training set: {', '.join(empty[:20])} are empty. "
            "Choose others.",
        )
    train, test = parts.train.drop(columns=empty), parts.test.drop(columns=empty)
    return replace(learning, features=features), replace(parts, train=train, test=test)


def _fitted(
    context: WorkloadContext, learning: Learning, parts: Parts, seed: int, threads: int
) -> tuple[Any, JsonObject]:
    from jobs.worker.ml_training.evaluation import LEADING_SCORES, leading_metric
    from jobs.worker.ml_training.fitting import SAMPLE_ROWS, fit_watched

    parameters = training_parameters(context)
    algorithm = parameters.get("algorithm", DEFAULT_ALGORITHM)
    chosen = hyperparameters_of(algorithm, learning.task, parameters.get("hyperparameters", {}))
    log(
        f"algorithm: {algorithm} ({', '.join(f'{name}={value}' for name, value in chosen.items())})"
    )
    more = (
        {"early_stopping": False}
        if algorithm == DEFAULT_ALGORITHM and _cannot_stop_early(context, learning, parts)
        else {}
    )
    model = make_model(
        algorithm, learning.task, learning.features, chosen, seed=seed, threads=threads, **more
    )
    metric = leading_metric(learning.task)
    sample, truth = parts.test.iloc[:SAMPLE_ROWS], parts.test_target[:SAMPLE_ROWS]
    fit_watched(
        context,
        model,
        parts,
        lambda fitted: LEADING_SCORES[metric](truth, fitted.predict(sample)),
        metric,
    )
    if hasattr(model[-1], "n_jobs"):
        model[-1].set_params(n_jobs=None)  # a property of this machine, not of the model
    return model, chosen


def _cannot_stop_early(context: WorkloadContext, learning: Learning, parts: Parts) -> bool:
    """Return whether early stopping is impossible, with a notice.

    scikit-learn's stratified split of the training set fails for a class with one row.
    """
    import numpy

    if learning.task != CLASSIFICATION or len(parts.train) <= EARLY_STOPPING_ROWS:
        return False
    rare = bool(numpy.unique(parts.train_target, return_counts=True)[1].min() < 2)
    if rare:
        notice(
            context,
            "Early stopping is off: a class has only one row in the training set.",
        )
    return rare


def _evaluated(
    context: WorkloadContext, learning: Learning, parts: Parts, model: Any, seed: int
) -> ModelEvaluation:
    from jobs.worker.ml_training.evaluation import importance, judge
    from jobs.worker.ml_training.plots import plots_of

    parameters, task = training_parameters(context), learning.task
    metrics = judge(model, task, parts.test, parts.test_target)
    baseline = judge(_baseline(task, parts), task, parts.test, parts.test_target)
    both = [name for name in metrics if name in baseline]
    classes = [class_text(value) for value in model.classes_] if task == CLASSIFICATION else []
    for name in both:
        context.event(EventKind.METRIC, name=name, value=metrics[name])
        log(f"{name}: {metrics[name]:.4g} (baseline {baseline[name]:.4g})")
    plots = plots_of(model, task, parts.test, parts.test_target, classes)
    plots["importance"] = importance(context, model, task, parts.test, parts.test_target, seed=seed)
    return {
        "task": task,
        "algorithm": parameters.get("algorithm", DEFAULT_ALGORITHM),
        "target": parameters["target"],
        "signature": _signature(learning, parameters["target"], classes),
        "metrics": {name: metrics[name] for name in both},
        "baseline": {name: baseline[name] for name in both},
        "plots": plots,
        "libraries": _libraries(),
    }


def _baseline(task: str, parts: Parts) -> Any:
    """Return a fitted baseline that ignores the features: the mean or the class frequencies."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    trivial = (
        DummyRegressor(strategy="mean") if task == REGRESSION else DummyClassifier(strategy="prior")
    )
    return trivial.fit(parts.train, parts.train_target)


def _signature(learning: Learning, target: str, classes: list[str]) -> ModelSignature:
    signature: ModelSignature = {
        "features": [_feature(feature) for feature in learning.features],
        "target": {"name": target, "type": learning.target_type},
        "task": learning.task,
    }
    if classes:
        signature["classes"] = classes
    return signature


def _feature(feature: Feature) -> SignatureFeature:
    return {"name": feature.name, "kind": feature.kind, "type": feature.type}


def _libraries() -> dict[str, str]:
    import numpy
    import pandas
    import sklearn
    import skops

    python = ".".join(map(str, sys.version_info[:3]))
    return {
        "python": python,
        "scikit-learn": sklearn.__version__,
        "numpy": numpy.__version__,
        "pandas": pandas.__version__,
        "skops": skops.__version__,
    }


def _deliver(context: WorkloadContext, model: Any, report: TrainingReport) -> None:
    from jobs.worker.modelfile import save_model

    file, about = context.data_dir / ARTIFACT, context.data_dir / REPORT
    save_model(model, file, memory_bytes=context.limits["memory_bytes"])
    about.write_text(json.dumps(report, allow_nan=False))
    context.deliver(
        file, name=ARTIFACT, role=ArtifactRole.MODEL, media_type="application/octet-stream"
    )
    context.deliver(about, name=REPORT, role=ArtifactRole.MODEL, media_type="application/json")
