"""Which job made which version. Registered with `projects`, which knows no job."""

from collections.abc import Collection, Mapping
from uuid import UUID

from jobs.models import JobOutput
from projects.core.origins import VersionKind

_COLUMNS = {
    VersionKind.DATASET: "dataset_version_id",
    VersionKind.MODEL: "model_version_id",
    VersionKind.TWIN: "twin_revision_id",
}


def jobs_of_versions(kind: VersionKind, version_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Version id -> id of the job that made it."""
    column = _COLUMNS[kind]
    return dict(
        JobOutput.objects.filter(**{f"{column}__in": version_ids}).values_list(column, "job_id")
    )
