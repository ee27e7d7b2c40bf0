"""Inputs of a job, fixed at submit: every attempt and every retry reads the same versions.

Each type's `inputs.py` has `resolve(project, parameters, faults) -> list[InputRow]`. It looks up
the versions that the parameters name and checks the parameters against them (columns, types,
signatures). Users therefore get these errors at submit and not from a worker.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Literal, NotRequired, Protocol, TypedDict, cast

from mimir.lib.json_types import JsonObject
from mimir.lib.schemas.signature import kind_of
from projects.datasets.read import dataset_version_find
from projects.models import DatasetProfile, DatasetVersion, Project
from projects.parsing.messages import ColumnProfileBody

Faults = dict[str, str]  # path of a field -> message
NAMES_SHOWN = 20


class PublicInput(TypedDict):
    """One input of a job in the API. The key named like `kind` holds the name.

    A twin has no version: an update works on the newest revision at its claim.
    """

    name: str  # name in the worker's request
    kind: Literal["dataset", "pipeline", "model", "twin"]
    dataset: NotRequired[str]
    pipeline: NotRequired[str]
    model: NotRequired[str]
    twin: NotRequired[str]
    version: NotRequired[int]


class InputRow(PublicInput):
    """One input of a job, as `Job.inputs` stores it. `id`: of the version, or of the twin."""

    id: str


def public_input(row: InputRow) -> PublicInput:
    """Return the input without its id."""
    return cast("PublicInput", {key: value for key, value in row.items() if key != "id"})


class ResolveInputs(Protocol):
    """Signature of `resolve` in a type's `inputs.py`."""

    def __call__(self, project: Project, parameters: JsonObject, faults: Faults) -> list[InputRow]:
        """Return the inputs; add errors to `faults`."""


def inputs_resolve(
    *, job_type: str, project: Project, parameters: JsonObject, faults: Faults
) -> list[InputRow]:
    """Return the inputs of a job with schema-valid parameters; add errors to `faults`."""
    resolve: ResolveInputs = import_module(f"jobs.types.{job_type}.inputs").resolve
    return resolve(project, parameters, faults)


def find_dataset(
    project: Project, name: str, number: int | None, faults: Faults
) -> DatasetVersion | None:
    """Return a version of a dataset, by default the current one; None adds an error to `faults`."""
    version = dataset_version_find(project=project, name=name, number=number)
    if version is None:
        path = "parameters.version" if number else "parameters.dataset"
        faults[path] = (
            f"there is no dataset {numbered(name, number)} here: upload it, or run the job that"
            " creates it"
        )
    return version


def dataset_row(name: str, version: DatasetVersion) -> InputRow:
    """Return the input `name` that reads a dataset version."""
    return {
        "name": name,
        "kind": "dataset",
        "dataset": version.dataset.name,
        "version": version.number,
        "id": str(version.id),
    }


def numbered(name: str, number: int | None) -> str:
    """Return `name` or `name version 3`."""
    return name + (f" version {number}" if number else "")


def column_types(version: DatasetVersion) -> dict[str, str]:
    """Return the type of each column, by name."""
    return {column["name"]: column["type"] for column in version.schema}


def column_profiles(version: DatasetVersion) -> dict[str, ColumnProfileBody]:
    """Return the statistics of each column, by name; empty until they are computed."""
    profile = DatasetProfile.objects.filter(version=version).first()
    return {column["name"]: column for column in profile.columns} if profile else {}


def check_column(name: str, types: Mapping[str, str], path: str, faults: Faults) -> bool:
    """Return whether the column exists; otherwise add an error at `path`."""
    if name in types:
        return True
    faults[path] = f"there is no column {name}: the dataset has {shortened(types)}"
    return False


def is_usable(column_type: str) -> bool:
    """Return whether a model can use a column of this type as a feature."""
    return kind_of(column_type) is not None


def shortened(names: Iterable[str]) -> str:
    """Return the first names as text, and the number of the others."""
    listed = list(names)
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return ", ".join(listed[:NAMES_SHOWN]) + more
