"""The cells of a file as text, in Parquet files in the work folder: what format modules write and what types are inferred from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mimir.lib.reading.messages import Notice
from mimir.lib.tables import COLUMN_NAME_MAX, COLUMNS_MAX, NotATable, identifier, quoted

WIDE_COLUMNS = 300  # columns written at a time where a wide table does not fit into memory


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of the table that follow one another in the file, too: `row` of the table is `line` of a sheet, both from 1."""

    row: int
    line: int
    label: str


@dataclass(slots=True)
class Cells:
    """A table of text cells, columns `c0`, `c1`… in `paths` (each a slice of the columns), and what was noticed.

    `tagged`: the first character of a cell says what it is: `"` before a string, `@` before a date or time of a workbook, otherwise JSON.
    Without tags every cell is plain text. `options`: what was detected or given, under the names of the reading options.
    """

    paths: list[Path]
    names: list[str]
    row_count: int
    tagged: bool
    options: dict[str, Any]
    warnings: list[Notice] = field(default_factory=list)
    first_line: int = 0  # line of the first row in the file, where a row is a line
    lines: list[str] = field(default_factory=list)  # the first lines of the file as they are
    choices: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # sheets, lists
    parts: list[Part] = field(default_factory=list)  # of a workbook

    def row_words(self, row: int) -> str:
        """A row of the table for people: by its number, or as the sheet counts it."""
        part = next((part for part in reversed(self.parts) if part.row <= row), None)
        return f"row {row}" if part is None else f"row {part.line + row - part.row} of {part.label}"

    @property
    def relation(self) -> str:
        """The FROM clause over all columns."""
        first, *others = (quoted(str(path)) for path in self.paths)
        others = [
            f"(SELECT * FROM read_parquet({path}))" for path in others
        ]  # which hides their own `file_row_number`
        return " POSITIONAL JOIN ".join([f"read_parquet({first}, file_row_number = true)", *others])


def column_names(raw: Sequence[str], warnings: list[Notice]) -> list[str]:
    """Names for the columns: an empty one becomes `column<position>`, a repeated one (DuckDB ignores case) gets `_2`, `_3`… Raises: NotATable."""
    if len(raw) > COLUMNS_MAX:
        raise NotATable(f"The file has {len(raw)} columns. At most {COLUMNS_MAX} are accepted.")
    names: list[str] = []
    taken = {" ".join(cell.split()).casefold() for cell in raw}
    seen: set[str] = set()
    for position, cell in enumerate(raw, start=1):
        cleaned = " ".join(cell.replace("\x00", "").split())
        if len(cleaned) > COLUMN_NAME_MAX:
            raise NotATable(
                f"The name of column {position} is longer than {COLUMN_NAME_MAX} characters."
            )
        base = name = cleaned or f"column{position}"
        repeat = 1
        while name.casefold() in seen or ((repeat > 1 or not cleaned) and name.casefold() in taken):
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
        seen.add(name.casefold())
        names.append(name)
    return names


def row_group_rows(columns: int) -> int:
    """Rows of a Parquet row group: one is held in memory until it is written."""
    return max(2048, min(122_880, 1_000_000 // max(1, columns) // 2048 * 2048))


def copy_sql(select: str, path: Path, columns: int) -> str:
    """A statement that writes the rows of `select` as Parquet."""
    return f"COPY ({select}) TO {quoted(str(path))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(columns)})"


def cell(index: int) -> str:
    """The identifier of a column of cells."""
    return identifier(f"c{index}")
