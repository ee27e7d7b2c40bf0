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
            "The rows to predict for; its newest version is fixed when the job is submitted.",
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


SPEC = JobTypeSpec(
    name="ml_inference",
    order=3,
    title="Prediction",
    icon="ml_inference",
    summary="Apply a model to data",
    heading="What to predict",
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
