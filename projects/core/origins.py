"""The job that created a version.

The jobs app, which this app does not import, registers the function that looks it up.
"""

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from uuid import UUID


class VersionKind(StrEnum):
    """The kinds of versions that a job can create."""

    DATASET = "dataset"
    MODEL = "model"
    TWIN = "twin"  # revisions of twins


VersionOrigins = Callable[[VersionKind, Collection[UUID]], Mapping[UUID, UUID]]
_origins: VersionOrigins | None = None


def register_version_origins(origins: VersionOrigins) -> None:
    """Register the look-up, once at start.

    `origins` maps ids of versions of one kind to the ids of the jobs that created them, in one
    query.
    """
    global _origins
    _origins = origins


def version_origins(kind: VersionKind, version_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Return the job ids of those of `version_ids` that a job created."""
    return _origins(kind, version_ids) if _origins and version_ids else {}
