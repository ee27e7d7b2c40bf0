"""Look up which stored objects a version or a staged upload still refers to."""

from collections.abc import Collection

from projects.models import DatasetVersion, ModelVersion, StagedUpload


def storage_keys_referenced(keys: Collection[str]) -> set[str]:
    """Return those of `keys` that a version or a staged upload refers to.

    Every sweep of objects must call this first, because an artifact of a job can be a version.
    """
    found: set[str] = set()
    for rows in (DatasetVersion.objects, ModelVersion.objects, StagedUpload.objects):
        found |= set(rows.filter(storage_key__in=keys).values_list("storage_key", flat=True))
    found |= set(
        DatasetVersion.objects.filter(table_key__in=keys).values_list("table_key", flat=True)
    )
    return found
