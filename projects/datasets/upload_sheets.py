"""Accept sheets of a staged workbook as versions of several datasets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mimir.lib.errors import Invalid
from mimir.lib.ids import uuid7
from mimir.lib.reading.options import ReadOptionsBody
from projects.core.access import demand_active
from projects.core.connection import connection_release
from projects.core.names import check_name
from projects.datasets.upload_storage import (
    NewVersion,
    VersionFields,
    file_facts,
    reading_facts,
    table_facts,
    table_save,
    upload_file,
    versions_commit,
)
from projects.models import DatasetVersion, StagedUpload
from projects.parsing import runner
from projects.storage import artifacts
from projects.storage.quota import storage_demand

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class SheetDataset:
    """A sheet and the dataset that receives it as a version."""

    sheet: str
    name: str


def upload_accept_sheets(
    *,
    upload: StagedUpload,
    datasets: Sequence[SheetDataset],
    types: dict[str, str] | None,
    user: "User",
    make_current: bool = True,
) -> list[DatasetVersion]:
    """Create the next version of each dataset from its sheet: all of them or none.

    Returns the versions in the order of `datasets`. Each sheet is read with the upload's options;
    `types` (default: the types of those options) apply to the sheets that have the column. Each
    version owns a copy of the uploaded file, so that each can be downloaded, counted and deleted
    alone.

    Raises: Invalid, QuotaExceeded, ProjectArchived, runner.Unreadable, runner.Busy, Conflict.
    """
    _check(datasets)
    project = upload.project
    demand_active(project)
    storage_demand(project, upload.size_bytes * (len(datasets) - 1))
    owner = runner.Owner(str(user.pk), str(project.id))
    readings = [_options(upload, one.sheet, types) for one in datasets]
    connection_release()
    with (
        upload_file(upload) as path,
        runner.imported_each(
            path, readings, scratch_dir=artifacts.scratch_dir(), owner=owner
        ) as found,
    ):
        stored = _stored(upload, path, found)
    new_versions = []
    for index, (one, reading) in enumerate(zip(datasets, found, strict=True)):
        copy, table = stored[index]
        facts: VersionFields = {
            **reading_facts(reading),
            **file_facts(copy or upload),
            **table_facts(table),
        }
        new_versions.append(NewVersion(one.name, uuid7() if index else upload.id, facts))
    discard = [one for pair in stored for one in pair]
    return versions_commit(
        project, new_versions, user, discard=discard, make_current=make_current, staged=upload.id
    )


def _check(datasets: Sequence[SheetDataset]) -> None:
    for one in datasets:
        check_name(one.name)
    name, count = Counter(one.name for one in datasets).most_common(1)[0]
    if count > 1:
        message = (
            f"{count} sheets have the dataset name {name}. Use a different name for each,"
            " or read them into one table with the option sheets."
        )
        raise Invalid(message, detail={"datasets": message})


def _options(upload: StagedUpload, sheet: str, types: dict[str, str] | None) -> ReadOptionsBody:
    kept = {name: value for name, value in upload.options.items() if name != "sheets"}
    return {**kept, "sheet": sheet, **({} if types is None else {"types": types})}


def _stored(
    upload: StagedUpload, path: str, found: Sequence[runner.ReadFile]
) -> list[tuple[artifacts.Stored | None, artifacts.Stored | None]]:
    """Store a table for each sheet, and a copy of the file for each but the first one.

    The first version takes over the uploaded file itself.
    """
    stored: list[tuple[artifacts.Stored | None, artifacts.Stored | None]] = []
    kept: list[str] = []
    for index, reading in enumerate(found):
        table = table_save(upload.project, reading, also=kept)
        kept += [table.key] if table else []
        copy = None
        if index:
            try:
                with open(path, "rb") as file:
                    copy = artifacts.put(artifacts.object_key(upload.project_id, uuid7()), file)
            except BaseException:
                for key in kept:
                    artifacts.discard(key)
                raise
            kept.append(copy.key)
        stored.append((copy, table))
    return stored
