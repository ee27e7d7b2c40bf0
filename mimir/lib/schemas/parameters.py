"""What the parameters of each job type may be: one JSON Schema each, for the API, its OpenAPI document, the page's form and the worker.

Beside JSON Schema's own keywords: `title` is a field's label, `description` its hint, `format` (`dataset`, `model`, `pipeline`, `twin`,
`twin-type`, `column`, `columns`, `version`, `property-columns`) tells a form what to offer, `x-of` names the field whose dataset, model or
twin it is of, `x-advanced` puts a field behind a fold, `x-rule` is the sentence for its pattern.
"""

from typing import Any

from mimir.lib.schemas import jsonschema
from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS

NAME_RULE = "a name of 1 to 200 letters, digits, dots, dashes and underscores, beginning with a letter or a digit"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}\Z"
COLUMN: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[^\x00]{1,1000}\Z",
    "x-rule": "the name of a column",
}
_VERSION: dict[str, Any] = {
    "type": "integer",
    "title": "Version",
    "minimum": 1,
    "maximum": 2**31 - 1,
    "format": "version",
    "description": "Empty: the newest version at submit time.",
    "x-rule": "a whole number from 1, or empty for the newest",
}


def _existing(kind: str, title: str, description: str = "") -> dict[str, Any]:
    """The name of something of this project."""
    rule = f"the name of a {kind} of this project"
    found = {
        "type": "string",
        "title": title,
        "format": kind,
        "pattern": r"^[^\x00]{1,200}\Z",
        "x-rule": rule,
    }
    return found | ({"description": description} if description else {})


def _new(title: str, description: str) -> dict[str, Any]:
    """The name of something that the job makes, or makes a version of."""
    return {
        "type": "string",
        "title": title,
        "description": description,
        "pattern": NAME_PATTERN,
        "x-rule": NAME_RULE,
    }


