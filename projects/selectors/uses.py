"""What needs a dataset version, and so keeps it from being deleted.

Pipelines are known here. Jobs live in an app above this one, which registers a function for what jobs need.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from mimir.lib.schemas.references import dataset_references
from projects.models import Dataset
from projects.selectors.pipelines import pipeline_latest_versions

USES_MAX = 20  # uses that one answer lists


@dataclass(frozen=True, slots=True)
class Use:
    """One thing that needs a dataset version: its kind (`job`, `pipeline`, `dataset`, `model`, `twin`), its name, its version if it
    has one, and a sentence that says how it uses it."""

    kind: str
    name: str
    version: int | None
    message: str


JobUses = Callable[[Collection[UUID], int], list[Use]]
_job_uses: JobUses | None = None


def register_job_uses(uses: JobUses) -> None:
    """Called once at start: `uses` returns what jobs need of some dataset versions, at most as many as asked for."""
    global _job_uses
    _job_uses = uses


def dataset_version_uses(*, dataset: Dataset, version_id: UUID, number: int) -> list[Use]:
    """What would break without this version, at most `USES_MAX`."""
    pinned = [
        Use(
            "pipeline",
            name,
            version,
            f"Pipeline {name} version {version} reads this version in step {step}.",
        )
        for name, version, step, asked in _readers(dataset)
        if asked == number
    ]
    return _with_jobs(pinned, [version_id])


def dataset_uses(*, dataset: Dataset) -> list[Use]:
    """What would break without the dataset, at most `USES_MAX`."""
    readers = [
        Use(
            "pipeline",
            name,
            version,
            f"Pipeline {name} version {version} reads this dataset in step {step}.",
        )
        for name, version, step, _ in _readers(dataset)
    ]
    return _with_jobs(readers, list(dataset.versions.values_list("id", flat=True)))


def _with_jobs(found: list[Use], version_ids: list[UUID]) -> list[Use]:
    if _job_uses is not None and len(found) < USES_MAX:
        found = found + _job_uses(version_ids, USES_MAX - len(found))
    return found[:USES_MAX]


def _readers(dataset: Dataset) -> list[tuple[str, int, str, int | None]]:
    """(pipeline, version, step, dataset version named or None) of each read step in the newest version of a pipeline."""
    versions = pipeline_latest_versions(project=dataset.project).order_by("pipeline__name")
    return [
        (version.pipeline.name, version.number, step, asked)
        for version in versions.iterator(chunk_size=200)
        for step, name, asked in dataset_references(version.definition)
        if name == dataset.name
    ]
