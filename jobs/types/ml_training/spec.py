"""Spec of `ml_training`."""

from collections.abc import Mapping
from typing import Any

from jobs.contract import Priority
from jobs.core.resources import GIB, Amounts, Profile
from jobs.types.spec import JobTypeSpec
from mimir.lib.schemas import jsonschema
from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS
from mimir.lib.schemas.parameters import COLUMN, VERSION, existing_name, new_name, object_schema

PARAMETERS = object_schema(
    ("dataset", "target", "model"),
    {
        "dataset": existing_name("dataset", "Dataset", "Rows for training and evaluation."),
        "version": {**VERSION, "x-of": "dataset"},
        "target": {
            **COLUMN,
            "title": "Target",
            "format": "column",
            "x-of": "dataset",
            "description": "Column to predict.",
        },
        "features": {
            "type": "array",
            "title": "Features",
            "items": COLUMN,
            "minItems": 1,
            "maxItems": 10_000,
            "uniqueItems": True,
            "format": "columns",
            "x-of": "dataset",
            "description": "Columns to predict from. Empty: every other column of a supported"
            " type.",
        },
        "exclude": {
            "type": "array",
            "title": "Excluded columns",
            "items": COLUMN,
            "minItems": 1,
            "maxItems": 10_000,
            "uniqueItems": True,
            "format": "columns",
            "x-of": "dataset",
            "description": "Columns that are not features, for example identifiers, or values"
            " that are known only after the target.",
        },
        "model": new_name(
            "Model", "A new name creates a model; an existing model gets a new version."
        ),
        "task": {
            "type": "string",
            "title": "Task",
            "enum": ["regression", "classification"],
            "description": "Automatic: classification for text and true/false, regression for"
            " numbers.",
        },
        "algorithm": {
            "type": "string",
            "title": "Algorithm",
            "enum": list(HYPERPARAMETERS),
            "default": "hist_gradient_boosting",
            "description": "linear: regression only. logistic: classification only. Others: both.",
        },
        "hyperparameters": {
            "type": "object",
            "title": "Hyperparameters",
            "x-advanced": True,
            "x-of": "algorithm",
            "x-variants": HYPERPARAMETERS,
            "description": "Hyperparameters of the algorithm, named as in scikit-learn. Empty"
            " fields keep their defaults.",
        },
        "rare_classes": {
            "type": "string",
            "title": "Classes with one row",
            "enum": ["drop", "group", "refuse"],
            "x-advanced": True,
            "description": "drop: ignore these rows. group: combine them into one class (text"
            " targets). refuse: fail the job. Automatic: drop at most 10 % of the rows, otherwise"
            " refuse.",
        },
        "split": {
            "type": "string",
            "title": "Split",
            "enum": ["random", "time"],
            "default": "random",
            "x-advanced": True,
            "description": "random: random held-out set, stratified by class. time: the latest"
            " rows are held out, for forecasts.",
        },
        "time_column": {
            **COLUMN,
            "title": "Time column",
            "format": "column",
            "x-of": "dataset",
            "x-none": "Automatic",
            "x-advanced": True,
            "description": "For split time: column of dates, times or numbers that orders the rows."
            " Automatic: the only column of dates or times.",
        },
        "test_size": {
            "type": "number",
            "title": "Held-out fraction",
            "minimum": 0.05,
            "maximum": 0.5,
            "default": 0.25,
            "x-advanced": True,
            "description": "Fraction of the rows in the held-out set, on which the model is"
            " evaluated.",
        },
        "seed": {
            "type": "integer",
            "title": "Seed",
            "minimum": 0,
            "maximum": 2**32 - 1,
            "default": 0,
            "x-advanced": True,
            "description": "The same seed and data give the same split and the same model.",
        },
    },
)


def _check(parameters: Mapping[str, Any]) -> list[FieldError]:
    """Return the errors that involve several fields."""
    algorithm = parameters.get("algorithm", "hist_gradient_boosting")
    faults = []
    only = {"linear": "regression", "logistic": "classification"}.get(algorithm)
    task = parameters.get("task")
    if only and task and task != only:
        faults.append(
            FieldError(
                "parameters.algorithm", f"{algorithm} is for {only}: choose another, or task {only}"
            )
        )
    excluded = set(parameters.get("exclude", []))
    both = next((name for name in parameters.get("features", []) if name in excluded), None)
    if both is not None:
        faults.append(
            FieldError(
                "parameters.exclude",
                f"names {both}, which is in features too: remove it from one of them",
            )
        )
    if "time_column" in parameters and parameters.get("split") != "time":
        faults.append(
            FieldError(
                "parameters.time_column",
                "is used only with split time: choose it, or leave this empty",
            )
        )
    if parameters["target"] in parameters.get("features", []):
        faults.append(
            FieldError(
                "parameters.features",
                f"must not contain the target {parameters['target']}, which the model predicts",
            )
        )
    return faults + jsonschema.check(
        HYPERPARAMETERS[algorithm],
        parameters.get("hyperparameters", {}),
        "parameters.hyperparameters",
    )


SPEC = JobTypeSpec(
    name="ml_training",
    order=2,
    title="Training",
    icon="ml_training",
    summary="Train a model",
    heading="Data and model",
    button="Run training",
    job_title="Train {model} on {dataset}",
    subject="model",
    output="model",
    parameters=PARAMETERS,
    check=_check,
    profile=Profile(Amounts(4000, 8 * GIB), Amounts(8000, 16 * GIB)),
    default_priority=Priority.LOW,
    reads=("dataset",),
    produces=("model",),
)
