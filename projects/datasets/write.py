"""Dataset versions: the next number of a dataset, and versions from the outcome of a job."""

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


def version_create(
    *,
    project: Project,
    name: str,
    id: "UUID",  # noqa: A002 - the field's name
    make_current: bool = True,
    follows: int = 0,
    **facts: Any,
) -> DatasetVersion:
    """Allocate the next number under the dataset's row lock; create the dataset when it is new.

    Raises: Conflict, when version `follows` is given and is not the current one any more.
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
    """What to say to a change that builds on version `number` when another version is current."""
    message = f"Version {number} is not the current version of dataset {name}. Look at the current version, then add the rows to that one."
    return Conflict(message, code="current_version_changed", detail={"append_to": message})


def _dataset_locked(project: Project, name: str) -> Dataset:
    """The dataset's row, locked until the transaction ends; created when it is new. Somebody may delete it between the two statements."""
    while True:
        Dataset.objects.bulk_create([Dataset(project=project, name=name)], ignore_conflicts=True)
        dataset = Dataset.objects.select_for_update().filter(project=project, name=name).first()
        if dataset is not None:
            return dataset
