"""Dataset versions: the next number of a dataset, and versions from the outcome of a job."""

from typing import TYPE_CHECKING, Any

from django.db import transaction

from mimir.lib.ids import uuid7
from projects.models import Dataset, DatasetVersion, Project, VersionSource
from projects.names import check_name

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import User


def dataset_version_from_job(
    *,
    project: Project,
    name: str,
    storage_key: str,
    format: str,  # noqa: A002 - the field's name
    schema: list[dict[str, Any]],
    row_count: int,
    size_bytes: int,
    sha256: str,
    user: "User | None",
) -> DatasetVersion:
    """The next version of dataset `name` from a job's artifact, inside the caller's transaction.

    Takes the dataset's row lock until that commits: a caller that makes several goes by name, or two of them wait for each other.
    An archived project takes what its running jobs make. Raises: Invalid for a name that cannot be a dataset's.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("a job's dataset version belongs to the transaction that ends the job")
    check_name(name)
    return version_create(
        project=project,
        name=name,
        id=uuid7(),
        format=format,
        schema=schema,
        row_count=row_count,
        size_bytes=size_bytes,
        sha256=sha256,
        storage_key=storage_key,
        source=VersionSource.JOB,
        created_by=user,
    )


def version_create(*, project: Project, name: str, id: "UUID", **facts: Any) -> DatasetVersion:  # noqa: A002 - the field's name
    """Allocate the next number under the dataset's row lock; the dataset itself is made when it is new."""
    Dataset.objects.bulk_create([Dataset(project=project, name=name)], ignore_conflicts=True)
    dataset = Dataset.objects.select_for_update().get(project=project, name=name)
    dataset.latest_number += 1
    dataset.save(update_fields=["latest_number"])
    return DatasetVersion.objects.create(id=id, dataset=dataset, number=dataset.latest_number, **facts)
