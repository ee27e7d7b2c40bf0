"""Dataset versions come into being: from an upload, or from a job's outcome."""

from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from mimir.lib.errors import MimirError, TooLarge
from mimir.lib.ids import uuid7
from projects import storage
from projects.access import demand_active
from projects.connection import connection_release
from projects.models import Dataset, DatasetVersion, Project, VersionSource
from projects.names import check_name
from projects.parsing import runner

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import User


def dataset_upload(
    *, project: Project, name: str, file: IO[bytes], path: str, size_bytes: int, user: "User", make_current: bool = True
) -> DatasetVersion:
    """The next version of dataset `name` from an uploaded file, which lies at `path` on this machine.

    Parsed first, in a bounded process, then stored, then one short transaction gives it its number: nothing is left of a file that
    cannot be read. An object whose transaction was refused is deleted; one whose commit has no known end is left to
    `unreferenced_objects_sweep`, since its row may be there. The same content again is a new version: somebody delivered it.
    Without `make_current` the version that was current stays so.
    Raises: Invalid, TooLarge, ProjectArchived, runner.Unreadable, runner.Busy.
    """
    check_name(name)
    demand_active(project)
    if size_bytes > settings.ENV.max_upload_bytes:
        raise _at_file(TooLarge(f"The file is larger than {settings.ENV.max_upload_bytes} bytes. Split it, or upload it as Parquet."))
    if size_bytes == 0:
        raise _at_file(runner.Unreadable("The file is empty."))
    try:
        connection_release()
        inspected = runner.inspect(path, scratch_dir=storage.scratch_dir(), owner=runner.Owner(str(user.pk), str(project.id)))
    except runner.Unreadable as error:
        _at_file(error)
        raise
    version_id = uuid7()
    stored = storage.object_save(storage.object_key(project.id, version_id), file)
    try:
        with transaction.atomic():
            demand_active(Project.objects.get(id=project.id))
            return _version_create(
                project=project,
                name=name,
                id=version_id,
                format=inspected.format,
                schema=inspected.schema,
                row_count=inspected.row_count,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                storage_key=stored.key,
                source=VersionSource.UPLOAD,
                created_by=user,
                make_current=make_current,
            )
    except MimirError:
        storage.object_discard(stored.key)
        raise


def _at_file(fault: MimirError) -> MimirError:
    """The same, said of the request's field."""
    fault.detail = {"file": fault.message}
    return fault


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
    return _version_create(
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


def _version_create(
    *,
    project: Project,
    name: str,
    id: "UUID",  # noqa: A002 - the field's name
    make_current: bool = True,
    **facts: Any,
) -> DatasetVersion:
    """Allocate the next number under the dataset's row lock; create the dataset when it is new."""
    dataset = _dataset_locked(project, name)
    stays = 0 if make_current else dataset.current
    dataset.latest_number += 1
    if stays:
        dataset.current_number, dataset.current_set_at = stays, dataset.latest_number
    dataset.save(update_fields=["latest_number", "current_number", "current_set_at"])
    return DatasetVersion.objects.create(id=id, dataset=dataset, number=dataset.latest_number, **facts)


def _dataset_locked(project: Project, name: str) -> Dataset:
    """The dataset's row, locked until the transaction ends; created when it is new. Somebody may delete it between the two statements."""
    while True:
        Dataset.objects.bulk_create([Dataset(project=project, name=name)], ignore_conflicts=True)
        dataset = Dataset.objects.select_for_update().filter(project=project, name=name).first()
        if dataset is not None:
            return dataset
