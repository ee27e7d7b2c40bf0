"""Which job made which dataset version. Registered with `projects`, which knows no job."""

from collections.abc import Collection, Mapping
from uuid import UUID

from jobs.models import JobOutput


def jobs_of_versions(version_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Dataset version id -> id of the job that made it."""
    return dict(JobOutput.objects.filter(dataset_version_id__in=version_ids).values_list("dataset_version_id", "job_id"))
