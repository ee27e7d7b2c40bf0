"""Types of the response bodies of uploads, and the body of a staged upload.

The serializer of the same name in `upload_responses.py` documents each; a test compares the two.
"""

import datetime as dt
from typing import NotRequired, TypedDict
from uuid import UUID

from mimir.lib.json_types import Json
from mimir.lib.reading.options import ReadOptionsBody
from projects.datasets.shapes import ColumnBody, WarningBody
from projects.models import StagedUpload


class SheetBody(TypedDict):
    """A sheet of a workbook."""

    name: str
    rows: int
    columns: int
    hidden: bool


class ListBody(TypedDict):
    """A list of objects in a JSON document."""

    path: str
    count: int
    chosen: bool


class ListColumnBody(TypedDict):
    """A column of a JSON file that has lists."""

    name: str


class ReadColumnBody(ColumnBody):
    """A column of a staged upload."""

    missing: NotRequired[int]
    distinct: NotRequired[int]
    min: NotRequired[float | str]
    max: NotRequired[float | str]


class UploadReadingBody(TypedDict):
    """Result of reading a staged upload."""

    format: str
    packing: str
    options: ReadOptionsBody
    columns: list[ReadColumnBody]
    row_count: int
    complete: bool
    warnings: list[WarningBody]
    rows: list[list[Json]]
    cells: list[list[Json]]
    lines: list[str]
    sheets: list[SheetBody]
    lists: list[ListBody]
    list_columns: list[ListColumnBody]


class StagedUploadBody(TypedDict):
    """A staged upload."""

    id: UUID
    file_name: str
    size_bytes: int
    sha256: str
    created_at: dt.datetime
    expires_at: dt.datetime
    options: ReadOptionsBody
    fault: str
    sheets: list[SheetBody]
    reading: UploadReadingBody | None


def staged_upload(row: StagedUpload) -> StagedUploadBody:
    """Return a staged upload with the result of its last reading."""
    return {
        "id": row.id,
        "file_name": row.file_name,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "options": row.options,
        "fault": row.fault,
        "sheets": (row.reading or {}).get("sheets", []),
        "reading": None if row.fault else row.reading,
    }
