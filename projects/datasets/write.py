"""Create dataset versions: allocate the next number, and record the results of jobs."""

from typing import TYPE_CHECKING, Any

from django.db import transaction

from mimir.lib.errors import Conflict
from mimir.lib.ids import uuid7
from projects.core.names import check_name
from projects.models import Dataset, DatasetVersion, Project, VersionSource

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
    """Create the next version of dataset `name` from a job's artifact, in the caller's transaction.

    Locks the dataset's row until the commit: a caller that creates several versions must go by
    name, or two callers can deadlock. An archived project accepts the results of its running jobs.

    Raises: Invalid for an invalid dataset name.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("create a job's dataset version in the transaction that ends the job")
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


def version_create(
    *,
    project: Project,
    name: str,
    id: "UUID",  # noqa: A002 - the field's name
    make_current: bool = True,
    follows: int = 0,
    **facts: Any,
) -> DatasetVersion:
    """Allocate the next number under the dataset's row lock; create the dataset if it is new.

    Raises: Conflict if `follows` is given and is no longer the current version.
    """
    dataset = _dataset_locked(project, name)
    if follows and dataset.current != follows:
        raise current_version_changed(name, follows)
    stays = 0 if make_current else dataset.current
    dataset.latest_number += 1
    if stays:
        dataset.current_number, dataset.current_set_at = stays, dataset.latest_number
    dataset.save(update_fields=["latest_number", "current_number", "current_set_at"])
    return DatasetVersion.objects.create(
        id=id, dataset=dataset, number=dataset.latest_number, **facts
    )


def current_version_changed(name: str, number: int) -> Conflict:
    """Return the error for a change that builds on version `number` when another one is current."""
    message = (
        f"Version {number} is not the current version of dataset {name}."
        " Check the current version, then add the rows to that one."
    )
    return Conflict(message, code="current_version_changed", detail={"append_to": message})


def _dataset_locked(project: Project, name: str) -> Dataset:
    """Return the dataset's row, locked until the transaction ends; create it if it is new.

    Another request can delete it between the two statements, so this tries again.
    """
    while True:
        Dataset.objects.bulk_create([Dataset(project=project, name=name)], ignore_conflicts=True)
        dataset = Dataset.objects.select_for_update().filter(project=project, name=name).first()
        if dataset is not None:
            return dataset
