"""Inputs of `ml_training`: the dataset version, whose columns must suit the training."""

from jobs.contract.job_parameters import TrainingParameters
from jobs.types.inputs import (
    Faults,
    InputRow,
    check_column,
    column_profiles,
    column_types,
    dataset_row,
    find_dataset,
    is_usable,
    shortened,
)
from mimir.lib.schemas.signature import kind_of, text_target_fault
from projects.models import Project
from projects.parsing.messages import ColumnProfileBody


def resolve(project: Project, parameters: TrainingParameters, faults: Faults) -> list[InputRow]:
    """Return the dataset; check target, features, excluded columns and the split."""
    version = find_dataset(project, parameters["dataset"], parameters.get("version"), faults)
    if version is None:
        return []
    types = column_types(version)
    target = parameters["target"]
    if version.row_count == 0:
        faults["parameters.dataset"] = f"{version} has no rows to train on"
    check_column(target, types, "parameters.target", faults)
    for index, name in enumerate(parameters.get("features", [])):
        path = f"parameters.features[{index}]"
        if check_column(name, types, path, faults) and not is_usable(types[name]):
            faults[path] = (
                f"{name} is {types[name]}: a model can use numbers, text, true/false values, dates"
                " and times"
            )
    for index, name in enumerate(parameters.get("exclude", [])):
        check_column(name, types, f"parameters.exclude[{index}]", faults)
    _check_time_split(parameters, types, faults)
    if target in types:
        fault = target_fault(types[target], parameters, column_profiles(version).get(target))
        if fault:
            faults["parameters.target"] = fault
        if parameters.get("rare_classes") == "group" and kind_of(types[target]) != "category":
            faults["parameters.rare_classes"] = (
                f"must not be group: {target} is {types[target]}, and only classes of text can be"
                " grouped"
            )
    return [dataset_row("dataset", version)]


def _check_time_split(
    parameters: TrainingParameters, types: dict[str, str], faults: Faults
) -> None:
    """Check that a split by time has a column that orders the rows."""
    if parameters.get("split") != "time":
        return
    times = [name for name in types if kind_of(types[name]) == "time"]
    name = parameters.get("time_column")
    path = "parameters.time_column"
    if name is None:
        if len(times) != 1:
            columns = shortened(times) if times else "no column of dates or times"
            faults[path] = f"must name the column that orders the rows: the dataset has {columns}"
    elif check_column(name, types, path, faults) and kind_of(types[name]) not in (
        "time",
        "number",
    ):
        faults[path] = f"{name} is {types[name]}. Choose a column of dates, times or numbers"


def target_fault(
    column_type: str, parameters: TrainingParameters, profile: ColumnProfileBody | None = None
) -> str:
    """Return why a column of this type cannot be the target; empty if it can.

    `profile`: statistics of the column, if they are computed.
    """
    kind = kind_of(column_type)
    if kind is None or kind == "time":
        return f"is {column_type}. A target must be numbers, text, or true and false"
    only = {"linear": "regression", "logistic": "classification"}.get(
        parameters.get("algorithm", "")
    )
    if kind == "number" or "regression" not in (parameters.get("task"), only):
        return ""
    name = parameters["target"]
    if kind == "boolean":
        return (
            f'"{name}" holds true and false. Regression needs a numeric target.'
            " Choose task classification, or another target"
        )
    tops = [item["value"] for item in (profile["top"] if profile else None) or []]
    if tops and 2 * sum(map(_is_numeric, tops)) >= len(tops):
        # The column may be text because of a few cells only. The worker checks every cell.
        return ""
    return text_target_fault(name).removesuffix(".")


def _is_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
