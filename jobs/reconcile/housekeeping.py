"""What nobody needs any more is removed: objects and files that a process left when it died between them and their row."""

from collections.abc import Collection

from jobs.logs.append import log_objects_sweep
from jobs.models import ARTIFACTS, Artifact
from projects.datasets.uploads_write import expired_uploads_sweep
from projects.storage.references import storage_keys_referenced
from projects.storage.sweep import (
    expired_tokens_sweep,
    scratch_files_sweep,
    unfinished_uploads_sweep,
    unreferenced_objects_sweep,
)

LOG_OBJECTS_AFTER_SECONDS = 3600.0


def artifact_keys_referenced(keys: Collection[str]) -> set[str]:
    """Those of `keys` that an artifact's row points at, or a dataset version's: what a job wrote lies where its artifact was put."""
    return set(
        Artifact.objects.filter(storage_key__in=keys).values_list("storage_key", flat=True)
    ) | storage_keys_referenced(keys)


def storage_sweep() -> int:
    """One look over the whole storage, and at expired tokens; returns how many objects, files and tokens went."""
    return (
        log_objects_sweep(older_than_seconds=LOG_OBJECTS_AFTER_SECONDS)
        + unreferenced_objects_sweep(folder=ARTIFACTS, referenced=artifact_keys_referenced)
        + unreferenced_objects_sweep()
        + unfinished_uploads_sweep()
        + scratch_files_sweep()
        + expired_tokens_sweep()
        + expired_uploads_sweep()
    )
