"""References of a pipeline definition to datasets. Pure: no SQL is parsed."""

from dataclasses import dataclass
from typing import Any

from mimir.lib.schemas.steps import step_type_of


@dataclass(frozen=True, slots=True)
class DatasetReference:
    """A step that reads or writes a dataset. `version`: a number; None for the newest version."""

    step: str
    dataset: str
    version: Any  # any JSON value in a definition that has not been checked
    access: str  # read, write


def step_reference(step: Any) -> DatasetReference | None:
    """The dataset that a step reads or writes. None without one, and for a malformed step."""
    step_type = step_type_of(step)
    if step_type is None or not isinstance(step.get("id"), str):
        return None
    options = step.get("with")
    if not isinstance(options, dict):
        return None
    for access in ("read", "write"):
        name = step_type.dataset_field(access)
        if name is not None and isinstance(options.get(name), str):
            version = next(
                (options[field] for field in step_type.names("version") if field in options), None
            )
            return DatasetReference(step["id"], options[name], version, access)
    return None


def dataset_references(definition: dict[str, Any]) -> list[tuple[str, str, int | None]]:
    """(step, dataset, version or None) of each step of a checked definition that reads a dataset."""  # noqa: E501
    found = (step_reference(step) for step in definition["steps"])
    return [
        (reference.step, reference.dataset, reference.version)
        for reference in found
        if reference is not None and reference.access == "read"
    ]
