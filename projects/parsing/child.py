"""The process that opens user input: table files, and the SQL of definitions.

`child_process.py` runs it as `python -m projects.parsing.child <scratch folder>`; no module imports
it. It reads `request.json` in that folder and writes `answer.json` (see `messages.py`). A bug in a
parser is contained: no network if the kernel allows dropping it, no file but the named one
(DuckDB's external access is off), 256 MB and one thread for DuckDB, limits of time, memory and file
size (`sandbox.py`), no secret in the environment.
"""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mimir.lib.inspection import DiskFull, read_head, run_sql
from mimir.lib.reading.options import options_of
from mimir.lib.reading.read import Reading, read_table
from mimir.lib.tables import Column, NotATable, identifier, quoted, scan_sql
from projects.parsing.column_facts import add_facts
from projects.parsing.column_profile import Budget, described
from projects.parsing.messages import (
    Answer,
    ConvertRequest,
    DefinitionRequest,
    DefinitionResult,
    JoinRequest,
    JoinResult,
    ProfileRequest,
    ProfileResult,
    ReadEachRequest,
    ReadEachResult,
    ReadRequest,
    ReadResult,
    RowsAndCells,
    RowsRequest,
    RowsResult,
)
from projects.parsing.sandbox import confine

MEMORY_LIMIT = "256MB"
READ_MEMORY_LIMIT = "512MB"  # enough to read and write a table of 2000 columns
CELL_CHARACTERS = 2_000  # of one cell in a preview
PREVIEW_CHARACTERS = 1_000_000  # of a whole preview; wide rows would make a huge answer
ROW_GROUP_ROWS = 20_480  # of written Parquet: a group is held in memory until it is complete
_PLAIN = (
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
)


def main(scratch: Path) -> None:
    """Run the operation of `request.json`. The answer is written completely or not at all."""
    request = json.loads((scratch / "request.json").read_text())
    confine(request["limits"])
    try:
        answer: Answer = {"ok": _OPERATIONS[request["operation"]](scratch, request)}
    except NotATable as error:
        answer = {
            "fault": error.message,
            "passing": isinstance(error, DiskFull),
            "detail": error.detail,
            "sheets": error.choices.get("sheets", []),
        }
    except MemoryError:
        answer = {"out_of_memory": True}
    part = scratch / "answer.part"
    part.write_text(json.dumps(answer))
    part.rename(scratch / "answer.json")


