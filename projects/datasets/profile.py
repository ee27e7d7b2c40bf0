"""What the columns of a dataset version hold is computed once, when somebody first asks: a version never changes."""

from typing import TYPE_CHECKING

from mimir.lib.errors import NotFound
from projects.core.connection import connection_release
from projects.datasets.read import dataset_version_table, reader_of
from projects.models import DatasetProfile, DatasetVersion
from projects.parsing import runner
from projects.storage import artifacts

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class NotComputed(NotFound):
    """Nobody has asked for it yet. Answered with 404."""

    code = "not_computed"


def dataset_profile(
    *, version: DatasetVersion, compute: bool = True, user: "User | None" = None
) -> DatasetProfile:
    """The profile of `version`, computed now if it is not there yet; without `compute` only one that is there.

    Two that ask at once both compute; one row is kept, and both answer it. A table that is too large for the bounds of the parsing child,
    or that cannot be read, is told so in `fault` for good. What may go well at another time is stored nowhere.
    Raises: Busy, ContentMissing, NotComputed.
    """
    known = DatasetProfile.objects.filter(version=version).first()
    if known is not None:
        return known
    if not compute:
        raise NotComputed("The columns of this version have not been described yet.")
    connection_release()
    with dataset_version_table(version) as table:
        columns, fault = _computed(table, reader_of(version, user))
    DatasetProfile.objects.bulk_create(
        [DatasetProfile(version=version, columns=columns, fault=fault)], ignore_conflicts=True
    )
    return DatasetProfile.objects.get(version=version)


def _computed(table: runner.TableFile, owner: runner.Owner) -> tuple[list[dict[str, object]], str]:
    try:
        profile = runner.profile(table, scratch_dir=artifacts.scratch_dir(), owner=owner)
    except runner.Interrupted as error:
        raise runner.Busy(
            f"{error.message} Or try again later: this machine may be busy.", retry_after_seconds=60
        ) from error
    except runner.Unreadable as error:
        return [], error.message
    return profile.columns, profile.fault
