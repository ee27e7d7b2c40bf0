"""What a job reads, fixed when it is submitted: each attempt and each retry reads the same.

For each type: every version it names is looked up, and what the parameters say of it (a column, a type, a signature) is checked against it
here, where a person still waits for the answer. `Job.inputs` holds rows {"name", "kind", <kind>: name, "version"?, "id"}; a twin has no
version: an update works on the revision that is the newest when its attempt is claimed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.contract import JobType
from jobs.models import Job, JobInput
from mimir.lib.schemas.references import dataset_references
from mimir.lib.schemas.signature import (
    kind_of,
    may_lack_columns,
    prediction_columns,
    signature_faults,
    text_target_fault,
)
from mimir.lib.schemas.twin import entity_type, fields_of
from projects.datasets.read import dataset_version_find
from projects.model_registry.read import model_version_find
from projects.models import DatasetProfile, DatasetVersion, Project
from projects.pipelines.read import pipeline_version_find
from projects.twins.read import twin_definition_find

Faults = dict[str, str]
Rows = list[dict[str, Any]]
NAMES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a job reads, and the key of which one job at a time may run."""

    rows: Rows
    exclusive_key: str = ""


def inputs_fix(
    *, project: Project, type: JobType, parameters: dict[str, Any], faults: Faults
) -> Inputs:
    """The inputs of a job whose parameters fit their schema; what does not fit the project is put into `faults`."""
    return inputs_of(_TYPES[type](project, parameters, faults))


def inputs_of(rows: Rows) -> Inputs:
    """With the exclusive key: a twin is updated by one job at a time."""
    twin = next((row["id"] for row in rows if row["kind"] == "twin"), None)
    return Inputs(rows, f"twin:{twin}" if twin else "")


def deleted_inputs(rows: Rows) -> list[str]:
    """Dataset versions among `rows` that were deleted since they were fixed, as `name version n`."""
    wanted = {
        row["id"]: f"{row['dataset']} version {row['version']}"
        for row in rows
        if row["kind"] == "dataset"
    }
    there = {
        str(found)
        for found in DatasetVersion.objects.filter(id__in=wanted).values_list("id", flat=True)
    }
    return [name for identity, name in wanted.items() if identity not in there]


def input_rows_create(job: Job) -> None:
    """The same as rows, by which a version finds who used it. In the transaction that inserts the job."""
    columns = {
        "dataset": "dataset_version_id",
        "pipeline": "pipeline_version_id",
        "model": "model_version_id",
        "twin": "twin_id",
    }
    JobInput.objects.bulk_create(
        JobInput(job=job, **{columns[row["kind"]]: row["id"]}) for row in job.inputs
    )


def _pipeline_execution(project: Project, parameters: dict[str, Any], faults: Faults) -> Rows:
    number = parameters.get("version")
    pipeline = pipeline_version_find(project=project, name=parameters["pipeline"], number=number)
    if pipeline is None:
        wanted = parameters["pipeline"] + (f" version {number}" if number else "")
        faults["parameters.version" if number else "parameters.pipeline"] = (
            f"there is no pipeline {wanted} here"
        )
        return []
    name = pipeline.pipeline.name
    rows: Rows = [
        {
            "name": "pipeline",
            "kind": "pipeline",
            "pipeline": name,
            "version": pipeline.number,
            "id": str(pipeline.id),
        }
    ]
    for step, dataset, asked in dataset_references(pipeline.definition):
        version = dataset_version_find(project=project, name=dataset, number=asked)
        if version is None:
            wanted = dataset + (f" version {asked}" if asked else "")
            faults["parameters.pipeline"] = (
                f"step {step} reads dataset {wanted}, which is not here: upload it, or run what makes it"
            )
            continue
        rows.append(_dataset_row(step, version))
    return rows


