"""Which job made a dataset version. The link lives in a room above: it registers a function here, so that we know no job."""

from collections.abc import Callable, Collection, Mapping
from uuid import UUID

VersionOrigins = Callable[[Collection[UUID]], Mapping[UUID, UUID]]
_origins: VersionOrigins | None = None


def register_version_origins(origins: VersionOrigins) -> None:
    """Called once at start: `origins` maps dataset version ids to the ids of the jobs that made them, in one query."""
    global _origins
    _origins = origins


def version_origins(version_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Job ids of those of `version_ids` that a job made."""
    return _origins(version_ids) if _origins and version_ids else {}
