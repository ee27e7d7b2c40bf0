"""What is in a table file that nobody has looked at yet: format, columns, types, number of rows. Runs on a DuckDB connection of the caller's.

Used by the parser of uploads and by the worker's `read` of a URL, so that the same bytes are the same table in both.
"""

import codecs
import json
import os
import re
from dataclasses import dataclass
from typing import Any

from mimir.lib.tables import (
    COLUMN_NAME_MAX,
    COLUMNS_MAX,
    CSV_TYPES,
    HEAD_BYTES,
    Column,
    NotATable,
    csv_header,
    csv_text_sql,
    detect_format,
    identifier,
    is_type_sql,
    json_sniff_sql,
    quoted,
    scan_sql,
)

SAMPLE_ROWS = 10_000  # the type of a CSV column is guessed from these, then checked against all


class NoRoom(NotATable):
    """This machine's disk is full: nothing is said of the file."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """A readable table file."""

    format: str
    schema: list[Column]
    row_count: int


def inspect_file(connection: Any, path: str, expected: str | None = None) -> Inspected:
    """Format, schema and number of rows of the file at `path`, which `connection` may open.

    `expected` (csv, jsonl, parquet) is a format somebody named. Raises: NotATable.
    """
    head = read_head(path)
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4))
        tail = file.read()
    found = detect_format(head, tail)
    if expected is not None and expected != found:
        raise NotATable(f"The file is {found}, not {expected} as named.")
    if found != "parquet":
        _check_text(path)
    schema, row_count = _INSPECTORS[found](connection, path, head)
    check_columns(schema)
    return Inspected(found, schema, row_count)


def read_head(path: str) -> bytes:
    """What `detect_format` and `scan_sql` have to see of a file."""
    with open(path, "rb") as file:
        return file.read(HEAD_BYTES)


def run_sql(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query. Raises: NotATable with DuckDB's words in `detail`, NoMemory, NoRoom."""
    import duckdb

    try:
        rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    except duckdb.Error as error:
        if "No space left on device" in str(error):
            raise NoRoom("There is no room left on this machine's disk to read the file. Tell an administrator.") from error
        message, detail = _in_our_words(str(error)), _WITHOUT_PATH.sub("", str(error).strip())[:1000]
        if isinstance(error, duckdb.OutOfMemoryException):
            raise NoMemory(message, detail=detail) from error
        raise NotATable(message, detail=detail) from error
    return rows


_WITHOUT_PATH = re.compile(r""" in file (["'])[^"']*\1|(["'])/[^"']*\2""")  # the path is ours, not the user's


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
            raise NotATable(f"The name of column {position} is longer than {COLUMN_NAME_MAX} characters.")
        if "\x00" in column.name or len(column.type) > 10_000:
            raise NotATable(f"Column {position} cannot be accepted: its name holds U+0000, or its type is too deeply nested.")


def _check_text(path: str) -> None:
    """Refuse what is not UTF-8, naming the byte and the line."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, line = 0, 1
    with open(path, "rb") as file:
        while block := file.read(HEAD_BYTES):
            kept = len(decoder.getstate()[0])  # bytes of a character that began in the block before
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                line += block[: max(0, error.start - kept)].count(b"\n")
                raise NotATable(
                    f"The file is not UTF-8: byte {offset - kept + error.start} in line {line} is 0x{error.object[error.start]:02X}. "
                    "Save it as UTF-8 and upload that."
                ) from error
            if b"\x00" in block:
                line += block[: block.index(b"\x00")].count(b"\n")
                raise NotATable(f"Line {line} holds U+0000, which no text may hold. The file may be binary.")
            offset, line = offset + len(block), line + block.count(b"\n")
    if decoder.getstate()[0]:
        raise NotATable(f"The file ends in the middle of a character, in line {line}: it is cut off, or not UTF-8.")


def _inspect_csv(connection: Any, path: str, head: bytes) -> tuple[list[Column], int]:
    """Guess each column's type from the first rows, check it against all rows, and widen what did not hold."""
    delimiter, names = csv_header(head)
    table = csv_text_sql(path, delimiter, names)
    candidates = [[name for name, _ in CSV_TYPES] for _ in names]
    sample = f"(FROM {table} LIMIT {SAMPLE_ROWS})"
    row_count = _rule_out(connection, sample, names, candidates, first_only=False)
    while True:
        before = sum(map(len, candidates))
        row_count = _rule_out(connection, table, names, candidates, first_only=True)
        if sum(map(len, candidates)) == before:
            break
    types = [options[0] if options else "VARCHAR" for options in candidates]
    return [Column(name, type_name) for name, type_name in zip(names, types, strict=True)], row_count


