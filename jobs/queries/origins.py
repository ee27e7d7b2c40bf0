"""Map versions to the jobs that made them. Registered with `projects`, which does not know jobs."""

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
    """Map version ids to the ids of the jobs that made them."""
    column = _COLUMNS[kind]
    return dict(
        JobOutput.objects.filter(**{f"{column}__in": version_ids}).values_list(column, "job_id")
    )
