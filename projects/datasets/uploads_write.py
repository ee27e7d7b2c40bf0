"""Uploads: a file becomes a dataset version, or is staged to check its reading first."""

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from django.conf import settings

from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Invalid, TooLarge
from mimir.lib.ids import uuid7
from mimir.lib.reading.options import TYPES, BadOptions, ReadOptions, ReadOptionsBody, options_of
from mimir.lib.schemas.column_changes import column_changes
from mimir.lib.table_shapes import ColumnInfo, WarningInfo
from projects.core.access import demand_active
from projects.core.connection import connection_release
from projects.core.names import check_name
from projects.datasets.read import dataset_version_get, dataset_version_table
from projects.datasets.upload_storage import (
    NewVersion,
    ReadingFields,
    file_facts,
    reading_facts,
    table_facts,
    table_save,
    upload_file,
    versions_commit,
)
from projects.datasets.write import current_version_changed
from projects.models import DataFormat, DatasetVersion, Project, StagedUpload
from projects.parsing import runner
from projects.storage import artifacts
from projects.storage.quota import QuotaExceeded, storage_demand

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EXPIRES_AFTER = dt.timedelta(hours=24)
STAGED_MAX_OF_USER = 10  # in one project, not expired
PREVIEW_ROWS = 100
FILE_NAME_CHARACTERS = 300
COLUMNS_NAMED_MAX = 6  # columns that a message lists
_DETECT = ReadOptions()


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """An uploaded file: its name, open content and local path."""

    name: str
    file: IO[bytes]
    path: str
    size_bytes: int


def read_options(raw: Mapping[str, object]) -> ReadOptions:
    """Return checked reading options. Raises: Invalid, with each bad option."""
    try:
        return options_of(raw)
    except BadOptions as error:
        first, fault = next(iter(error.faults.items()))
        raise Invalid(f"{first}: {fault}", detail=error.faults) from error


def dataset_upload(
    *,
    project: Project,
    name: str,
    file: IO[bytes],
    path: str,
    size_bytes: int,
    user: "User",
    options: ReadOptions = _DETECT,
    make_current: bool = True,
) -> DatasetVersion:
    """Create the next version of dataset `name` from an uploaded file, which is at `path` locally.

    The file is read first, in a limited process; then the file and its table are stored; then one
    short transaction allocates the number. A file that cannot be read leaves nothing. An object
    whose transaction was refused is deleted. If the result of the commit is unknown, its row may
    exist: the object is left to `unreferenced_objects_sweep`. The same content again is a new
    version. Without `make_current`, the current version stays.

    Raises: Invalid, TooLarge, QuotaExceeded, ProjectArchived, runner.Unreadable, runner.Busy.
    """
    check_name(name)
    demand_active(project)
    _check_size(project, size_bytes)
    version_id = uuid7()
    owner = runner.Owner(str(user.pk), str(project.id))
    connection_release()
    with (
        _at_file(),
        runner.imported(
            path, options=options.given(), scratch_dir=artifacts.scratch_dir(), owner=owner
        ) as found,
    ):
        stored = artifacts.put(artifacts.object_key(project.id, version_id), file)
        table = table_save(project, found, also=[stored.key])
    new_version = NewVersion(
        name, version_id, {**reading_facts(found), **file_facts(stored), **table_facts(table)}
    )
    return versions_commit(
        project, [new_version], user, discard=[stored, table], make_current=make_current
    )[0]


def upload_stage(
    *, project: Project, upload: UploadedFile, options: ReadOptions, user: "User"
) -> StagedUpload:
    """Store a file and read it with `options`. It expires after a day.

    A file that cannot be read is kept with its fault. Raises: Invalid, TooLarge, QuotaExceeded,
    ProjectArchived, Conflict, runner.Unreadable for an empty file, runner.Busy.
    """
    demand_active(project)
    _check_size(project, upload.size_bytes)
    staged = StagedUpload.objects.filter(
        project=project, created_by=user, expires_at__gt=utc_now()
    ).count()
    if staged >= STAGED_MAX_OF_USER:
        raise Conflict(
            f"You have {staged} uploads that are not accepted. Accept or delete one first.",
            code="too_many_uploads",
        )
    upload_id = uuid7()
    reading, fault = _inspected(
        upload.path, options, runner.Owner(str(user.pk), str(project.id)), sample=False
    )
    stored = artifacts.put(artifacts.object_key(project.id, upload_id), upload.file)
    return StagedUpload.objects.create(
        id=upload_id,
        project=project,
        created_by=user,
        file_name=_file_name(upload.name),
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        storage_key=stored.key,
        options=options.given(),
        reading=reading,
        fault=fault,
        expires_at=utc_now() + EXPIRES_AFTER,
    )


