"""Cells of a file as text in Parquet files: output of the format modules, input of inference."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.options import ReadOptionsBody
from mimir.lib.table_shapes import Choices
from mimir.lib.tables import COLUMN_NAME_MAX, COLUMNS_MAX, NotATable, identifier, quoted

WIDE_COLUMNS = 300  # columns written at a time, if a wide table does not fit into memory


@dataclass(frozen=True, slots=True)
class Part:
    """A run of consecutive rows: `row` of the table is `line` of the sheet, both from 1."""

    row: int
    line: int
    label: str


@dataclass(slots=True)
class Cells:
    """A table of text cells, with the warnings about it.

    Columns `c0`, `c1`… are in `paths`, each with some of the columns. `tagged`: the first character
    of a cell is its type: `"` for a string, `@` for a date or time of a workbook, else JSON.
    Without tags, cells are plain text. `options`: detected or given reading options.
    """

    paths: list[Path]
    names: list[str]
    row_count: int
    tagged: bool
    options: ReadOptionsBody
    warnings: list[Notice] = field(default_factory=list)
    first_line: int = 0  # line of the first row in the file, if rows are lines
    lines: list[str] = field(default_factory=list)  # the first lines of the file, unchanged
    choices: Choices = field(default_factory=Choices)
    parts: list[Part] = field(default_factory=list)  # of a workbook

    def row_label(self, row: int) -> str:
        """Return the name of a row for users: its number, as the sheet counts it."""
        part = next((part for part in reversed(self.parts) if part.row <= row), None)
        return f"row {row}" if part is None else f"row {part.line + row - part.row} of {part.label}"

    @property
    def relation(self) -> str:
        """Return the FROM clause over all columns."""
        first, *others = (quoted(str(path)) for path in self.paths)
        others = [
            f"(SELECT * FROM read_parquet({path}))" for path in others
        ]  # hides their own `file_row_number`
        return " POSITIONAL JOIN ".join([f"read_parquet({first}, file_row_number = true)", *others])


def column_names(raw: Sequence[str], warnings: list[Notice]) -> list[str]:
    """Return the column names; empty ones become `column<position>`.

    A repeated name (DuckDB ignores case) gets `_2`, `_3`… Raises: NotATable.
    """
    if len(raw) > COLUMNS_MAX:
        raise NotATable(f"The file has {len(raw)} columns. At most {COLUMNS_MAX} are accepted.")
    names: list[str] = []
    taken = {" ".join(cell.split()).casefold() for cell in raw}
    used: set[str] = set()
    for position, cell in enumerate(raw, start=1):
        cleaned = " ".join(cell.replace("\x00", "").split())
        if len(cleaned) > COLUMN_NAME_MAX:
            raise NotATable(
                f"The name of column {position} is longer than {COLUMN_NAME_MAX} characters."
            )
        base = name = cleaned or f"column{position}"
        repeat = 1
        while name.casefold() in used or ((repeat > 1 or not cleaned) and name.casefold() in taken):
            repeat += 1
            name = f"{base}_{repeat}"
        if name != cleaned:
            reason = (
                "its name is empty"
                if not cleaned
                else f"{cleaned} is already the name of another column"
            )
            warnings.append(
                Notice("header_renamed", {"position": position, "name": name, "reason": reason})
            )
        used.add(name.casefold())
        names.append(name)
    return names


def row_group_rows(columns: int) -> int:
    """Return the number of rows of a Parquet row group, which is in memory until it is written."""
    return max(2048, min(122_880, 1_000_000 // max(1, columns) // 2048 * 2048))


def copy_sql(select: str, path: Path, columns: int) -> str:
    """Return a statement that writes the rows of `select` as Parquet."""
    return (
        f"COPY ({select}) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd, "
        f"ROW_GROUP_SIZE {row_group_rows(columns)})"
    )


def parquet_rows(connection: Any, path: Path) -> int:
    """Return the number of rows of a Parquet file."""
    return int(run_sql(connection, f"SELECT count(*) FROM read_parquet({quoted(str(path))})")[0][0])


def cell(index: int) -> str:
    """Return the identifier of a column of cells."""
    return identifier(f"c{index}")
