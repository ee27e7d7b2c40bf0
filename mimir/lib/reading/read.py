"""The stages of reading, from the bytes of a file to a typed table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mimir.lib.inspection import check_columns, run_sql
from mimir.lib.reading import container
from mimir.lib.reading.cells import WIDE_COLUMNS, Cells, copy_sql, parquet_rows
from mimir.lib.reading.delimited import cut_sample, read_delimited
from mimir.lib.reading.details import add_column_warnings
from mimir.lib.reading.jsontext import is_lines, read_json
from mimir.lib.reading.messages import Notice, limited
from mimir.lib.reading.options import ReadOptions, ReadOptionsBody
from mimir.lib.reading.plan import Planned, plan_columns, tagged_text
from mimir.lib.reading.sheets import SHEET_COLUMN
from mimir.lib.reading.text import as_utf8
from mimir.lib.reading.workbook import read_workbook
from mimir.lib.table_shapes import Choices, ColumnInfo, WarningInfo
from mimir.lib.tables import Column, NoMemory, NotATable, identifier, quoted

SAMPLE_BYTES = 4 * 1024**2
FEW_COLUMNS = 60  # columns written at a time, if their conversion takes much memory
_TEXT_OPTIONS = ("encoding", "delimiter", "quote", "decimal_mark", "thousands_mark")
_ROW_OPTIONS = ("header_row", "skip_rows")
_JSON_OPTIONS = ("nested", "lists", "list_column", "records_path")
_COLUMN_OPTIONS = ("date_formats", "missing_values", "types", "bad_cells")
_APPLY = {
    "csv": (*_TEXT_OPTIONS, *_ROW_OPTIONS, *_COLUMN_OPTIONS),
    "jsonl": ("encoding", *_JSON_OPTIONS, *_COLUMN_OPTIONS),
    "json": ("encoding", *_JSON_OPTIONS, "header_row", *_COLUMN_OPTIONS),
    "excel": ("sheet", "sheets", "range", *_ROW_OPTIONS, *_COLUMN_OPTIONS),
    "parquet": (),
    "arrow": (),
}
Connect = Callable[[list[str], str], Any]


@dataclass(slots=True)
class Reading:
    """A file that was read.

    `format`: of the file. `table`: the Parquet file with its rows: the file itself, or one in the
    work folder; None if nothing was written. `rows_sql` selects the typed rows, `cells_sql` the
    same rows as text. `complete`: false if only the start was read.
    """

    format: str
    packing: str
    options: ReadOptionsBody
    schema: list[ColumnInfo]
    row_count: int
    warnings: list[WarningInfo]
    connection: Any
    rows_sql: str
    cells_sql: str = ""
    table: Path | None = None
    complete: bool = True
    lines: list[str] = field(default_factory=list)
    choices: Choices = field(default_factory=Choices)
    relation: str = ""  # FROM clause over the cells, and SQL for the value of each column
    values: dict[str, str] = field(default_factory=dict)

    def rows_of(self, names: Sequence[str]) -> str:
        """Return SQL for the typed rows of some columns.

        The time of a statement over a wide table grows with its columns. Returns `rows_sql` if the
        table is written, or if the file was not read as text cells.
        """
        if self.table is not None or not self.values:
            return self.rows_sql
        return (
            f"SELECT {', '.join(f'{self.values[name]} AS {identifier(name)}' for name in names)} "
            f"FROM {self.relation}"
        )


def read_table(
    connect: Connect,
    path: Path,
    work: Path,
    options: ReadOptions,
    *,
    write: bool = True,
    sample: bool = False,
    part: bool = False,
) -> Reading:
    """Read the file at `path`; write intermediate files and the table into `work`.

    `connect(files, folder)` opens a DuckDB that can reach only these files and this folder. Without
    `write`, no table is written. `sample`: read only the start of a text file. `part`: the file is
    read in parts, each a sheet; types can name columns of other parts. Raises: NotATable.
    """
    found = container.recognise(path, work)
    kind = options.format or found.format
    warnings = list(found.warnings)
    connection = connect([str(found.path)], str(work))
    if kind in ("parquet", "arrow") or found.format in ("parquet", "arrow", "excel"):
        _check_format(kind, found.format)
    if kind in ("parquet", "arrow"):
        return _columnar(connection, found, kind, work, options, warnings)
    cells, kind, complete = _cells(connection, found, kind, work, options, sample, part)
    _check_options(kind, options)
    cells.warnings[:0] = warnings
    if part:
        options = replace(
            options,
            types={name: kind for name, kind in options.types.items() if name in cells.names},
        )
    try:
        planned = _planned(connection, cells, options)
    except NotATable as error:
        error.choices = cells.choices
        raise
    return _finished(
        connection,
        cells,
        planned,
        Reading(kind, found.packing, {}, [], 0, [], connection, ""),
        work,
        options,
        write,
        complete,
    )


def _planned(connection: Any, cells: Cells, options: ReadOptions) -> list[Planned]:
    """Return the columns with their types; add their warnings to `cells`."""
    if options.sheets:  # a name such as 2025-01-31 stays a name
        options = replace(options, types={SHEET_COLUMN: "VARCHAR", **options.types})
    planned = plan_columns(connection, cells, options)
    if not planned:
        raise NotATable("All columns are skipped. Keep at least one.")
    add_column_warnings(connection, cells, planned, options)
    return planned


def _check_format(wanted: str, found: str) -> None:
    if wanted != found:
        raise NotATable(f"The file is {found}, not {wanted} as named.")


def _check_options(kind: str, options: ReadOptions) -> None:
    unfit = [name for name in options.given() if name != "format" and name not in _APPLY[kind]]
    if unfit:
        raise NotATable(f"The file is {kind}: the option {unfit[0]} does not apply to it.")


def _cells(
    connection: Any,
    found: container.Recognised,
    kind: str,
    work: Path,
    options: ReadOptions,
    sample: bool,
    part: bool,
) -> tuple[Cells, str, bool]:
    if kind == "excel":
        _check_options(kind, options)
        return read_workbook(connection, found.path, work, options, describe=not part), kind, True
    path, cut = (
        cut_sample(found.path, work, SAMPLE_BYTES)
        if sample and kind in ("csv", "jsonl")
        else (found.path, False)
    )
    text = as_utf8(path, work, encoding=options.encoding)
    if kind == "csv":
        return read_delimited(connection, text, work, options), "csv", not cut
    if found.format == "csv":
        raise NotATable("The file is csv, not JSON as named.")
    if kind == "jsonl" or (not options.format and is_lines(text.path)):
        kind = "jsonl"
    return read_json(connection, text, work, options), kind, not cut


def _columnar(
    connection: Any,
    found: container.Recognised,
    kind: str,
    work: Path,
    options: ReadOptions,
    warnings: list[Notice],
) -> Reading:
    """Return the reading of a Parquet file, or of an Arrow file, which is converted to Parquet."""
    _check_options(kind, options)
    table = found.path
    if kind == "arrow":
        from mimir.lib.reading.arrow import write_parquet

        table = work / "table.parquet"
        write_parquet(found.path, table, warnings)
    source = f"SELECT * FROM read_parquet({quoted(str(table))})"
    described = run_sql(connection, f"DESCRIBE {source}")
    schema: list[ColumnInfo] = [{"name": row[0], "type": row[1]} for row in described]
    check_columns([Column(row[0], row[1]) for row in described])
    if kind == "parquet" and any(column["type"] == "BIGINT" for column in schema):
        from mimir.lib.reading.arrow import duration_notices

        warnings += duration_notices(table)
    first = f"(FROM read_parquet({quoted(str(table))}) LIMIT 1)"
    for start in range(0, len(schema), 100):  # reads data of each column, not only the footer
        counts = ", ".join(
            f"count({identifier(column['name'])})" for column in schema[start : start + 100]
        )
        run_sql(connection, f"SELECT {counts} FROM {first}")
    count = parquet_rows(connection, table)
    return Reading(
        kind, found.packing, {}, schema, count, limited(warnings), connection, source, table=table
    )


def _write(connection: Any, cells: Cells, planned: list[Planned], source: str, work: Path) -> Path:
    """Write the table, in groups of columns if it takes too much memory."""
    table = work / "table.parquet"
    try:
        run_sql(connection, copy_sql(source, table, len(planned)))
        return table
    except NoMemory:
        if len(planned) <= FEW_COLUMNS:
            raise
    try:
        parts = _write_parts(connection, cells, planned, work, WIDE_COLUMNS)
    except NoMemory:
        parts = _write_parts(connection, cells, planned, work, FEW_COLUMNS)
    sources = (f"read_parquet({quoted(str(part))})" for part in parts)
    run_sql(
        connection,
        copy_sql(f"SELECT * FROM {' POSITIONAL JOIN '.join(sources)}", table, len(planned)),
    )
    return table


def _write_parts(
    connection: Any, cells: Cells, planned: list[Planned], work: Path, columns: int
) -> list[Path]:
    """Write the table in groups of columns, each into a file."""
    parts = []
    for start in range(0, len(planned), columns):
        part = work / f"table-{start}.parquet"
        values = ", ".join(
            f"{plan.value} AS {identifier(plan.name)}" for plan in planned[start : start + columns]
        )
        run_sql(connection, copy_sql(f"SELECT {values} FROM {cells.relation}", part, len(planned)))
        parts.append(part)
    return parts


def _finished(
    connection: Any,
    cells: Cells,
    planned: list[Planned],
    reading: Reading,
    work: Path,
    options: ReadOptions,
    write: bool,
    complete: bool,
) -> Reading:
    selected = ", ".join(f"{plan.value} AS {identifier(plan.name)}" for plan in planned)
    source = f"SELECT {selected} FROM {cells.relation}"
    reading.rows_sql, reading.relation, reading.values = (
        source,
        cells.relation,
        {plan.name: plan.value for plan in planned},
    )
    if write:
        reading.table = _write(connection, cells, planned, source, work)
        reading.rows_sql = f"SELECT * FROM read_parquet({quoted(str(reading.table))})"
    described = run_sql(connection, f"DESCRIBE {reading.rows_sql}")
    empty = {plan.name for plan in planned if plan.empty}
    reading.schema = [
        {"name": name, "type": kind, "empty": True}
        if name in empty
        else {"name": name, "type": kind}
        for name, kind, *_ in described
    ]
    check_columns([Column(row[0], row[1]) for row in described])
    text = tagged_text if cells.tagged else str
    names = ", ".join(
        f"{text(f'c{index}')} AS {identifier(name)}" for index, name in enumerate(cells.names)
    )
    reading.cells_sql = f"SELECT {names} FROM {cells.relation}"
    reading.options = {**cells.options, **options.given(), "format": reading.format}
    reading.row_count, reading.warnings, reading.complete = (
        cells.row_count,
        limited(cells.warnings),
        complete,
    )
    reading.lines, reading.choices = cells.lines, cells.choices
    return reading