def _object(required: tuple[str, ...], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


PIPELINE_EXECUTION = _object(
    ("pipeline",),
    {"pipeline": _existing("pipeline", "Pipeline"), "version": {**_VERSION, "x-of": "pipeline"}},
)

ML_TRAINING = _object(
    ("dataset", "target", "model"),
    {
        "dataset": _existing("dataset", "Dataset", "What the model learns from."),
        "version": {**_VERSION, "x-of": "dataset"},
        "target": {
            **COLUMN,
            "title": "Target",
            "format": "column",
            "x-of": "dataset",
            "description": "The column to predict.",
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
            "description": "The columns to predict from. Empty: every other column that a model can use.",
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
            "description": "Columns that are not features, such as identifiers or what is known only after the target is.",
        },
        "model": _new("Model", "A new name creates a model; an existing model gets a new version."),
        "task": {
            "type": "string",
            "title": "Task",
            "enum": ["regression", "classification"],
            "description": "Automatic: classification for text, true and false; regression for numbers.",
        },
        "algorithm": {
            "type": "string",
            "title": "Algorithm",
            "enum": list(HYPERPARAMETERS),
            "default": "hist_gradient_boosting",
            "description": "linear is for regression, logistic for classification, the others for both.",
        },
        "hyperparameters": {
            "type": "object",
            "title": "Hyperparameters",
            "x-advanced": True,
            "x-of": "algorithm",
            "description": "Of the algorithm, named as in scikit-learn. What is not given keeps its default.",
        },
        "rare_classes": {
            "type": "string",
            "title": "Classes with one row",
            "enum": ["drop", "group", "refuse"],
            "x-advanced": True,
            "description": "drop: do not use these rows. group: one class of all of them (text targets). refuse: fail the job. "
            "Automatic: drop at most 10 % of the rows, else refuse.",
        },
        "split": {
            "type": "string",
            "title": "Split",
            "enum": ["random", "time"],
            "default": "random",
            "x-advanced": True,
            "description": "random: rows are held out at random, stratified by class. time: the latest rows are held out, for forecasts.",
        },
        "time_column": {
            **COLUMN,
            "title": "Time column",
            "format": "column",
            "x-of": "dataset",
            "x-none": "Automatic",
            "x-advanced": True,
            "description": "For split time: dates, times or numbers that order the rows. Automatic: the only column of dates or times.",
        },
        "test_size": {
            "type": "number",
            "title": "Held-out part",
            "minimum": 0.05,
            "maximum": 0.5,
            "default": 0.25,
            "x-advanced": True,
            "description": "Share of the rows that the model does not learn from, and on which it is evaluated.",
        },
        "seed": {
            "type": "integer",
            "title": "Seed",
            "minimum": 0,
            "maximum": 2**32 - 1,
            "default": 0,
            "x-advanced": True,
            "description": "The same seed on the same data gives the same split and the same model.",
        },
    },
)

ML_INFERENCE = _object(
    ("model", "dataset", "output"),
    {
        "model": _existing("model", "Model"),
        "version": {**_VERSION, "title": "Model version", "x-of": "model"},
        "dataset": _existing(
            "dataset",
            "Dataset",
            "The rows to predict for; its newest version is fixed when the job is submitted.",
        ),
        "output": _new("Output", "The dataset that gets a new version with the predictions."),
        "keys": {
            "type": "array",
            "title": "Keys",
            "items": COLUMN,
            "maxItems": 10_000,
            "uniqueItems": True,
            "format": "columns",
            "x-of": "dataset",
            "description": "Columns of the dataset to keep beside each prediction. Empty: all of them.",
        },
        "missing_columns": {
            "type": "string",
            "title": "Missing columns",
            "enum": ["refuse", "empty"],
            "x-advanced": True,
            "description": "What to do when the dataset lacks a feature of the model. empty: predict as if it had no value. "
            "Automatic: refuse, but for JSON, where a key without a value may be absent.",
        },
    },
)

DIGITAL_TWIN_UPDATE = _object(
    ("twin", "dataset", "type", "key"),
    {
        "twin": _existing("twin", "Twin"),
        "dataset": _existing(
            "dataset", "Dataset", "One row for each entity, or several with Latest by."
        ),
        "version": {**_VERSION, "x-of": "dataset"},
        "type": {
            "type": "string",
            "title": "Entity type",
            "minLength": 1,
            "maxLength": 100,
            "format": "twin-type",
            "x-of": "twin",
            "x-rule": "an entity type of the twin's definition",
        },
        "key": {
            **COLUMN,
            "title": "Key column",
            "format": "column",
            "x-of": "dataset",
            "description": "The column with each row's entity key.",
        },
        "properties": {
            "type": "object",
            "title": "Properties",
            "additionalProperties": COLUMN,
            "minProperties": 1,
            "maxProperties": 1000,
            "format": "property-columns",
            "x-of": "twin",
            "description": "Each property or relation, and the column it is read from. Empty: those whose column has the same name.",
        },
        "latest_by": {
            **COLUMN,
            "title": "Latest by",
            "format": "column",
            "x-of": "dataset",
            "x-none": "one row for each entity",
            "description": "Where several rows name an entity, the row with the largest value of this column counts, such as a time.",
        },
        "missing": {
            "type": "string",
            "title": "Entities without a row",
            "enum": ["keep", "mark", "delete"],
            "default": "keep",
            "description": "keep leaves them as they are, mark shows them as missing, delete removes them; their history stays.",
        },
    },
)

PARAMETERS: dict[str, dict[str, Any]] = {
    "pipeline_execution": PIPELINE_EXECUTION,
    "ml_training": ML_TRAINING,
    "ml_inference": ML_INFERENCE,
    "digital_twin_update": DIGITAL_TWIN_UPDATE,
}


def check_parameters(job_type: str, parameters: Any) -> list[FieldError]:
    """Everything wrong with a request's parameters by themselves, with paths that begin with `parameters`.

    What they name (a dataset, its columns) is checked where the project is known: `jobs/lifecycle/inputs.py`.
    """
    faults = jsonschema.check(PARAMETERS[str(job_type)], parameters, "parameters")
    if not faults and str(job_type) == "ml_training":
        faults = _training(parameters)
    return faults


def _training(parameters: dict[str, Any]) -> list[FieldError]:
    """What one field allows another."""
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
                f"has to be without the target {parameters['target']}: a model may not see what it predicts",
            )
        )
    return faults + jsonschema.check(
        HYPERPARAMETERS[algorithm],
        parameters.get("hyperparameters", {}),
        "parameters.hyperparameters",
    )
