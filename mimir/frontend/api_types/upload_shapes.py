"""Staged uploads and how they are read."""

from typing import NotRequired, TypedDict

from mimir.frontend.api_types.dataset_shapes import ReadWarning
from mimir.lib.json_types import Json
from mimir.lib.reading.options import ReadOptionsBody


class Sheet(TypedDict):
    """Sheet of a workbook."""

    name: str
    rows: int
    columns: int
    hidden: bool


class ReadColumn(TypedDict):
    """Column as read from the file."""

    name: str
    type: str
    empty: NotRequired[bool]
    missing: NotRequired[int]
    distinct: NotRequired[int]
    min: NotRequired[float | str]
    max: NotRequired[float | str]


class RecordList(TypedDict):
    """List of records inside a JSON file."""

    path: str
    count: int
    chosen: bool


class ListColumn(TypedDict):
    """Column whose cells are lists."""

    name: str


class UploadReading(TypedDict):
    """Result of reading a staged file."""

    format: str
    packing: str
    options: ReadOptionsBody
    columns: list[ReadColumn]
    row_count: int
    complete: bool
    warnings: list[ReadWarning]
    rows: list[list[Json]]
    cells: list[list[Json]]
    lines: list[str]
    sheets: list[Sheet]
    lists: list[RecordList]
    list_columns: list[ListColumn]


class StagedUpload(TypedDict):
    """Uploaded file that is not imported yet."""

    id: str
    file_name: str
    size_bytes: int
    sha256: str
    created_at: str
    expires_at: str
    options: ReadOptionsBody
    fault: str
    sheets: list[Sheet]
    reading: UploadReading | None
