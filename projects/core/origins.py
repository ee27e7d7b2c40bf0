"""Which job made a version. The link lives in a room above: it registers a function here, so that we know no job."""

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from uuid import UUID


class VersionKind(StrEnum):
    """What the ids are of that somebody asks the origins of."""

    DATASET = "dataset"
    MODEL = "model"
    TWIN = "twin"  # revisions of twins


VersionOrigins = Callable[[VersionKind, Collection[UUID]], Mapping[UUID, UUID]]
_origins: VersionOrigins | None = None


def register_version_origins(origins: VersionOrigins) -> None:
    """Called once at start: `origins` maps ids of versions of one kind to the ids of the jobs that made them, in one query."""
    global _origins
    _origins = origins


def version_origins(kind: VersionKind, version_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Job ids of those of `version_ids` that a job made."""
    return _origins(kind, version_ids) if _origins and version_ids else {}
