"""DuckDB queries with readable error messages, and checks of the columns of a table."""

import re
from typing import Any

from mimir.lib.tables import COLUMN_NAME_MAX, COLUMNS_MAX, HEAD_BYTES, Column, NoMemory, NotATable


class DiskFull(NotATable):
    """The disk of this machine is full; the file is not at fault."""


def read_head(path: str) -> bytes:
    """Return the first bytes of a file, for `detect_format` and `scan_sql`."""
    with open(path, "rb") as file:
        return file.read(HEAD_BYTES)


def run_sql(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    """Return all rows of a query.

    Raises: NotATable with DuckDB's message in `detail`, NoMemory, DiskFull.
    """
    import duckdb

    try:
        rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    except (duckdb.Error, UnicodeDecodeError) as error:
        # DuckDB quotes the file in its messages, and can cut a character in half.
        complaint = (
            error.object.decode("utf-8", "replace")
            if isinstance(error, UnicodeDecodeError)
            else str(error)
        )
        if "No space left on device" in complaint:
            raise DiskFull(
                "The server's disk is full. Ask an administrator to free space, then retry."
            ) from error
        message, detail = (
            _readable_message(complaint),
            _WITHOUT_PATH.sub("", complaint.strip())[:1000],
        )
        if isinstance(error, duckdb.OutOfMemoryException):
            raise NoMemory(message, detail=detail) from error
        raise NotATable(message, detail=detail) from error
    return rows


_WITHOUT_PATH = re.compile(r""" in file (["'])[^"']*\1|(["'])/[^"']*\2""")  # the path is internal


def _readable_message(complaint: str) -> str:
    line = re.search(r"CSV Error on Line: (\d+)", complaint)
    where = f"Line {line[1]}" if line else "The file"
    ragged = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", complaint)
    if ragged:
        return f"{where} has {ragged[2]} cells, but line 1 names {ragged[1]} columns."
    if "unterminated quote" in complaint:
        return f"{where} opens a quote that is not closed before the next delimiter."
    if "invalid state" in complaint:
        return "The CSV file has mixed line ends, or a quote inside a cell. Save it again as plain CSV."
    if "Maximum line size" in complaint:
        return f"{where} is longer than 2 MB."
    if "Out of Memory" in complaint or "Out of Range" in complaint:
        return "Reading the file needs more memory than is allowed for uploads. Split it, or upload it as Parquet with smaller row groups."
    if "parquet" in complaint.lower() or "Footer length" in complaint:
        return "The Parquet file is damaged. Write it again."
    return "The file cannot be read as a table. Check it, or choose other reading options."


def check_columns(schema: list[Column]) -> None:
    """Raise NotATable for columns that a table cannot have."""
    if not schema:
        raise NotATable("The file has no columns.")
    if len(schema) > COLUMNS_MAX:
        raise NotATable(f"The file has {len(schema)} columns; at most {COLUMNS_MAX} are accepted.")
    for position, column in enumerate(schema, start=1):
        if len(column.name) > COLUMN_NAME_MAX:
            raise NotATable(
                f"The name of column {position} is longer than {COLUMN_NAME_MAX} characters."
            )
        if "\x00" in column.name or len(column.type) > 10_000:
            raise NotATable(
                f"Column {position} is not supported: its name contains a NUL character, or its type is too deeply nested."
            )