def _ml_training(project: Project, parameters: dict[str, Any], faults: Faults) -> Rows:
    version = _dataset(project, parameters, faults)
    if version is None:
        return []
    types = {column["name"]: column["type"] for column in version.schema}
    target = parameters["target"]
    if version.row_count == 0:
        faults["parameters.dataset"] = f"{version} has no rows: there is nothing to learn from"
    _column(target, types, "parameters.target", faults)
    for index, name in enumerate(parameters.get("features", [])):
        path = f"parameters.features[{index}]"
        if _column(name, types, path, faults) and kind_of(types[name]) is None:
            faults[path] = (
                f"{name} is {types[name]}: a model can use numbers, text, truth values, dates and times"
            )
    for index, name in enumerate(parameters.get("exclude", [])):
        _column(name, types, f"parameters.exclude[{index}]", faults)
    _training_time(parameters, types, faults)
    if target in types and target_fault(
        types[target], parameters, _profile_of(version).get(target)
    ):
        faults["parameters.target"] = target_fault(
            types[target], parameters, _profile_of(version).get(target)
        )
    if (
        target in types
        and parameters.get("rare_classes") == "group"
        and kind_of(types[target]) != "category"
    ):
        faults["parameters.rare_classes"] = (
            f"must not be group: {target} is {types[target]}, and only classes of text can be grouped"
        )
    return [_dataset_row("dataset", version)]


def _training_time(parameters: dict[str, Any], types: dict[str, str], faults: Faults) -> None:
    """What a split by time needs."""
    if parameters.get("split") != "time":
        return
    times = [name for name in types if kind_of(types[name]) == "time"]
    name = parameters.get("time_column")
    if name is None and len(times) != 1:
        found = (
            f"the dataset has {_some(times)}"
            if times
            else "the dataset has no column of dates or times"
        )
        faults["parameters.time_column"] = f"must name the column that orders the rows: {found}"
    elif (
        name is not None
        and _column(name, types, "parameters.time_column", faults)
        and kind_of(types[name]) not in ("time", "number")
    ):
        faults["parameters.time_column"] = (
            f"{name} is {types[name]}. Choose a column of dates, times or numbers"
        )


def _profile_of(version: DatasetVersion) -> dict[str, dict[str, Any]]:
    """What is known of the columns' values, by name; empty while nobody has looked at them."""
    profile = DatasetProfile.objects.filter(version=version).first()
    return {column["name"]: column for column in profile.columns} if profile else {}


def target_fault(
    column_type: str, parameters: dict[str, Any], profile: dict[str, Any] | None = None
) -> str:
    """Why a column of this type cannot be the target of this training; empty when it can. `profile`: what its values are, where that is known."""
    kind = kind_of(column_type)
    if kind is None or kind == "time":
        return f"is {column_type}. A target must be numbers, text, or true and false"
    task = parameters.get("task")
    only = {"linear": "regression", "logistic": "classification"}.get(
        parameters.get("algorithm", "")
    )
    if kind == "number" or "regression" not in (task, only):
        return ""
    name = parameters["target"]
    if kind == "boolean":
        return f'"{name}" holds true and false. Regression needs a numeric target. Choose task classification, or another target'
    tops = [str(item["value"]) for item in (profile or {}).get("top") or []]
    if tops and 2 * sum(map(_is_number, tops)) >= len(tops):
        return ""  # perhaps text because of a few cells only: the worker sees all of them
    return text_target_fault(name).removesuffix(".")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ml_inference(project: Project, parameters: dict[str, Any], faults: Faults) -> Rows:
    number = parameters.get("version")
    model = model_version_find(project=project, name=parameters["model"], number=number)
    if model is None:
        wanted = parameters["model"] + (f" version {number}" if number else "")
        faults["parameters.version" if number else "parameters.model"] = (
            f"there is no model {wanted} here: train it first"
        )
    version = _dataset(project, {"dataset": parameters["dataset"]}, faults)
    if model is None or version is None:
        return []
    empty = [
        name
        for name, column in _profile_of(version).items()
        if column.get("missing") == version.row_count
    ]
    absent_is_empty = may_lack_columns(parameters, version.format)
    differences = signature_faults(
        model.signature, version.schema, empty=empty, absent_is_empty=absent_is_empty
    )
    if differences:
        shown = "; ".join(differences[:NAMES_SHOWN]) + (
            f"; and {len(differences) - NAMES_SHOWN} more" if len(differences) > NAMES_SHOWN else ""
        )
        faults["parameters.dataset"] = f"{version} does not fit {model}: {shown}"
    types = {column["name"]: column["type"] for column in version.schema}
    for index, name in enumerate(parameters.get("keys", [])):
        _column(name, types, f"parameters.keys[{index}]", faults)
    kept = {name.casefold() for name in parameters.get("keys", types)}
    clash = [name for name in prediction_columns(model.signature) if name.casefold() in kept]
    if clash:
        faults["parameters.keys"] = (
            f"{clash[0]} is the name of a column that the prediction adds: name the columns to keep, without it"
        )
    return [
        {
            "name": "model",
            "kind": "model",
            "model": model.model.name,
            "version": model.number,
            "id": str(model.id),
        },
        _dataset_row("dataset", version),
    ]


