"""Which stored objects some version still needs."""

from collections.abc import Collection

from projects.models import DatasetVersion


def storage_keys_referenced(keys: Collection[str]) -> set[str]:
    """Those of `keys` that a dataset version points at. Whoever sweeps objects asks here first: an artifact may be a version too."""
    return set(DatasetVersion.objects.filter(storage_key__in=keys).values_list("storage_key", flat=True))