def _connect(
    scratch: Path,
    *paths: str,
    database: str = ":memory:",
    folder: str = "",
    memory: str = MEMORY_LIMIT,
) -> Any:
    """Open DuckDB with access to `paths`, to `folder` and to its scratch folder, nothing else."""
    import duckdb  # after `confine`: only a process with one thread can unshare its user namespace

    connection = duckdb.connect(
        database,
        config={
            "memory_limit": memory,
            "threads": 1,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    temporary = scratch / "duckdb"
    temporary.mkdir(exist_ok=True)
    for setting in (
        "TimeZone = 'UTC'",
        "disabled_optimizers = 'common_subexpressions'",  # takes quadratic time
        "parquet_metadata_cache = true",  # a profile runs one or two queries for each column
        f"allowed_paths = [{', '.join(quoted(path) for path in paths)}]",
        f"allowed_directories = [{quoted(folder) if folder else ''}]",
        f"temp_directory = {quoted(str(temporary))}",
        "max_temp_directory_size = '1GB'",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def _read(scratch: Path, request: ReadRequest) -> ReadResult:
    """Read a file of unknown format. With `write`, also store its table in `work/table.parquet`.

    A file that is already a Parquet table is not written again.
    """
    work = scratch / "work"
    work.mkdir()

    def connect(files: list[str], folder: str) -> Any:
        return _connect(scratch, *files, folder=folder, memory=READ_MEMORY_LIMIT)

    path, options = Path(request["path"]), options_of(request["options"])
    found = read_table(
        connect, path, work, options, write=request["write"], sample=request["sample"]
    )
    beginning: RowsAndCells = {"rows": [], "cells": []}
    if request["rows"]:
        beginning = _beginning(found, request["rows"])
        add_facts(found)
    if found.table == work / "unpacked":  # renamed last: rows are read from it
        found.table = found.table.rename(work / "table.parquet")
    return {**_read_result(found, path), **beginning}


def _read_each(scratch: Path, request: ReadEachRequest) -> ReadEachResult:
    """Read one file with several options.

    The tables are `table-0.parquet`, `table-1.parquet`… in the scratch folder.
    """
    work, path, readings = scratch / "work", Path(request["path"]), []

    def connect(files: list[str], folder: str) -> Any:
        return _connect(scratch, *files, folder=folder, memory=READ_MEMORY_LIMIT)

    for index, raw in enumerate(request["readings"]):
        work.mkdir()
        options = options_of(raw)
        try:
            found = read_table(connect, path, work, options, part=True)
        except DiskFull:
            raise
        except NotATable as error:
            if options.sheet not in error.message:
                error.message = f"Sheet {options.sheet}: {error.message}"
            raise
        readings.append(_read_result(found, path))
        found.connection.close()
        if readings[-1]["has_table"] and found.table:
            found.table.rename(scratch / f"table-{index}.parquet")
        shutil.rmtree(work)
    return {"readings": readings}


def _read_result(found: Reading, path: Path) -> ReadResult:
    return {
        "format": found.format,
        "packing": found.packing,
        "options": found.options,
        "schema": found.schema,
        "row_count": found.row_count,
        "warnings": found.warnings,
        "complete": found.complete,
        "lines": found.lines,
        "choices": found.choices,
        "has_table": found.table is not None and found.table != path,
    }


def _beginning(found: Reading, limit: int) -> RowsAndCells:
    """Return the first rows, typed and as text of the file."""
    columns = [Column(column["name"], column["type"]) for column in found.schema]
    shown = ", ".join(_shown(column) for column in columns)
    rows = run_sql(found.connection, f"SELECT {shown} FROM ({found.rows_sql}) LIMIT {limit}")
    cells: list[tuple[Any, ...]] = []
    if found.cells_sql:
        cut = f"left(CAST(COLUMNS(*) AS VARCHAR), {CELL_CHARACTERS + 1})"
        cells = run_sql(found.connection, f"SELECT {cut} FROM ({found.cells_sql}) LIMIT {limit}")
    return {"rows": _bounded(rows), "cells": _bounded(cells)}


def _bounded(found: list[tuple[Any, ...]]) -> list[list[Any]]:
    """Convert rows to JSON values, at most PREVIEW_CHARACTERS in all."""
    rows: list[list[Any]] = []
    budget = PREVIEW_CHARACTERS
    for row in found:
        values = [_value(value) for value in row]
        budget -= sum(len(str(value)) for value in values)
        if rows and budget < 0:
            break
        rows.append(values)
    return rows


def _schema(request: RowsRequest | ConvertRequest | JoinRequest | ProfileRequest) -> list[Column]:
    return [Column(column["name"], column["type"]) for column in request["schema"]]


def _rows(scratch: Path, request: RowsRequest) -> RowsResult:
    """Return the first rows as JSON values. Long cells are cut; a large answer has fewer rows."""
    path, schema, limit = request["path"], _schema(request), request["limit"]
    connection = _connect(scratch, path)
    source = scan_sql(
        path, request["format"], schema, read_head(path) if request["format"] == "csv" else b""
    )
    cells = ", ".join(_shown(column) for column in schema)
    found = run_sql(connection, f"SELECT {cells} FROM ({source}) LIMIT {limit + 1}")
    rows = _bounded(found[:limit])
    return {"rows": rows, "truncated": len(rows) < len(found)}


def _shown(column: Column) -> str:
    """Return SQL for a cell as JSON: numbers and booleans as they are, other values as cut text."""
    name = identifier(column.name)
    if column.type in _PLAIN:
        return name
    nested = column.type.endswith("]") or column.type.startswith(("STRUCT", "MAP", "UNION"))
    text = f"to_json({name})" if nested else name
    return f"left(CAST({text} AS VARCHAR), {CELL_CHARACTERS + 1})"


def _value(value: object) -> Any:
    if isinstance(value, float) and value - value != 0:  # JSON has no NaN and no infinity
        return str(value)
    if isinstance(value, str):
        text = value.replace("\x00", "\ufffd")
        return text if len(text) <= CELL_CHARACTERS else text[:CELL_CHARACTERS] + "…"
    return value


def _convert(scratch: Path, request: ConvertRequest) -> dict[str, str]:
    """Write the table as CSV or Parquet to `output` in the scratch folder."""
    path, output = request["path"], str(scratch / "output")
    connection = _connect(scratch, path, output)
    source = scan_sql(
        path,
        request["format"],
        _schema(request),
        read_head(path) if request["format"] == "csv" else b"",
    )
    options = (
        "FORMAT csv, HEADER true"
        if request["to"] == "csv"
        else f"FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
    )
    run_sql(connection, f"COPY ({source}) TO {quoted(output)} ({options})")
    return {}


def _join(scratch: Path, request: JoinRequest) -> JoinResult:
    """Write the rows of a table, then those of `added`, as Parquet to `output`.

    `added` is a Parquet file with the same columns in any order.
    """
    path, added, output = request["path"], request["added"], str(scratch / "output")
    connection = _connect(scratch, path, added, output)
    schema = _schema(request)
    first = scan_sql(
        path, request["format"], schema, read_head(path) if request["format"] == "csv" else b""
    )
    names = ", ".join(identifier(column.name) for column in schema)
    both = (
        f"SELECT {names} FROM ({first}) UNION ALL SELECT {names} FROM read_parquet({quoted(added)})"
    )
    written = run_sql(
        connection,
        f"COPY ({both}) TO {quoted(output)} (FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP_ROWS})",
    )
    return {"row_count": int(written[0][0])}


def _profile(scratch: Path, request: ProfileRequest) -> ProfileResult:
    """Describe each column.

    Text formats are parsed once, into a table on disk. A query for one column then reads only that
    one.
    """
    path, schema, budget = request["path"], _schema(request), Budget(request["profile_cpu_seconds"])
    connection = _connect(scratch, path, database=str(scratch / "table.duckdb"))
    source = f"read_parquet({quoted(path)})"
    with budget.watching(connection):
        if request["format"] != "parquet":
            scan = scan_sql(
                path,
                request["format"],
                schema,
                read_head(path) if request["format"] == "csv" else b"",
            )
            source = "parsed"
            _parse(connection, f"CREATE TABLE {source} AS {scan}", budget)
        columns, fault = described(connection, source, schema, budget)
    return {"columns": columns, "fault": fault}


def _parse(connection: Any, sql: str, budget: Budget) -> None:
    try:
        run_sql(connection, sql)
    except NotATable as error:
        if not budget.spent:
            raise
        spent = f"reading it took {budget.seconds:.0f} seconds of CPU time"
        raise NotATable(
            f"The table is too large to describe: {spent}. Upload a version with fewer rows."
        ) from error


def _definition(scratch: Path, request: DefinitionRequest) -> DefinitionResult:
    """Check a pipeline definition and return its graph."""
    from projects.parsing.definition_child import checked

    return checked(scratch, request)


_OPERATIONS: dict[str, Callable[[Path, Any], Any]] = {
    "read": _read,
    "read_each": _read_each,
    "rows": _rows,
    "convert": _convert,
    "join": _join,
    "profile": _profile,
    "definition": _definition,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
