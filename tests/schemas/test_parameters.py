"""Parameter schemas of each type: every fault is reported at its field, with the allowed values."""

from typing import Any

import pytest

from jobs.types.registry import SPECS, check_parameters
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS

TRAINING: dict[str, Any] = {"dataset": "d", "target": "y", "model": "m"}
INFERENCE: dict[str, Any] = {"model": "m", "dataset": "d", "output": "o"}
UPDATE: dict[str, Any] = {"twin": "t", "dataset": "d", "type": "day", "key": "k"}

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("pipeline_execution", {"pipeline": "p"}),
    ("pipeline_execution", {"pipeline": "p", "version": 3}),
    ("ml_training", TRAINING),
    (
        "ml_training",
        {
            **TRAINING,
            "version": 1,
            "features": ["a", "b c"],
            "task": "classification",
            "algorithm": "logistic",
            "test_size": 0.5,
        },
    ),
    (
        "ml_training",
        {
            **TRAINING,
            "algorithm": "random_forest",
            "hyperparameters": {"n_estimators": 5, "max_depth": None, "max_features": "sqrt"},
        },
    ),
    ("ml_training", {**TRAINING, "hyperparameters": {"learning_rate": 1}, "seed": 2**32 - 1}),
    ("ml_inference", INFERENCE),
    ("ml_inference", {**INFERENCE, "version": 2, "keys": []}),
    ("digital_twin_update", UPDATE),
    (
        "digital_twin_update",
        {**UPDATE, "properties": {"temperature": "Temp (°C)"}, "missing": "mark"},
    ),
]

BAD: list[tuple[str, Any, str, str]] = [
    ("pipeline_execution", [], "parameters", "an object"),
    ("pipeline_execution", {}, "parameters.pipeline", "is missing"),
    (
        "pipeline_execution",
        {"pipeline": "p", "version": 1.0},
        "parameters.version",
        "a whole number from 1",
    ),
    (
        "pipeline_execution",
        {"pipeline": "p", "version": True},
        "parameters.version",
        "a whole number from 1",
    ),
    ("ml_training", {**TRAINING, "target": ""}, "parameters.target", "the name of a column"),
    ("ml_training", {**TRAINING, "target": "a\x00"}, "parameters.target", "the name of a column"),
    (
        "ml_training",
        {**TRAINING, "model": "no spaces"},
        "parameters.model",
        "letters, digits, dots",
    ),
    ("ml_training", {**TRAINING, "features": []}, "parameters.features", "at least 1 entry"),
    ("ml_training", {**TRAINING, "features": ["a", "a"]}, "parameters.features", "twice"),
    (
        "ml_training",
        {**TRAINING, "features": ["a", 7]},
        "parameters.features[1]",
        "the name of a column",
    ),
    (
        "ml_training",
        {**TRAINING, "features": ["y"]},
        "parameters.features",
        "must not contain the target y",
    ),
    (
        "ml_training",
        {**TRAINING, "task": "clustering"},
        "parameters.task",
        "regression, classification",
    ),
    (
        "ml_training",
        {**TRAINING, "algorithm": "linear", "task": "classification"},
        "parameters.algorithm",
        "linear is for regression",
    ),
    (
        "ml_training",
        {**TRAINING, "algorithm": "logistic", "task": "regression"},
        "parameters.algorithm",
        "logistic is for classification",
    ),
    ("ml_training", {**TRAINING, "test_size": 0.9}, "parameters.test_size", "from 0.05 to 0.5"),
    ("ml_training", {**TRAINING, "seed": -1}, "parameters.seed", "a whole number from 0"),
    (
        "ml_training",
        {**TRAINING, "hyperparameters": {"C": 1}},
        "parameters.hyperparameters.C",
        "is not a known field. Use learning_rate",
    ),
    (
        "ml_training",
        {**TRAINING, "algorithm": "random_forest", "hyperparameters": {"n_estimators": 0}},
        "parameters.hyperparameters.n_estimators",
        "from 1 to 5000, not 0",
    ),
    (
        "ml_training",
        {**TRAINING, "typo": 1},
        "parameters.typo",
        "is not a known field. Use dataset",
    ),
    ("ml_inference", {**INFERENCE, "output": "-o"}, "parameters.output", "letters, digits, dots"),
    ("ml_inference", {**INFERENCE, "keys": "id"}, "parameters.keys", "a list"),
    (
        "digital_twin_update",
        {**UPDATE, "missing": "drop"},
        "parameters.missing",
        "keep, mark, delete",
    ),
    (
        "digital_twin_update",
        {**UPDATE, "properties": {}},
        "parameters.properties",
        "at least 1 entry",
    ),
    (
        "digital_twin_update",
        {**UPDATE, "properties": {"a": 1}},
        "parameters.properties.a",
        "the name of a column",
    ),
]


@pytest.mark.parametrize(("job_type", "parameters"), GOOD)
def test_valid_parameters_have_no_fault(job_type: str, parameters: dict[str, Any]) -> None:
    assert check_parameters(job_type, parameters) == []


@pytest.mark.parametrize(("job_type", "parameters", "path", "text"), BAD)
def test_an_invalid_parameter_is_named_with_the_allowed_values(
    job_type: str, parameters: Any, path: str, text: str
) -> None:
    faults = {fault.path: fault.message for fault in check_parameters(job_type, parameters)}
    assert text in faults.get(path, ""), faults


def test_every_error_is_reported_at_once() -> None:
    faults = check_parameters("ml_training", {"model": "!", "test_size": 2, "extra": 1})
    paths = {
        "parameters.dataset",
        "parameters.target",
        "parameters.model",
        "parameters.test_size",
        "parameters.extra",
    }
    assert {fault.path for fault in faults} == paths


def test_there_is_a_schema_for_each_type_and_each_field_has_a_label() -> None:
    parameters = [spec.parameters for spec in SPECS.values()]
    for schema in (*parameters, *HYPERPARAMETERS.values()):
        assert all(field.get("title") for field in schema["properties"].values())
        assert schema["additionalProperties"] is False
