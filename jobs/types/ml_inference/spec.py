"""Spec of `ml_inference`."""

from jobs.contract import Priority
from jobs.core.resources import GIB, Amounts, Profile
from jobs.types.spec import JobTypeSpec
from mimir.lib.schemas.parameters import COLUMN, VERSION, existing_name, new_name, object_schema

PARAMETERS = object_schema(
    ("model", "dataset", "output"),
    {
        "model": existing_name("model", "Model"),
        "version": {**VERSION, "title": "Model version", "x-of": "model"},
        "dataset": existing_name(
            "dataset",
            "Dataset",
            "Rows to predict. The newest version at submit time is used.",
        ),
        "output": new_name("Output", "The dataset that gets a new version with the predictions."),
        "keys": {
            "type": "array",
            "title": "Keys",
            "items": COLUMN,
            "maxItems": 10_000,
            "uniqueItems": True,
            "format": "columns",
            "x-of": "dataset",
            "description": "Columns of the dataset to keep with each prediction. Empty: all"
            " columns.",
        },
        "missing_columns": {
            "type": "string",
            "title": "Missing columns",
            "enum": ["refuse", "empty"],
            "x-advanced": True,
            "description": "Behaviour if the dataset lacks a feature of the model. refuse:"
            " reject the job. empty: predict with missing values. Automatic: refuse, except for"
            " JSON, where keys without a value may be absent.",
        },
    },
)


SPEC = JobTypeSpec(
    name="ml_inference",
    order=3,
    title="Prediction",
    icon="ml_inference",
    summary="Apply a model to data",
    heading="Model and data",
    button="Run prediction",
    job_title="Predict with {model} for {dataset}",
    subject="model",
    output="output",
    parameters=PARAMETERS,
    profile=Profile(Amounts(1000, 2 * GIB), Amounts(2000, 4 * GIB)),
    default_priority=Priority.HIGH,
    reads=(
        "model",
        "dataset",
    ),
    produces=("dataset",),
)
