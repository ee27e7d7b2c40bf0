"""Choose the current version of a dataset; delete an unused version or dataset."""

import contextlib
from collections.abc import Iterator, Sequence

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from mimir.api.etags import Preconditions, check_etag
from mimir.lib.errors import Conflict, NotFound
from projects.core.access import demand_active
from projects.core.uses import USES_MAX, Use, dataset_uses, dataset_version_uses
from projects.models import Dataset, DatasetVersion, VersionSource
from projects.storage import artifacts


class InUse(Conflict):
    """The object is in use and cannot be deleted; `detail` lists the uses. Answered with 409."""

    code = "in_use"


def dataset_etag(dataset: Dataset) -> str:
    """Return an ETag that changes with each new version and each choice of the current one."""
    return f'"{dataset.id.hex}-{dataset.latest_number}-{dataset.current}"'


def dataset_set_current(
    *, dataset: Dataset, number: int, etags: Preconditions | None = None
) -> Dataset:
    """Make version `number` current: jobs that name no version read it.

    The next new version becomes current again.

    Raises: NotFound, PreconditionFailed if `etags` does not contain the present ETag,
    ProjectArchived.
    """
    demand_active(dataset.project)
    with transaction.atomic():
        locked = _locked(dataset)
        check_etag(dataset_etag(locked), etags)
        if not locked.versions.filter(number=number).exists():
            raise NotFound(
                f"Dataset {locked.name} has no version {number}.",
                detail={"current_version": "no such version"},
            )
        locked.current_number, locked.current_set_at = number, locked.latest_number
        locked.save(update_fields=["current_number", "current_set_at"])
    return locked


def dataset_version_delete(
    *, dataset: Dataset, number: int, etags: Preconditions | None = None
) -> None:
    """Delete an unused version with its file. Its number is never reused.

    The file of a version that a job wrote is an artifact of that job and is deleted with the job.

    Raises: NotFound, InUse, PreconditionFailed, ProjectArchived.
    """
    demand_active(dataset.project)
    with _raced(), transaction.atomic():
        locked = _locked(dataset)
        version = locked.versions.select_for_update(of=("self",)).filter(number=number).first()
        if version is None:
            raise NotFound(f"Dataset {locked.name} has no version {number}.")
        check_etag(dataset_etag(locked), etags)
        if number == locked.current:
            raise InUse(
                f"Version {number} is the current version. Make another version current first,"
                " or delete the dataset.",
                detail={"uses": []},
            )
        _refuse_used(
            dataset_version_uses(dataset=locked, version_id=version.id, number=number),
            f"Version {number}",
        )
        _delete([version])
        version.delete()


def dataset_delete(*, dataset: Dataset, etags: Preconditions | None = None) -> None:
    """Delete an unused dataset with all its versions and their files.

    Raises: NotFound, InUse, PreconditionFailed, ProjectArchived.
    """
    demand_active(dataset.project)
    with _raced(), transaction.atomic():
        locked = _locked(dataset)
        check_etag(dataset_etag(locked), etags)
        versions = list(locked.versions.select_for_update(of=("self",)).order_by("id"))
        _refuse_used(dataset_uses(dataset=locked), f"Dataset {locked.name}")
        _delete(versions)
        locked.delete()


def _locked(dataset: Dataset) -> Dataset:
    locked = (
        Dataset.objects.select_for_update(of=("self",))
        .select_related("project")
        .filter(id=dataset.id)
        .first()
    )
    if locked is None:
        raise NotFound(f"There is no dataset {dataset.name} in this project.")
    return locked


def _refuse_used(uses: Sequence[Use], what: str) -> None:
    if not uses:
        return
    shown = " ".join(use.message for use in uses[:3])
    more = (
        f" And {len(uses) - 3}{' or more' if len(uses) == USES_MAX else ''} further uses."
        if len(uses) > 3
        else ""
    )
    detail = [
        {"kind": use.kind, "name": use.name, "version": use.version, "message": use.message}
        for use in uses
    ]
    raise InUse(f"{what} cannot be deleted: it is in use. {shown}{more}", detail={"uses": detail})


def _delete(versions: Sequence[DatasetVersion]) -> None:
    """Delete uploaded files after the commit.

    If this process dies before that, the sweep of objects finds them.
    """
    uploaded = [version for version in versions if version.source == VersionSource.UPLOAD]
    keys = [key for version in uploaded for key in (version.storage_key, version.table_key) if key]

    def discard() -> None:
        for key in keys:
            artifacts.discard(key)

    transaction.on_commit(discard, robust=True)


@contextlib.contextmanager
def _raced() -> Iterator[None]:
    """Convert a foreign key error at the commit to InUse: a job was submitted meanwhile."""
    try:
        yield
    except (IntegrityError, ProtectedError) as error:
        raise InUse("A new job uses it. Read its uses again.", detail={"uses": []}) from error
