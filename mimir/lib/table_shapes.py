"""Types of the JSON about a file that was read, as stored with a version and sent by the API."""

from typing import NotRequired, TypedDict

from mimir.lib.json_types import JsonObject


class ColumnType(TypedDict):
    """Name and type of a column, as stored in the schema of a version."""

    name: str
    type: str


class ColumnFacts(TypedDict):
    """Facts about the values of a column. Without `distinct`, `min`, `max`: unknown."""

    missing: int
    distinct: NotRequired[int]
    min: NotRequired[float | str]
    max: NotRequired[float | str]


class ColumnInfo(ColumnType):
    """A column of a file that was read, with facts if they are known."""

    empty: NotRequired[bool]
    missing: NotRequired[int]
    distinct: NotRequired[int]
    min: NotRequired[float | str]
    max: NotRequired[float | str]


class WarningInfo(TypedDict):
    """A change or observation from reading a file."""

    code: str
    params: JsonObject
    message: str


class SheetChoice(TypedDict):
    """A sheet of a workbook. Its size is there if all sheets were described."""

    name: str
    rows: NotRequired[int]
    columns: NotRequired[int]
    hidden: NotRequired[bool]


class ListChoice(TypedDict):
    """A list of objects in a JSON document. `json_path` is for the engine, `path` for users."""

    path: str
    json_path: str
    count: int
    chosen: bool


class ListColumnChoice(TypedDict):
    """A column whose cells are lists."""

    name: str


class Choices(TypedDict, total=False):
    """Alternatives in a file: other sheets, other lists, columns with lists."""

    sheets: list[SheetChoice]
    lists: list[ListChoice]
    list_columns: list[ListColumnChoice]