def upload_read_again(*, upload: StagedUpload, options: ReadOptions, sample: bool) -> StagedUpload:
    """Read a staged file with other options, completely or only its beginning.

    Raises: runner.Busy, Conflict.
    """
    connection_release()
    with upload_file(upload) as path:
        owner = runner.Owner(str(upload.created_by_id), str(upload.project_id))
        upload.reading, upload.fault = _inspected(path, options, owner, sample=sample)
    upload.options = options.given()
    StagedUpload.objects.filter(id=upload.id).update(
        options=upload.options, reading=upload.reading, fault=upload.fault
    )
    return upload


def upload_accept(
    *, upload: StagedUpload, name: str, user: "User", make_current: bool = True
) -> DatasetVersion:
    """Create the next version of dataset `name` from a staged file, read with its options.

    Raises: Invalid, ProjectArchived, runner.Unreadable, runner.Busy, Conflict.
    """
    check_name(name)
    demand_active(upload.project)
    owner = runner.Owner(str(user.pk), str(upload.project_id))
    connection_release()
    with (
        upload_file(upload) as path,
        runner.imported(
            path, options=upload.options, scratch_dir=artifacts.scratch_dir(), owner=owner
        ) as found,
    ):
        table = table_save(upload.project, found)
    new_version = NewVersion(
        name, upload.id, {**reading_facts(found), **file_facts(upload), **table_facts(table)}
    )
    return versions_commit(
        upload.project,
        [new_version],
        user,
        discard=[table],
        staged=upload.id,
        make_current=make_current,
    )[0]


def upload_append(
    *, upload: StagedUpload, name: str, to: int, user: "User", make_current: bool = True
) -> DatasetVersion:
    """Create the next version of dataset `name`: its current rows, then those of a staged file.

    `to` is the number of the current version. The file is read with the types of that version's
    columns unless its options name others, and must have the same columns. The result is one
    Parquet file; the uploaded file is not kept.

    Raises: NotFound, Conflict, Invalid, QuotaExceeded, ProjectArchived, ContentMissing,
    runner.Unreadable, runner.Busy.
    """
    project = upload.project
    demand_active(project)
    base = dataset_version_get(project=project, name=name)
    if base.number != to:
        raise current_version_changed(name, to)
    owner = runner.Owner(str(user.pk), str(project.id))
    connection_release()
    found, stored, rows = _joined_store(base, upload, owner)
    warnings = [_rows_added(to, rows - found.row_count, found.row_count), *found.warnings]
    facts: ReadingFields = {
        "format": DataFormat.PARQUET,
        "schema": base.schema,
        "row_count": rows,
        "reading": found.options,
        "warnings": warnings,
    }
    new_version = NewVersion(name, upload.id, {**facts, **file_facts(stored), **table_facts(None)})
    versions = versions_commit(
        project,
        [new_version],
        user,
        discard=[stored],
        staged=upload.id,
        make_current=make_current,
        follows=to,
    )
    artifacts.discard(upload.storage_key)
    return versions[0]


def _joined_store(
    base: DatasetVersion, upload: StagedUpload, owner: runner.Owner
) -> tuple[runner.ReadFile, artifacts.Stored, int]:
    """Store the rows of `base` followed by those of a staged file as one Parquet file.

    Return the reading of the staged file, the stored file and its number of rows.
    """
    project, scratch = upload.project, artifacts.scratch_dir()
    with (
        upload_file(upload) as path,
        runner.imported(
            path, options=_options_like(base, upload), scratch_dir=scratch, owner=owner
        ) as found,
    ):
        _check_same_columns(base, found.schema)
        with (
            dataset_version_table(base) as table,
            runner.joined(table, str(found.table or path), scratch_dir=scratch, owner=owner) as (
                whole,
                rows,
            ),
        ):
            storage_demand(project, whole.stat().st_size)
            with whole.open("rb") as file:
                stored = artifacts.put(artifacts.object_key(project.id, uuid7()), file)
    return found, stored, rows


