"""Messages between the server and its parsing child: `request.json` and `answer.json`.

Pure types, used on both sides. Each request names its operation; `Answer` wraps the result.
"""

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict

from mimir.lib.reading.options import ReadOptionsBody
from mimir.lib.schemas.pipeline_types import StepGraph
from mimir.lib.table_shapes import Choices, ColumnInfo, ColumnType, SheetChoice, WarningInfo


class ReadRequest(TypedDict):
    """Read a file of unknown format.

    `write`: also store its table. `rows`: the number of first rows to return.
    """

    operation: Literal["read"]
    path: str
    options: ReadOptionsBody
    write: bool
    sample: bool
    rows: int


class ReadEachRequest(TypedDict):
    """Read a file once for each of `readings`, which are reading options."""

    operation: Literal["read_each"]
    path: str
    readings: list[ReadOptionsBody]


class TableRequest(TypedDict):
    """A request about a table file, see `runner.TableFile`."""

    path: str
    format: str
    schema: list[ColumnType]
    key: str


class RowsRequest(TableRequest):
    """Return the first `limit` rows."""

    operation: Literal["rows"]
    limit: int


class ConvertRequest(TableRequest):
    """Write the table in the format `to`."""

    operation: Literal["convert"]
    to: str


class JoinRequest(TableRequest):
    """Write the rows of the table, then those of the Parquet file `added`."""

    operation: Literal["join"]
    added: str


class ProfileRequest(TableRequest):
    """Describe each column within `profile_cpu_seconds`."""

    operation: Literal["profile"]
    profile_cpu_seconds: float


class ReadReference(TypedDict):
    """The version that a read step refers to, or `missing`, the reason why there is none."""

    dataset: str
    version: NotRequired[int]
    columns: NotRequired[list[ColumnType]]
    missing: NotRequired[str]
    other_version: NotRequired[bool]


class DefinitionRequest(TypedDict):
    """Check a pipeline definition, any JSON value; see `binding.bind`."""

    operation: Literal["definition"]
    definition: object
    reads: Mapping[str, ReadReference]
    writes: Mapping[str, int]


FileRequest = (
    ReadRequest | ReadEachRequest | RowsRequest | ConvertRequest | JoinRequest | ProfileRequest
)
Request = FileRequest | DefinitionRequest


class ReadResult(TypedDict):
    """Result of reading a file. `rows` and `cells` are present only if rows were requested."""

    format: str
    packing: str
    options: ReadOptionsBody
    schema: list[ColumnInfo]
    row_count: int
    warnings: list[WarningInfo]
    complete: bool
    lines: list[str]
    choices: Choices
    has_table: bool
    rows: NotRequired[list[list[Any]]]
    cells: NotRequired[list[list[Any]]]


class RowsAndCells(TypedDict):
    """The first rows of a file, typed and as text of the file."""

    rows: list[list[Any]]
    cells: list[list[Any]]


class ReadEachResult(TypedDict):
    """Results in the order of the request."""

    readings: list[ReadResult]


class RowsResult(TypedDict):
    """Rows as JSON values. `truncated`: the table has more rows."""

    rows: list[list[Any]]
    truncated: bool


class JoinResult(TypedDict):
    """Number of rows of the joined table."""

    row_count: int


class HistogramBody(TypedDict):
    """Histogram of a column. `edges`: numbers, or times as text; one more than `counts`."""

    edges: list[float | str]
    counts: list[int]


class CommonValueBody(TypedDict):
    """A frequent value of a column."""

    value: str
    count: int


class ColumnProfileBody(TypedDict):
    """Statistics of a column, as stored and as the API returns them. Unknown fields are null.

    `kind`: number, category, time, boolean or other. `min` and `max`: a number, or a time as text.
    """

    name: str
    type: str
    kind: str
    missing: int | None
    distinct: int | None
    min: float | str | None
    max: float | str | None
    mean: float | None
    std: float | None
    histogram: HistogramBody | None
    top: list[CommonValueBody] | None


class ProfileResult(TypedDict):
    """Description of each column, and a sentence about omitted ones."""

    columns: list[ColumnProfileBody]
    fault: str


class StepCheck(TypedDict):
    """Check of one step: `status` is checked, failed or not_checked."""

    id: str
    uses: str
    status: str
    message: str


class FaultInfo(TypedDict):
    """A fault, see `mimir.lib.schemas.field_errors.FieldError`."""

    path: str
    message: str
    detail: str


def empty_graph() -> StepGraph:
    """Return a graph without nodes."""
    return {"nodes": [], "edges": []}


class DefinitionResult(TypedDict):
    """Result of checking a definition."""

    faults: list[FaultInfo]
    data_faults: list[FaultInfo]
    steps: list[StepCheck]
    graph: StepGraph


class Answer(TypedDict, total=False):
    """Content of `answer.json`: the result `ok`, or a fault, or `out_of_memory`.

    `fault` is a sentence for users. `passing`: a retry can succeed. `detail` is the message of the
    engine, `sheets` are those of a workbook.
    """

    ok: Any
    fault: str
    passing: bool
    detail: str
    sheets: list[SheetChoice]
    out_of_memory: bool