def _digital_twin_update(project: Project, parameters: dict[str, Any], faults: Faults) -> Rows:
    definition = twin_definition_find(project=project, name=parameters["twin"])
    if definition is None:
        faults["parameters.twin"] = (
            f"there is no twin {parameters['twin']} here: make it, with a definition, first"
        )
    version = _dataset(project, parameters, faults)
    if definition is None or version is None:
        return []
    types = {column["name"]: column["type"] for column in version.schema}
    _column(parameters["key"], types, "parameters.key", faults)
    if "latest_by" in parameters:
        _column(parameters["latest_by"], types, "parameters.latest_by", faults)
    kind = entity_type(definition.definition, parameters["type"])
    if kind is None:
        known = ", ".join(item["name"] for item in definition.definition["types"])
        faults["parameters.type"] = (
            f"{parameters['type']} is no entity type of {parameters['twin']}: it has {known}"
        )
    else:
        _twin_properties(kind, parameters, types, faults)
    return [
        {"name": "twin", "kind": "twin", "twin": parameters["twin"], "id": str(definition.twin_id)},
        _dataset_row("dataset", version),
    ]


def _twin_properties(
    kind: dict[str, Any], parameters: dict[str, Any], types: dict[str, str], faults: Faults
) -> None:
    fields = fields_of(kind)
    asked = parameters.get("properties")
    if asked is None:
        if not set(fields) & set(types):
            faults["parameters.properties"] = (
                f"no column of {parameters['dataset']} is called like a property of {kind['name']}: say which column each is read from"
            )
        return
    for name, column in asked.items():
        if name not in fields:
            faults[f"parameters.properties.{name}"] = (
                f"{kind['name']} has no property {name}: it has {_some(fields)}"
            )
        else:
            _column(column, types, f"parameters.properties.{name}", faults)


def _dataset(project: Project, parameters: dict[str, Any], faults: Faults) -> DatasetVersion | None:
    name, number = parameters["dataset"], parameters.get("version")
    version = dataset_version_find(project=project, name=name, number=number)
    if version is None:
        wanted = name + (f" version {number}" if number else "")
        path = "parameters.version" if number else "parameters.dataset"
        faults[path] = f"there is no dataset {wanted} here: upload it, or run what makes it"
    return version


def _column(name: str, types: dict[str, str], path: str, faults: Faults) -> bool:
    if name in types:
        return True
    faults[path] = f"there is no column {name}: the dataset has {_some(types)}"
    return False


def _some(names: Any) -> str:
    listed = list(names)
    return ", ".join(listed[:NAMES_SHOWN]) + (
        f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    )


def _dataset_row(name: str, version: DatasetVersion) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "dataset",
        "dataset": version.dataset.name,
        "version": version.number,
        "id": str(version.id),
    }


_TYPES: dict[JobType, Callable[[Project, dict[str, Any], Faults], Rows]] = {
    JobType.PIPELINE_EXECUTION: _pipeline_execution,
    JobType.ML_TRAINING: _ml_training,
    JobType.ML_INFERENCE: _ml_inference,
    JobType.DIGITAL_TWIN_UPDATE: _digital_twin_update,
}
