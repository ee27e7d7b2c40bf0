"""SQL over table files, and reading of dataset versions that have no Parquet table.

`mimir/lib/reading` reads uploads. `scan_sql` still reads CSV and JSON Lines versions from before
every upload got a Parquet table, with the columns, types and values that they had.

Pure: it builds SQL and inspects bytes, and opens no file.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mimir.lib.table_shapes import Choices

HEAD_BYTES = 1024 * 1024  # bytes that `csv_header` needs of a file
COLUMNS_MAX = 2000
COLUMN_NAME_MAX = 200

_DELIMITERS = ",;\t|"


class NotATable(Exception):
    """The file cannot be read as a table.

    `message`: its problem and the next action. `detail`: the engine's message, if any.
    """

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message, self.detail = message, detail
        self.choices: Choices = {}


class NoMemory(NotATable):
    """The engine has not enough memory for the table."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name and its DuckDB type."""

    name: str
    type: str


def csv_header(head: bytes) -> tuple[str, list[str]]:
    """Return delimiter and column names of a CSV file that begins with `head`.

    `head`: valid UTF-8; its last character can be incomplete. An empty name becomes
    `column<position>`; a repeated one (DuckDB ignores case) gets `_2`, `_3`… Raises: NotATable.
    """
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    line = _first_record(text)
    if not line.strip():
        raise NotATable("Line 1 is empty. It must contain the column names.")
    bare = re.sub(r'"(?:[^"]|"")*"', "", line)
    delimiter = max(_DELIMITERS, key=bare.count)
    try:
        cells = next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise NotATable(
            f"Line 1, which must contain the column names, cannot be read: {error}."
        ) from error
    if len(cells) > COLUMNS_MAX:
        raise NotATable(f"The file has {len(cells)} columns; at most {COLUMNS_MAX} are accepted.")
    return delimiter, _distinct(" ".join(cell.split()) for cell in cells)


def _first_record(text: str) -> str:
    """Return the text up to the first line end outside quotes."""
    quoted = False
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character in "\r\n" and not quoted:
            return text[:index]
    if len(text) >= HEAD_BYTES // 4 or quoted:
        raise NotATable(
            "Line 1 has no end, or an unclosed quote. It must contain the column names."
        )
    return text


def _distinct(cells: Iterable[str]) -> list[str]:
    names: list[str] = []
    seen: set[str] = set()
    for position, cell in enumerate(cells):
        if len(cell) > COLUMN_NAME_MAX:
            raise NotATable(
                f"The name of column {position + 1} is longer than {COLUMN_NAME_MAX} characters."
            )
        base = name = cell or f"column{position + 1}"
        repeat = 1
        while name.casefold() in seen:
            repeat += 1
            name = f"{base}_{repeat}"
        seen.add(name.casefold())
        names.append(name)
    return names


def quoted(text: str) -> str:
    """Return `text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return `name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def csv_text_sql(path: str, delimiter: str, names: Sequence[str]) -> str:
    """Return a table function over a CSV file, every column as text; empty cells are NULL."""
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({quoted(path)}, auto_detect=false, header=true, skip=0, "
        f"delim={quoted(delimiter)}, quote='\"', escape='\"', "
        "comment='', nullstr='', null_padding=false, strict_mode=true, ignore_errors=false, "
        f"columns={{{columns}}})"
    )


def scan_sql(path: str, format: str, schema: Sequence[Column], head: bytes = b"") -> str:  # noqa: A002 - the API's word
    """Return one SELECT that reads a file with a known schema.

    `head`: its first `HEAD_BYTES`, only for CSV.
    """
    if format == "parquet":
        return f"SELECT * FROM read_parquet({quoted(path)})"
    if format == "jsonl":
        columns = ", ".join(f"{quoted(column.name)}: {quoted(column.type)}" for column in schema)
        return (
            f"SELECT * FROM read_json({quoted(path)}, format='newline_delimited', records=true, "
            f"columns={{{columns}}})"
        )
    delimiter, names = csv_header(head)
    cells = ", ".join(_cast(name, column.type) for name, column in zip(names, schema, strict=True))
    return f"SELECT {cells} FROM {csv_text_sql(path, delimiter, names)}"


def _cast(name: str, type_name: str) -> str:
    column = identifier(name)
    return column if type_name == "VARCHAR" else f"CAST(trim({column}) AS {type_name}) AS {column}"