def _rows_added(version: int, before: int, rows: int) -> WarningInfo:
    """Return the warning that states from which rows the version was built."""
    counts = [f"{count:,} {'row' if count == 1 else 'rows'}" for count in (rows, before)]
    message = f"Added {counts[0]} of the file below {counts[1]} of version {version}."
    return {
        "code": "rows_added",
        "params": {"version": version, "before": before, "rows": rows},
        "message": message,
    }


def _options_like(base: DatasetVersion, upload: StagedUpload) -> ReadOptionsBody:
    """Return the upload's options, completed with the types of the version's columns."""
    options: ReadOptionsBody = upload.options
    reading = upload.reading or {}
    if reading.get("format") in (DataFormat.PARQUET, DataFormat.ARROW):
        return options
    names = {column["name"] for column in reading.get("columns", [])}
    types = {
        column["name"]: column["type"]
        for column in base.schema
        if column["name"] in names and column["type"] in TYPES
    }
    return {**options, "types": {**types, **options.get("types", {})}} if types else options


def _check_same_columns(base: DatasetVersion, schema: list[ColumnInfo]) -> None:
    """Check that the file has the columns of the version. Raises: Invalid, with the differences."""
    changes = column_changes(base.schema, cast("list[dict[str, str]]", schema))
    if changes:
        named = " ".join(change.message for change in changes[:COLUMNS_NAMED_MAX])
        message = (
            f"Cannot add the rows to version {base.number}: {named}"
            " Choose matching types, or import the file as a separate version."
        )
        raise Invalid(message, detail={"append_to": message})


def upload_delete(*, upload: StagedUpload) -> None:
    """Delete a staged upload and its file, unless it was accepted meanwhile."""
    deleted, _ = StagedUpload.objects.filter(id=upload.id).delete()
    if deleted and not DatasetVersion.objects.filter(id=upload.id).exists():
        artifacts.discard(upload.storage_key)


def expired_uploads_sweep() -> int:
    """Delete expired uploads; return their number. The sweep of objects deletes their files."""
    deleted, _ = StagedUpload.objects.filter(expires_at__lt=utc_now()).delete()
    return deleted


def _check_size(project: Project, size_bytes: int) -> None:
    if size_bytes > settings.ENV.max_upload_bytes:
        message = (
            f"The file is larger than {settings.ENV.max_upload_bytes} bytes."
            " Split it, or upload it as Parquet."
        )
        raise TooLarge(message, detail={"file": message})
    if size_bytes == 0:
        raise runner.Unreadable("The file is empty.", detail={"file": "The file is empty."})
    try:
        storage_demand(project, size_bytes)
    except QuotaExceeded as error:
        error.detail = {"file": error.message}
        raise


@contextlib.contextmanager
def _at_file() -> Iterator[None]:
    """Add an error about the file to the request field `file`, too."""
    try:
        yield
    except runner.Unreadable as error:
        error.detail = {"file": error.message, **error.detail}
        raise


def _file_name(name: str) -> str:
    plain = "".join(character for character in name if character.isprintable())
    return plain[-FILE_NAME_CHARACTERS:] or "file"


def _inspected(
    path: str, options: ReadOptions, owner: runner.Owner, *, sample: bool
) -> tuple[dict[str, Any] | None, str]:
    """Return the reading of a file for a staged upload, or the reason why it cannot be read.

    After a failure, the reading still has the sheets, so that the user can choose another one.
    """
    scratch = artifacts.scratch_dir()
    try:
        found = runner.inspect(
            path,
            options=options.given(),
            rows=PREVIEW_ROWS,
            sample=sample,
            scratch_dir=scratch,
            owner=owner,
        )
    except runner.Unreadable as error:
        return ({"sheets": error.sheets} if error.sheets else None), error.message
    reading = {
        "format": found.format,
        "packing": found.packing,
        "options": found.options,
        "columns": found.schema,
        "row_count": found.row_count,
        "complete": found.complete,
        "warnings": found.warnings,
        "rows": found.rows,
        "cells": found.cells,
        "lines": found.lines,
        "sheets": found.choices.get("sheets", []),
        "lists": [
            {name: value for name, value in item.items() if name != "json_path"}
            for item in found.choices.get("lists", [])
        ],
        "list_columns": found.choices.get("list_columns", []),
    }
    return reading, ""
