"""Inputs of `ml_inference`: the model version and a dataset version that matches its signature."""

from jobs.contract.job_parameters import InferenceParameters
from jobs.types.inputs import (
    NAMES_SHOWN,
    Faults,
    InputRow,
    check_column,
    column_profiles,
    column_types,
    dataset_row,
    find_dataset,
    numbered,
)
from mimir.lib.schemas.signature import may_lack_columns, prediction_columns, signature_faults
from projects.model_registry.read import model_version_find
from projects.models import DatasetVersion, ModelVersion, Project


def resolve(project: Project, parameters: InferenceParameters, faults: Faults) -> list[InputRow]:
    """Return the model and the dataset; check the signature and the key columns."""
    number = parameters.get("version")
    model = model_version_find(project=project, name=parameters["model"], number=number)
    if model is None:
        faults["parameters.version" if number else "parameters.model"] = (
            f"there is no model {numbered(parameters['model'], number)} here: train it first"
        )
    # `version` belongs to the model. The dataset is read at its newest version.
    version = find_dataset(project, parameters["dataset"], None, faults)
    if model is None or version is None:
        return []
    _check_signature(model, version, parameters, faults)
    _check_keys(model, version, parameters, faults)
    return [
        {
            "name": "model",
            "kind": "model",
            "model": model.model.name,
            "version": model.number,
            "id": str(model.id),
        },
        dataset_row("dataset", version),
    ]


def _check_signature(
    model: ModelVersion, version: DatasetVersion, parameters: InferenceParameters, faults: Faults
) -> None:
    empty = [
        name
        for name, column in column_profiles(version).items()
        if column["missing"] == version.row_count
    ]
    differences = signature_faults(
        model.signature,
        version.schema,
        empty=empty,
        absent_is_empty=may_lack_columns(parameters.get("missing_columns"), version.format),
    )
    if differences:
        hidden = len(differences) - NAMES_SHOWN
        shown = "; ".join(differences[:NAMES_SHOWN]) + (
            f"; and {hidden} more" if hidden > 0 else ""
        )
        faults["parameters.dataset"] = f"{version} does not fit {model}: {shown}"


def _check_keys(
    model: ModelVersion, version: DatasetVersion, parameters: InferenceParameters, faults: Faults
) -> None:
    """Check that the kept columns exist and do not clash with the columns of predictions."""
    types = column_types(version)
    for index, name in enumerate(parameters.get("keys", [])):
        check_column(name, types, f"parameters.keys[{index}]", faults)
    kept = {name.casefold() for name in parameters.get("keys", types)}
    clash = [name for name in prediction_columns(model.signature) if name.casefold() in kept]
    if clash:
        faults["parameters.keys"] = (
            f"{clash[0]} is the name of a column that the prediction adds:"
            " list the columns to keep without it"
        )
