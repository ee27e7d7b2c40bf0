"""Datasets, their versions, preview rows and profile."""

from typing import NotRequired, TypedDict

from mimir.lib.json_types import Json, JsonObject
from mimir.lib.reading.options import ReadOptionsBody


class Column(TypedDict):
    """Column of a table."""

    name: str
    type: str
    empty: NotRequired[bool]


class DatasetVersion(TypedDict):
    """Version of a dataset."""

    number: int
    format: str
    row_count: int
    size_bytes: int
    sha256: str
    schema: list[Column]
    created_at: str
    created_by: str | None
    job: str | None
    current: bool


class Dataset(TypedDict):
    """Dataset with its current version."""

    name: str
    created_at: str
    version: DatasetVersion


class DatasetVersions(TypedDict):
    """Dataset with a page of its versions."""

    name: str
    created_at: str
    current_version: int
    versions: list[DatasetVersion]
    next: str | None


class ColumnChange(TypedDict):
    """Difference of a column between two versions."""

    kind: str
    column: str
    before: str
    after: str
    message: str


class VersionUse(TypedDict):
    """Use of a version that prevents its deletion."""

    kind: str
    name: str
    version: int | None
    message: str


class ReadWarning(TypedDict):
    """Warning about how a file was read."""

    code: str
    params: JsonObject
    message: str


class DatasetVersionDetail(TypedDict):
    """Version with its reading options, its changes against an earlier version, and its uses."""

    number: int
    format: str
    row_count: int
    size_bytes: int
    sha256: str
    schema: list[Column]
    created_at: str
    created_by: str | None
    job: str | None
    current: bool
    name: str
    packing: str
    reading: ReadOptionsBody
    warnings: list[ReadWarning]
    compared_with: int | None
    column_changes: list[ColumnChange]
    uses: list[VersionUse] | None


class DatasetCreated(TypedDict):
    """Dataset version after an import."""

    name: str
    version: DatasetVersionDetail


class PreviewRows(TypedDict):
    """First rows of a version."""

    columns: list[Column]
    rows: list[list[Json]]
    truncated: bool


class Histogram(TypedDict):
    """Histogram of a column; edges are one more than counts."""

    edges: list[Json]
    counts: list[int]


class CommonValue(TypedDict):
    """Frequent value of a column."""

    value: str
    count: int


class ColumnProfile(TypedDict):
    """Statistics of a column."""

    name: str
    type: str
    kind: str
    missing: int | None
    distinct: int | None
    min: Json
    max: Json
    mean: float | None
    std: float | None
    histogram: Histogram | None
    top: list[CommonValue] | None


class DatasetProfile(TypedDict):
    """Statistics of a version, or the fault that prevented them."""

    row_count: int
    columns: list[ColumnProfile]
    fault: str
