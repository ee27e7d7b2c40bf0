"""Queries of datasets and their versions, and reads of their content."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db.models import Case, Expression, F, IntegerField, QuerySet, When
from django.db.models.functions import Coalesce

from mimir.lib.errors import MimirError, NotFound
from projects.core.connection import connection_release
from projects.models import Dataset, DatasetVersion, Project
from projects.parsing import runner
from projects.storage import artifacts

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    Versions = QuerySet[DatasetVersion, DatasetVersion]


# Conversions at the same time. deploy/k8s/base/orchestrator.yaml sizes the spool folder for them.
CONVERSIONS_AT_ONCE, CONVERSION_WAIT_SECONDS = 2, 15.0
_conversions = threading.BoundedSemaphore(CONVERSIONS_AT_ONCE)


class ContentMissing(MimirError):
    """The file of a version is missing from the storage. Answered with 500.

    An administrator must check the storage.
    """

    status, code = 500, "content_missing"


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """The first rows of a version, with its columns. `truncated`: the version has more rows."""

    columns: list[dict[str, str]]
    rows: list[list[Any]]
    truncated: bool


def current_number(prefix: str = "dataset__") -> Expression:
    """Return SQL for `Dataset.current`.

    `prefix` is the path from the query's rows to their dataset.
    """
    newest = F(f"{prefix}latest_number")
    chosen = When(
        **{f"{prefix}current_set_at": newest}, then=Coalesce(F(f"{prefix}current_number"), newest)
    )
    return Case(chosen, default=newest, output_field=IntegerField())


def dataset_current_versions(*, project: Project) -> "Versions":
    """Return the current version of every dataset of `project`, with dataset and author.

    The caller orders by `dataset__name`.
    """
    return DatasetVersion.objects.filter(
        dataset__project=project, number=current_number()
    ).select_related("dataset", "created_by")


def dataset_get(*, project: Project, name: str) -> Dataset:
    """Return a dataset by its name. Raises: NotFound."""
    dataset = (
        Dataset.objects.filter(project=project, name=name, latest_number__gt=0)
        .select_related("project")
        .first()
    )
    if dataset is None:
        raise NotFound(f"There is no dataset {name} in this project.")
    return dataset


def dataset_versions(*, dataset: Dataset) -> "Versions":
    """Return all versions of `dataset`. The caller orders by `-number`."""
    return DatasetVersion.objects.filter(dataset=dataset).select_related("dataset", "created_by")


def dataset_version_find(
    *, project: Project, name: str, number: int | None = None
) -> DatasetVersion | None:
    """Return a version by its number, by default the current one; None if missing. One query."""
    versions = DatasetVersion.objects.filter(
        dataset__project=project, dataset__name=name
    ).select_related("dataset__project", "created_by")
    return versions.filter(number=current_number() if number is None else number).first()


def dataset_version_get(
    *, project: Project, name: str, number: int | None = None
) -> DatasetVersion:
    """Return a version by its number, by default the current one. Raises: NotFound."""
    version = dataset_version_find(project=project, name=name, number=number)
    if version is None:
        raise NotFound(
            f"There is no dataset {name}{f' version {number}' if number else ''} in this project."
        )
    return version


def dataset_version_before(version: DatasetVersion) -> DatasetVersion | None:
    """Return the previous version of the same dataset, or None for the first one."""
    return (
        DatasetVersion.objects.filter(dataset_id=version.dataset_id, number__lt=version.number)
        .order_by("-number")
        .first()
    )


def dataset_version_rows(
    *, version: DatasetVersion, limit: int, user: "User | None" = None
) -> DatasetRow:
    """Return the first `limit` rows, read in a limited process for `user`.

    Raises: ContentMissing, runner.Unreadable, runner.Busy.
    """
    connection_release()
    with dataset_version_table(version) as table:
        shown = runner.preview(
            table, limit=limit, scratch_dir=artifacts.scratch_dir(), owner=reader_of(version, user)
        )
    return DatasetRow(columns=version.schema, rows=shown.rows, truncated=shown.truncated)


@contextlib.contextmanager
def dataset_version_converted(
    *, version: DatasetVersion, to: str, user: "User | None" = None
) -> Iterator[Path]:
    """Provide the table in another format, in a file that is removed after the block.

    Raises: ContentMissing, runner.Unreadable, runner.Busy.
    """
    connection_release()
    owner = reader_of(version, user)
    if not _conversions.acquire(timeout=CONVERSION_WAIT_SECONDS):
        raise runner.Busy(
            "Too many files are being converted. Try again in a few seconds.",
            retry_after_seconds=5,
        )
    try:
        with (
            dataset_version_table(version) as table,
            runner.converted(
                table, to=to, scratch_dir=artifacts.scratch_dir(), owner=owner
            ) as path,
        ):
            yield path
    finally:
        _conversions.release()


def reader_of(version: DatasetVersion, user: "User | None") -> runner.Owner:
    """Return the user and the project whose slots reading a version uses."""
    return runner.Owner(str(user.pk) if user else "", str(version.dataset.project_id))


@contextlib.contextmanager
def dataset_version_table(version: DatasetVersion) -> Iterator[runner.TableFile]:
    """Provide the version's file on this machine's disk. Raises: ContentMissing."""
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(
                artifacts.local_path(version.table_key or version.storage_key)
            )
        except FileNotFoundError as error:
            raise content_missing(version) from error
        if not Path(path).is_file():
            raise content_missing(version)
        yield runner.TableFile(
            path=path,
            format="parquet" if version.table_key else version.format,
            schema=version.schema,
            key=str(version.id),
        )


def content_missing(version: DatasetVersion) -> ContentMissing:
    """Return the error for a version without a file in the storage."""
    return ContentMissing(
        f"The file of {version.dataset.name} version {version.number} is not in the artifact"
        " storage. Contact an administrator."
    )
