"""Uses of a dataset version, which prevent its deletion.

Packages above this one register the uses they know: pipelines here, jobs in their own app.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from projects.models import Dataset

USES_MAX = 20  # uses listed in one answer


@dataclass(frozen=True, slots=True)
class Use:
    """One user of a dataset version.

    `kind` is `job`, `pipeline`, `dataset`, `model` or `twin`; `version` is None for a kind
    without versions; `message` is a sentence that states the use.
    """

    kind: str
    name: str
    version: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """The versions of a dataset that are to be deleted. `number` is None for the whole dataset."""

    dataset: Dataset
    version_ids: Collection[UUID]
    number: int | None = None


UseSource = Callable[[Candidate, int], list[Use]]
_sources: list[UseSource] = []


def register_uses(source: UseSource) -> None:
    """Register, once at start, a function that returns at most `limit` uses of a candidate."""
    if source not in _sources:
        _sources.append(source)


def dataset_version_uses(*, dataset: Dataset, version_id: UUID, number: int) -> list[Use]:
    """Return the uses that need this version, at most `USES_MAX`."""
    return _uses(Candidate(dataset, [version_id], number))


def dataset_uses(*, dataset: Dataset) -> list[Use]:
    """Return the uses that need the dataset, at most `USES_MAX`."""
    return _uses(Candidate(dataset, list(dataset.versions.values_list("id", flat=True))))


def _uses(candidate: Candidate) -> list[Use]:
    found: list[Use] = []
    for source in _sources:
        if len(found) < USES_MAX:
            found += source(candidate, USES_MAX - len(found))
    return found[:USES_MAX]