def _rule_out(connection: Any, source: str, names: list[str], candidates: list[list[str]], *, first_only: bool) -> int:
    """Remove from `candidates` what some row of `source` contradicts, and all of a column without values; returns the row count.

    `first_only` asks only about each column's first candidate: all rows of a large file are costly to ask.
    """
    asked = [
        (column, option)
        for column, options in enumerate(candidates)
        for option in (options[:1] if first_only else options)
    ]
    tests = [f"bool_and({is_type_sql(names[column], option)})" for column, option in asked]
    filled = [f"count({identifier(name)})" for name in names]
    row = run_sql(connection, f"SELECT {', '.join(['count(*)', *filled, *tests])} FROM {source}")[0]
    for (column, option), holds in zip(asked, row[1 + len(names) :], strict=True):
        if not holds or (first_only and row[1 + column] == 0):
            candidates[column].remove(option)
    return int(row[0])


def _inspect_jsonl(connection: Any, path: str, _head: bytes) -> tuple[list[Column], int]:
    try:
        described = run_sql(connection, f"DESCRIBE SELECT * FROM {json_sniff_sql(path)}")
        keys = [row[0] for row in run_sql(connection, _json_keys_sql(path))]
        schema = [Column(row[0], row[1]) for row in described]
        folded: dict[str, str] = {}
        for key in keys:
            if folded.setdefault(key.casefold(), key) != key:
                raise NotATable(f"The keys {folded[key.casefold()]} and {key} differ only in upper and lower case. Rename one.")
        values = ", ".join(f"count({identifier(column.name)})" for column in schema[:COLUMNS_MAX])
        row = run_sql(connection, f"SELECT count(*), {values} FROM ({scan_sql(path, 'jsonl', schema)})")[0]
    except NotATable as error:
        raise NotATable(_first_bad_line(path) or error.message) from error
    return schema, int(row[0])


def _json_keys_sql(path: str) -> str:
    return f"SELECT DISTINCT unnest(json_keys(json)) FROM read_json_objects({quoted(path)}, format='newline_delimited')"


def _first_bad_line(path: str) -> str:
    """What is wrong with the first line that is no JSON object: DuckDB's own line numbers are one off."""
    with open(path, encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            try:
                value = json.loads(line, object_pairs_hook=_object) if line.strip() else {}
            except json.JSONDecodeError as error:
                return f"Line {number} is not a JSON object: {error.msg} at character {error.colno}."
            except (ValueError, RecursionError) as error:
                return f"Line {number} cannot be accepted: {str(error)[:200]}."
            if not isinstance(value, dict):
                return f"Line {number} is not a JSON object. JSON lines have one object a line."
    return ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _inspect_parquet(connection: Any, path: str, _head: bytes) -> tuple[list[Column], int]:
    table = f"read_parquet({quoted(path)})"
    schema = [Column(row[0], row[1]) for row in run_sql(connection, f"DESCRIBE SELECT * FROM {table}")]
    run_sql(connection, f"SELECT count(COLUMNS(*)) FROM (FROM {table} LIMIT 1)")  # pages too, not only the footer
    return schema, int(run_sql(connection, f"SELECT count(*) FROM {table}")[0][0])


_INSPECTORS = {"csv": _inspect_csv, "jsonl": _inspect_jsonl, "parquet": _inspect_parquet}
