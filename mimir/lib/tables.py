"""How a table file is read, the same wherever it is read: which format its bytes are, and the SQL that scans it.

Pure: builds text and judges bytes, opens nothing. The upload parser and the worker both run what this returns on DuckDB, so that a
dataset has in every place the columns, types and values that were shown when it was uploaded.

CSV is never sniffed by DuckDB (its sniffer skips lines, and drops those that begin with `#`): the first line names the columns, the
delimiter is the candidate that the first line holds most of, every column is read as text and cast to the type of the schema.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HEAD_BYTES = 1024 * 1024  # what `detect_format` and `csv_header` need to see of a file
COLUMNS_MAX = 2000
COLUMN_NAME_MAX = 200

_DELIMITERS = ",;\t|"
_PACKED = (
    (b"\x1f\x8b", "gzip-compressed"),
    (b"PK\x03\x04", "a zip archive (as .xlsx files are)"),
    (b"PK\x05\x06", "a zip archive (as .xlsx files are)"),
    (b"BZh", "bzip2-compressed"),
    (b"\xfd7zXZ\x00", "xz-compressed"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
)
_WIDE = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


class NotATable(Exception):
    """The bytes cannot be read as a table. `message` says what they are and what to do; `detail` holds the engine's own words, if any."""

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message, self.detail = message, detail


class NoMemory(NotATable):
    """The engine has no memory left for the table."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, and its type as DuckDB names it."""

    name: str
    type: str


def detect_format(head: bytes, tail: bytes) -> str:
    """`csv`, `jsonl` or `parquet`, from a file's first `HEAD_BYTES` and its last 4 bytes. Raises: NotATable."""
    if not head:
        raise NotATable("The file is empty.")
    if head.startswith(b"PAR1"):
        if tail != b"PAR1":
            raise NotATable("The file begins as Parquet but does not end so: it is cut off. Upload it again.")
        return "parquet"
    for magic, what in _PACKED:
        if head.startswith(magic):
            raise NotATable(f"The file is {what}. Unpack it and upload the CSV, JSON lines or Parquet file inside.")
    for magic, what in _WIDE:
        if head.startswith(magic):
            raise NotATable(f"The file is {what} text. Save it as UTF-8 and upload that.")
    if b"\x00" in head:
        raise NotATable("The file is binary and not Parquet. Upload CSV, JSON lines or Parquet.")
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if not text:
        raise NotATable("The file holds nothing but white space.")
    if text.startswith(b"["):
        raise NotATable("The file is one JSON array. Write JSON lines instead: one object a line, without the array around them.")
    return "jsonl" if text.startswith(b"{") else "csv"


def csv_header(head: bytes) -> tuple[str, list[str]]:
    """The delimiter and the column names of a CSV file that begins with `head`, which is valid UTF-8 up to where it is cut.

    An empty name becomes `column<position>`, a repeated one (DuckDB ignores case) gets `_2`, `_3`… Raises: NotATable.
    """
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    line = _first_record(text)
    if not line.strip():
        raise NotATable("Line 1 is empty. The first line has to name the columns.")
    bare = re.sub(r'"(?:[^"]|"")*"', "", line)
    delimiter = max(_DELIMITERS, key=bare.count)
    try:
        cells = next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise NotATable(f"Line 1, which has to name the columns, cannot be read: {error}.") from error
    if len(cells) > COLUMNS_MAX:
        raise NotATable(f"The file has {len(cells)} columns; at most {COLUMNS_MAX} are accepted.")
    return delimiter, _distinct(" ".join(cell.split()) for cell in cells)


def _first_record(text: str) -> str:
    """Up to the first line end outside quotes."""
    quoted = False
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character in "\r\n" and not quoted:
            return text[:index]
    if len(text) >= HEAD_BYTES // 4 or quoted:
        raise NotATable("Line 1 has no end, or a quote in it is never closed. The first line has to name the columns.")
    return text


def _distinct(cells: Iterable[str]) -> list[str]:
    names: list[str] = []
    seen: set[str] = set()
    for position, cell in enumerate(cells):
        if len(cell) > COLUMN_NAME_MAX:
            raise NotATable(f"The name of column {position + 1} is longer than {COLUMN_NAME_MAX} characters.")
        base = name = cell or f"column{position + 1}"
        repeat = 1
        while name.casefold() in seen:
            repeat += 1
            name = f"{base}_{repeat}"
        seen.add(name.casefold())
        names.append(name)
    return names


def quoted(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def csv_text_sql(path: str, delimiter: str, names: Sequence[str]) -> str:
    """A table function over a CSV file, every column as text; NULL is the empty cell."""
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({quoted(path)}, auto_detect=false, header=true, skip=0, delim={quoted(delimiter)}, quote='\"', escape='\"', "
        f"comment='', nullstr='', null_padding=false, strict_mode=true, ignore_errors=false, columns={{{columns}}})"
    )


def json_sniff_sql(path: str) -> str:
    """A table function over a JSON lines file that finds the columns from all of it."""
    return f"read_json({quoted(path)}, format='newline_delimited', records=true, sample_size=-1, ignore_errors=false)"


def scan_sql(path: str, format: str, schema: Sequence[Column], head: bytes = b"") -> str:  # noqa: A002 - the API's word
    """One SELECT that reads a file whose schema is known; `head` (its first `HEAD_BYTES`) is needed for CSV only."""
    if format == "parquet":
        return f"SELECT * FROM read_parquet({quoted(path)})"
    if format == "jsonl":
        columns = ", ".join(f"{quoted(column.name)}: {quoted(column.type)}" for column in schema)
        return f"SELECT * FROM read_json({quoted(path)}, format='newline_delimited', records=true, columns={{{columns}}})"
    delimiter, names = csv_header(head)
    cells = ", ".join(_cast(name, column.type) for name, column in zip(names, schema, strict=True))
    return f"SELECT {cells} FROM {csv_text_sql(path, delimiter, names)}"


def _cast(name: str, type_name: str) -> str:
    column = identifier(name)
    return column if type_name == "VARCHAR" else f"CAST(trim({column}) AS {type_name}) AS {column}"


# Types a CSV column may have, narrowest first, with the text that counts as one. Stricter than DuckDB's casts, which take `01` for a
# number (a postcode would lose its zero), `1` for a truth value and 01/02/2020 for a date of one of two countries.
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_DATE = r"[0-9]{4}(-[0-9]{2}-[0-9]{2}|/[0-9]{2}/[0-9]{2})"
_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
CSV_TYPES: tuple[tuple[str, str], ...] = (
    ("BIGINT", r"[+-]?(0|[1-9][0-9]{0,18})"),
    ("DOUBLE", r"[+-]?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?|(?i:nan|[+-]?inf(inity)?)"),
    ("BOOLEAN", r"(?i:true|false)"),
    ("DATE", _DATE),
    ("TIMESTAMP", rf"{_DAY}[ T]{_TIME}"),
    ("TIMESTAMP WITH TIME ZONE", rf"{_DAY}[ T]{_TIME} ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)"),
    ("TIME", r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"),
)


def is_type_sql(name: str, type_name: str) -> str:
    """A condition: this text column's cell is empty, or a value of `type_name` as `CSV_TYPES` defines it."""
    pattern = dict(CSV_TYPES)[type_name]
    cell = f"trim({identifier(name)})"
    return f"({identifier(name)} IS NULL OR (regexp_full_match({cell}, {quoted(pattern)}) AND TRY_CAST({cell} AS {type_name}) IS NOT NULL))"
