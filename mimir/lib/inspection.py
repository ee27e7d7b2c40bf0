"""DuckDB as the reader asks it: queries whose complaints are put into our words, and checks of what a table may be."""

import re
from typing import Any

from mimir.lib.tables import COLUMN_NAME_MAX, COLUMNS_MAX, HEAD_BYTES, Column, NoMemory, NotATable


class DiskFull(NotATable):
    """This machine's disk is full: nothing is said of the file."""


def read_head(path: str) -> bytes:
    """What `detect_format` and `scan_sql` have to see of a file."""
    with open(path, "rb") as file:
        return file.read(HEAD_BYTES)


def run_sql(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query. Raises: NotATable with DuckDB's words in `detail`, NoMemory, DiskFull."""
    import duckdb

    try:
        rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    except (duckdb.Error, UnicodeDecodeError) as error:
        # DuckDB quotes the file in its complaints and may cut the quote inside a character.
        complaint = (
            error.object.decode("utf-8", "replace")
            if isinstance(error, UnicodeDecodeError)
            else str(error)
        )
        if "No space left on device" in complaint:
            raise DiskFull(
                "There is no room left on this machine's disk to read the file. Tell an administrator."
            ) from error
        message, detail = _in_our_words(complaint), _WITHOUT_PATH.sub("", complaint.strip())[:1000]
        if isinstance(error, duckdb.OutOfMemoryException):
            raise NoMemory(message, detail=detail) from error
        raise NotATable(message, detail=detail) from error
    return rows


_WITHOUT_PATH = re.compile(
    r""" in file (["'])[^"']*\1|(["'])/[^"']*\2"""
)  # the path is ours, not the user's


def _in_our_words(complaint: str) -> str:
    line = re.search(r"CSV Error on Line: (\d+)", complaint)
    where = f"Line {line[1]}" if line else "The file"
    ragged = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", complaint)
    if ragged:
        return f"{where} has {ragged[2]} cells, but line 1 names {ragged[1]} columns."
    if "unterminated quote" in complaint:
        return f"{where} opens a quote that is not closed before the next delimiter."
    if "invalid state" in complaint:
        return "The lines of the CSV file do not all end the same way, or a quote stands inside a cell. Save it again as plain CSV."
    if "Maximum line size" in complaint:
        return f"{where} is longer than 2 MB."
    if "Out of Memory" in complaint or "Out of Range" in complaint:
        return "The file needs more memory to read than uploads may use. Split it, or upload it as Parquet with smaller row groups."
    if "parquet" in complaint.lower() or "Footer length" in complaint:
        return "The Parquet file is damaged: it begins and ends as one, and cannot be read in between. Write it again."
    return "The file cannot be read as a table. Check it, or choose other reading options."


def check_columns(schema: list[Column]) -> None:
    """Raises: NotATable for columns that a table cannot have."""
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
                f"Column {position} cannot be accepted: its name holds U+0000, or its type is too deeply nested."
            )
