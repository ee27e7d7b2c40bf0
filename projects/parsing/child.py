"""The process that opens a user's file: finds its format and schema, shows rows, converts. Run by `runner`, never imported.

`python -m projects.parsing.child <scratch folder>`: reads `request.json` there, writes `answer.json` there: {"ok": {…}} or
{"fault": "<sentence for the user>"}. A bug in a parser is contained: no network where the kernel lets us drop it, no file but the one
named (DuckDB's external access is off), 256 MB and one thread for DuckDB, limits of time, memory and file size, no secret in sight.
"""

import codecs
import ctypes
import json
import os
import re
import resource
import signal
import sys
from pathlib import Path
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

MEMORY_LIMIT = "256MB"
SAMPLE_ROWS = 10_000  # the type of a CSV column is guessed from these, then checked against all
CELL_CHARACTERS = 2_000  # of one cell in a preview
PREVIEW_CHARACTERS = 1_000_000  # of a whole preview, so that wide rows do not make a huge answer
ROW_GROUP_ROWS = 20_480  # of Parquet that we write: a group is held in memory until it is written
_PLAIN = ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE")
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000


def main(scratch: Path) -> None:
    """Do what `request.json` asks; the answer is written whole or not at all."""
    request = json.loads((scratch / "request.json").read_text())
    _confine(request["seconds"], request["file_bytes_max"])
    try:
        answer = {"ok": _OPERATIONS[request["operation"]](scratch, request)}
    except NotATable as error:
        answer = {"fault": error.message}
    part = scratch / "answer.part"
    part.write_text(json.dumps(answer))
    part.rename(scratch / "answer.json")


