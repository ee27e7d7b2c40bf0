"""Types of the response bodies of uploads, and the body of a staged upload.

The serializer of the same name in `upload_shapes.py` documents each; a test compares the two.
"""

import datetime as dt
from typing import Any, NotRequired, TypedDict
from uuid import UUID

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
    options: dict[str, Any]
    columns: list[ReadColumnBody]
    row_count: int
    complete: bool
    warnings: list[WarningBody]
    rows: list[list[Any]]
    cells: list[list[Any]]
    lines: list[str]
    sheets: list[SheetBody]
    lists: list[ListBody]
    list_columns: list[ListColumnBody]


class ReadOptionsBody(TypedDict, total=False):
    """Reading options. Missing ones are detected."""

    format: str
    encoding: str
    delimiter: str
    quote: str
    header_row: int | str
    skip_rows: int
    decimal_mark: str
    thousands_mark: str
    bad_cells: str
    sheet: str
    range: str
    records_path: str
    nested: str
    lists: str
    list_column: str
    date_formats: list[str]
    missing_values: list[str]
    types: dict[str, str]
    sheets: list[str]


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
