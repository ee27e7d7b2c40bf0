"""Which stored objects some version still needs."""

from collections.abc import Collection

from projects.models import DatasetVersion, ModelVersion, StagedUpload


def storage_keys_referenced(keys: Collection[str]) -> set[str]:
    """Those of `keys` that a version points at. Whoever sweeps objects asks here first: an artifact may be a version too."""
    found: set[str] = set()
    for rows in (DatasetVersion.objects, ModelVersion.objects, StagedUpload.objects):
        found |= set(rows.filter(storage_key__in=keys).values_list("storage_key", flat=True))
    found |= set(
        DatasetVersion.objects.filter(table_key__in=keys).values_list("table_key", flat=True)
    )
    return found
