"""JSON Schemas of the parameters of each job type, for API, OpenAPI document, form and worker.

Keywords besides JSON Schema's own: `title` is a field's label and `description` its hint. `format`
(`dataset`, `model`, `pipeline`, `twin`, `twin-type`, `column`, `columns`, `version`,
`property-columns`) says which choices a form offers. `x-of` names the field whose dataset, model or
twin they belong to. `x-advanced` hides a field under Advanced. `x-rule` describes its pattern.
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
    """Return the schema for the name of something that exists in the project."""
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
    """Return the schema for the name of a job's output."""
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
        "dataset": _existing("dataset", "Dataset", "The training data."),
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
            "description": "Columns that are not features, such as identifiers, or values known only after the target.",
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
            "description": "Hyperparameters of the algorithm, named as in scikit-learn. Empty: the defaults.",
        },
        "rare_classes": {
            "type": "string",
            "title": "Classes with one row",
            "enum": ["drop", "group", "refuse"],
            "x-advanced": True,
            "description": "drop: ignore these rows. group: join them into one class (text targets). refuse: fail the job. "
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
            "description": "Share of the rows that are held out for the evaluation.",
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
            "description": "If the dataset lacks a feature of the model: refuse the job, or predict with an empty value (empty). "
            "Automatic: refuse, except for JSON, where keys can be absent.",
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
            "description": "The column for each property or relation. Empty: columns with the same names.",
        },
        "latest_by": {
            **COLUMN,
            "title": "Latest by",
            "format": "column",
            "x-of": "dataset",
            "x-none": "one row for each entity",
            "description": "For an entity with several rows: use the row with the largest value in this column, such as a time.",
        },
        "missing": {
            "type": "string",
            "title": "Entities without a row",
            "enum": ["keep", "mark", "delete"],
            "default": "keep",
            "description": "keep: leave them unchanged. mark: mark them as missing. delete: remove them, but keep their history.",
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
    """Return the faults of a request's parameters. Paths begin with `parameters`.

    Names (of a dataset, its columns) are checked in `jobs/lifecycle/inputs.py`, which knows the
    project.
    """
    faults = jsonschema.check(PARAMETERS[str(job_type)], parameters, "parameters")
    if not faults and str(job_type) == "ml_training":
        faults = _training(parameters)
    return faults


def _training(parameters: dict[str, Any]) -> list[FieldError]:
    """Yield faults of combinations of fields."""
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
                f"must not contain the target {parameters['target']}: a model must not use its target as a feature",
            )
        )
    return faults + jsonschema.check(
        HYPERPARAMETERS[algorithm],
        parameters.get("hyperparameters", {}),
        "parameters.hyperparameters",
    )
