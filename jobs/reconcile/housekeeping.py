"""Removal of unreferenced objects and files, left by processes that died before writing a row."""

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
    """Return the `keys` that an artifact or a dataset version references.

    A dataset version that a job wrote uses the key of its artifact.
    """
    return set(
        Artifact.objects.filter(storage_key__in=keys).values_list("storage_key", flat=True)
    ) | storage_keys_referenced(keys)


def storage_sweep() -> int:
    """Sweep the whole storage and expired tokens; return how many items were removed."""
    return (
        log_objects_sweep(older_than_seconds=LOG_OBJECTS_AFTER_SECONDS)
        + unreferenced_objects_sweep(folder=ARTIFACTS, referenced=artifact_keys_referenced)
        + unreferenced_objects_sweep()
        + unfinished_uploads_sweep()
        + scratch_files_sweep()
        + expired_tokens_sweep()
        + expired_uploads_sweep()
    )