def _confine(seconds: int, file_bytes_max: int) -> None:
    """Limits that hold even when the starter is gone."""
    signal.alarm(seconds + 5)  # nobody waits for it any more: it ends itself
    resource.setrlimit(resource.RLIMIT_CPU, (seconds + 5, seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write past the limit then fails with EFBIG, which can be said
    if sys.platform == "linux":
        # A network of its own, without a device in it. Where the kernel refuses that, DuckDB's own locks have to do.
        ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NET)


def _connect(scratch: Path, *paths: str) -> Any:
    """DuckDB that may open `paths` and its own scratch folder, and nothing else."""
    import duckdb  # after `_confine`: a new user namespace needs a process with one thread

    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": MEMORY_LIMIT,
            "threads": 1,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    temporary = scratch / "duckdb"
    temporary.mkdir()
    for setting in (
        "TimeZone = 'UTC'",
        f"allowed_paths = [{', '.join(quoted(path) for path in paths)}]",
        f"temp_directory = {quoted(str(temporary))}",
        "max_temp_directory_size = '1GB'",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def _run(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    """All rows of a query. Raises: NotATable with DuckDB's complaint in our words."""
    import duckdb

    try:
        rows: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    except duckdb.Error as error:
        raise NotATable(_in_our_words(str(error))) from error
    return rows


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
    first = re.sub(r' in file "[^"]*"|"/[^"]*"', "", complaint.splitlines()[0])  # the path is ours, not the user's
    return f"The file cannot be read: {first[:500]}"


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(HEAD_BYTES)


def _inspect(scratch: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Format, schema and number of rows of a file nobody has looked at yet."""
    path = request["path"]
    head = _head(path)
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4))
        tail = file.read()
    format_name = detect_format(head, tail)
    if format_name != "parquet":
        _check_text(path)
    connection = _connect(scratch, path)
    schema, row_count = {"csv": _inspect_csv, "jsonl": _inspect_jsonl, "parquet": _inspect_parquet}[format_name](connection, path, head)
    _check_columns(schema)
    return {
        "format": format_name,
        "schema": [{"name": column.name, "type": column.type} for column in schema],
        "row_count": row_count,
    }


def _check_columns(schema: list[Column]) -> None:
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
    row = _run(connection, f"SELECT {', '.join(['count(*)', *filled, *tests])} FROM {source}")[0]
    for (column, option), holds in zip(asked, row[1 + len(names) :], strict=True):
        if not holds or (first_only and row[1 + column] == 0):
            candidates[column].remove(option)
    return int(row[0])


def _inspect_jsonl(connection: Any, path: str, _head: bytes) -> tuple[list[Column], int]:
    try:
        described = _run(connection, f"DESCRIBE SELECT * FROM {json_sniff_sql(path)}")
        keys = [row[0] for row in _run(connection, _json_keys_sql(path))]
        schema = [Column(row[0], row[1]) for row in described]
        folded: dict[str, str] = {}
        for key in keys:
            if folded.setdefault(key.casefold(), key) != key:
                raise NotATable(f"The keys {folded[key.casefold()]} and {key} differ only in upper and lower case. Rename one.")
        values = ", ".join(f"count({identifier(column.name)})" for column in schema[:COLUMNS_MAX])
        row = _run(connection, f"SELECT count(*), {values} FROM ({scan_sql(path, 'jsonl', schema)})")[0]
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
    schema = [Column(row[0], row[1]) for row in _run(connection, f"DESCRIBE SELECT * FROM {table}")]
    _run(connection, f"SELECT count(COLUMNS(*)) FROM (FROM {table} LIMIT 1)")  # pages too, not only the footer
    return schema, int(_run(connection, f"SELECT count(*) FROM {table}")[0][0])


def _schema(request: dict[str, Any]) -> list[Column]:
    return [Column(column["name"], column["type"]) for column in request["schema"]]


def _rows(scratch: Path, request: dict[str, Any]) -> dict[str, Any]:
    """The first rows, as JSON values; long cells are cut, and rows are left out when the answer grows too large."""
    path, schema, limit = request["path"], _schema(request), request["limit"]
    connection = _connect(scratch, path)
    source = scan_sql(path, request["format"], schema, _head(path) if request["format"] == "csv" else b"")
    cells = ", ".join(_shown(column) for column in schema)
    found = _run(connection, f"SELECT {cells} FROM ({source}) LIMIT {limit + 1}")
    rows: list[list[Any]] = []
    budget = PREVIEW_CHARACTERS
    for row in found[:limit]:
        values = [_value(value) for value in row]
        budget -= sum(len(str(value)) for value in values)
        if rows and budget < 0:
            break
        rows.append(values)
    return {"rows": rows, "truncated": len(rows) < len(found)}


def _shown(column: Column) -> str:
    """SQL for a cell as JSON can hold it: numbers and truth values as they are, everything else as bounded text."""
    name = identifier(column.name)
    if column.type in _PLAIN:
        return name
    nested = column.type.endswith("]") or column.type.startswith(("STRUCT", "MAP", "UNION"))
    text = f"to_json({name})" if nested else name
    return f"left(CAST({text} AS VARCHAR), {CELL_CHARACTERS + 1})"


def _value(value: Any) -> Any:
    if isinstance(value, float) and value - value != 0:  # JSON has no NaN and no infinity
        return str(value)
    if isinstance(value, str):
        text = value.replace("\x00", "\ufffd")
        return text if len(text) <= CELL_CHARACTERS else text[:CELL_CHARACTERS] + "…"
    return value


def _convert(scratch: Path, request: dict[str, Any]) -> dict[str, Any]:
    """The same table as CSV or Parquet, in `output` in the scratch folder."""
    path, output = request["path"], str(scratch / "output")
    connection = _connect(scratch, path, output)
    source = scan_sql(path, request["format"], _schema(request), _head(path) if request["format"] == "csv" else b"")
    options = "FORMAT csv, HEADER true" if request["to"] == "csv" else f"FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
    _run(connection, f"COPY ({source}) TO {quoted(output)} ({options})")
    return {}


_OPERATIONS = {"inspect": _inspect, "rows": _rows, "convert": _convert}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
