"""Column statistics of a dataset version, computed at the first request and then stored."""

from typing import TYPE_CHECKING

from mimir.lib.errors import NotFound
from projects.core.connection import connection_release
from projects.datasets.read import dataset_version_table, reader_of
from projects.models import DatasetProfile, DatasetVersion
from projects.parsing import runner
from projects.parsing.messages import ColumnProfileBody
from projects.storage import artifacts

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class NotComputed(NotFound):
    """The statistics were not computed yet. Answered with 404."""

    code = "not_computed"


def dataset_profile(
    *, version: DatasetVersion, compute: bool = True, user: "User | None" = None
) -> DatasetProfile:
    """Return the statistics of `version`; compute them if they are missing and `compute` is true.

    Two concurrent requests both compute; one row is stored and both return it. A table that exceeds
    the limits of the parsing child, or that cannot be read, has the reason in `fault` permanently.
    Temporary failures are not stored.

    Raises: Busy, ContentMissing, NotComputed.
    """
    known = DatasetProfile.objects.filter(version=version).first()
    if known is not None:
        return known
    if not compute:
        raise NotComputed("The column statistics of this version are not computed yet.")
    connection_release()
    with dataset_version_table(version) as table:
        columns, fault = _computed(table, reader_of(version, user))
    DatasetProfile.objects.bulk_create(
        [DatasetProfile(version=version, columns=columns, fault=fault)], ignore_conflicts=True
    )
    return DatasetProfile.objects.get(version=version)


def _computed(table: runner.TableFile, owner: runner.Owner) -> tuple[list[ColumnProfileBody], str]:
    try:
        profile = runner.profile(table, scratch_dir=artifacts.scratch_dir(), owner=owner)
    except runner.Interrupted as error:
        raise runner.Busy(
            f"{error.message} Or try again later, when this machine is less busy.",
            retry_after_seconds=60,
        ) from error
    except runner.Unreadable as error:
        return [], error.message
    return profile.columns, profile.fault
