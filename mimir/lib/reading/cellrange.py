"""Cell ranges of a sheet, as in spreadsheets: `A4:I3048`, `A4:I`, `A:I`, `4:3048`. Pure."""

import re
from dataclasses import dataclass

ROWS_MAX, COLUMNS_MAX = 1_048_576, 16_384  # limits of a sheet in Excel
_CELL = r"\$?([A-Z]{1,3})\$?([1-9][0-9]{0,8})"
_CELLS = re.compile(rf"{_CELL}:\$?([A-Z]{{1,3}})(?:\$?([1-9][0-9]{{0,8}}))?")
_COLUMNS = re.compile(r"\$?([A-Z]{1,3}):\$?([A-Z]{1,3})")
_ROWS = re.compile(r"\$?([1-9][0-9]{0,8}):\$?([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class CellRange:
    """Rows and columns from 1, both ends included. Without limits: all cells of a sheet."""

    first_row: int = 1
    last_row: int = ROWS_MAX
    first_column: int = 1
    last_column: int = COLUMNS_MAX
    text: str = ""

    def meets(self, first: tuple[int, int], last: tuple[int, int]) -> bool:
        """Whether it overlaps an area with these first and last cells, as (row, column) from 0."""
        rows = first[0] < self.last_row and last[0] >= self.first_row - 1
        return rows and first[1] < self.last_column and last[1] >= self.first_column - 1


def parse_range(text: str) -> CellRange:
    """Return the range for `text`. Raises: ValueError, with the expected form."""
    written = text.strip().upper() if text.isascii() else ""
    if found := _CELLS.fullmatch(written):
        left, top, right, bottom = found.groups()
        canonical = f"{left}{top}:{right}{bottom or ''}"
        cells = CellRange(
            int(top), int(bottom or ROWS_MAX), _number(left), _number(right), canonical
        )
    elif found := _COLUMNS.fullmatch(written):
        left, right = found.groups()
        cells = CellRange(
            first_column=_number(left), last_column=_number(right), text=f"{left}:{right}"
        )
    elif found := _ROWS.fullmatch(written):
        cells = CellRange(int(found[1]), int(found[2]), text=f"{found[1]}:{found[2]}")
    else:
        raise ValueError(
            "must be cells such as A4:I3048, cells up to the last row such as A4:I, columns such "
            "as A:I, or rows such as 4:3048."
        )
    if (
        max(cells.first_row, cells.last_row) > ROWS_MAX
        or max(cells.first_column, cells.last_column) > COLUMNS_MAX
    ):
        raise ValueError(
            f"ends beyond {cell_name(ROWS_MAX - 1, COLUMNS_MAX - 1)}, the last cell of a sheet."
        )
    if cells.first_row > cells.last_row or cells.first_column > cells.last_column:
        raise ValueError(
            "must begin with its upper left cell and end with its lower right one, such as "
            "A4:I3048."
        )
    return cells


def cell_name(row: int, column: int) -> str:
    """Return the name of a cell by row and column from 0."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
