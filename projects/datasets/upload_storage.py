"""Steps that turn an upload into dataset versions: local file, stored tables, transaction."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict
from uuid import UUID

from django.db import transaction

from mimir.lib.errors import Conflict, MimirError
from mimir.lib.ids import uuid7
from mimir.lib.reading.options import ReadOptionsBody
from mimir.lib.table_shapes import ColumnInfo, WarningInfo
from projects.core.access import demand_active
from projects.datasets.write import version_create
from projects.models import DatasetVersion, Project, StagedUpload, VersionSource
from projects.parsing import runner
from projects.storage import artifacts

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class ReadingFields(TypedDict):
    """Fields of a version that describe how its file was read."""

    format: str
    packing: NotRequired[str]
    schema: list[ColumnInfo]
    row_count: int
    reading: ReadOptionsBody
    warnings: list[WarningInfo]


class FileFields(TypedDict):
    """Fields of a version that describe its uploaded file."""

    size_bytes: int
    sha256: str
    storage_key: str


class TableFields(TypedDict, total=False):
    """Fields of a version that describe its table; none without a table."""

    table_key: str
    table_size_bytes: int
    table_sha256: str


class VersionFields(ReadingFields, FileFields, TableFields):
    """Fields of a version that is stored."""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version that is stored and has no number yet. `facts` are its fields."""

    name: str
    id: UUID
    facts: VersionFields


@contextlib.contextmanager
def upload_file(upload: StagedUpload) -> Iterator[str]:
    """Provide the path of a staged file on this machine. Raises: Conflict."""
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(artifacts.local_path(upload.storage_key))
            with open(path, "rb"):
                pass
        except FileNotFoundError as error:
            raise Conflict(
                "The file of this upload is no longer in the artifact storage. Upload it again.",
                code="content_missing",
            ) from error
        yield path


def table_save(
    project: Project, found: runner.ReadFile, *, also: Sequence[str] = ()
) -> artifacts.Stored | None:
    """Store the table under a new key. If that fails, delete the objects `also`, too."""
    if found.table is None:
        return None
    try:
        with found.table.open("rb") as file:
            return artifacts.put(artifacts.object_key(project.id, uuid7()), file)
    except BaseException:
        for key in also:
            artifacts.discard(key)
        raise


def reading_facts(found: runner.ReadFile) -> ReadingFields:
    """Return the fields of a version that describe how its file was read."""
    return {
        "format": found.format,
        "packing": found.packing,
        "schema": found.schema,
        "row_count": found.row_count,
        "reading": found.options,
        "warnings": found.warnings,
    }


def file_facts(file: artifacts.Stored | StagedUpload) -> FileFields:
    """Return the fields of a version that describe its uploaded file."""
    key = file.storage_key if isinstance(file, StagedUpload) else file.key
    return {"size_bytes": file.size_bytes, "sha256": file.sha256, "storage_key": key}


def table_facts(table: artifacts.Stored | None) -> TableFields:
    """Return the fields of a version that describe its table."""
    if table is None:
        return {}
    return {
        "table_key": table.key,
        "table_size_bytes": table.size_bytes,
        "table_sha256": table.sha256,
    }


def versions_commit(
    project: Project,
    new_versions: Sequence[NewVersion],
    user: "User",
    *,
    discard: Sequence[artifacts.Stored | None],
    make_current: bool,
    staged: UUID | None = None,
    follows: int = 0,
) -> list[DatasetVersion]:
    """Give all versions their numbers in one short transaction, and end the staged upload in it.

    Returns the versions in the order of `new_versions`. Datasets are locked in the order of their
    names, so that two callers cannot deadlock. If the transaction is refused, the objects `discard`
    are deleted.
    """
    by_id: dict[UUID, DatasetVersion] = {}
    try:
        with transaction.atomic():
            demand_active(Project.objects.get(id=project.id))
            if staged and not StagedUpload.objects.filter(id=staged).delete()[0]:
                raise Conflict("This upload was already accepted or deleted.", code="upload_gone")
            for one in sorted(new_versions, key=lambda one: one.name):
                facts = {**one.facts, "source": VersionSource.UPLOAD, "created_by": user}
                by_id[one.id] = version_create(
                    project=project,
                    name=one.name,
                    id=one.id,
                    make_current=make_current,
                    follows=follows,
                    **facts,
                )
    except MimirError:
        for stored in discard:
            if stored is not None:
                artifacts.discard(stored.key)
        raise
    return [by_id[one.id] for one in new_versions]
