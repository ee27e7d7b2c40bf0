"""Position of a table in the rows of a text file or sheet: preamble, header, units. Pure.

The first row has the column names unless the rows below say otherwise. Rows outside the table are
skipped and quoted in a warning. If two readings are possible and one of them loses a row or a name,
the file is refused, with the options that decide.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from mimir.lib.reading.messages import Notice, shown
from mimir.lib.reading.rules import MISSING_TEXTS
from mimir.lib.tables import NotATable

LEADING_ROWS = 50  # maximum before the table
_TYPED_ROWS = 50
STEADY_SHARE = 0.8  # minimum share of rows with the width; others can be notes below the table
_LINES_QUOTED = 5
_VALUE = re.compile(
    r"[+-]?[$€£]?[0-9][0-9.,' \u00a0]*([eE][+-]?[0-9]+)?[ ]?%?|[+-]?\.[0-9]+"
    r"|[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([T "
    r"].*)?|(?i:true|false)|[0-9]{1,2}:[0-9]{2}(:[0-9.]+)?"
)
_YEAR = re.compile(r"(1[5-9]|2[01])[0-9]{2}")
_UNIT = re.compile(
    r"\[[^\[\]]{0,30}\]|\([^()]{0,30}\)|-|%|°|°?[CFK]|deg( "
    r"?[CFK])?|[µukcmMG]?(s|m|g|W|Wh|Hz|V|A|Pa|J|l|L|B)|m?bar|ppm|ppb|dB|pH|rpm|bytes?"
    r"|min|minutes?|h|hours?|hr|sec|seconds?|days?|years?|metres?|meters?|USD|EUR|GBP|units?|(m|km|mi)/(s|h)|k?g/m\^?[23³]|W/m\^?2|m[23²³]"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not blank. `line`: its first line, from 1. `gap`: a blank line precedes it."""

    line: int
    cells: Sequence[str]
    gap: bool = False

    @property
    def extent(self) -> int:
        """Number of cells up to the last filled one."""
        return next(
            (index for index in range(len(self.cells), 0, -1) if self.cells[index - 1].strip()), 0
        )

    @property
    def filled(self) -> int:
        """Number of filled cells."""
        return sum(bool(cell.strip()) for cell in self.cells)


@dataclass(slots=True)
class Start:
    """The start of the table. `first`: index of its header, or first row if `header` is false."""

    first: int = 0
    header: bool = True
    units: int | None = None  # index of the row with units below the header
    warnings: list[Notice] = field(default_factory=list)


def is_value(cell: str) -> bool:
    """Whether the text is a number, boolean, date or time in any notation."""
    return _VALUE.fullmatch(cell.strip()) is not None


def find_start(
    rows: Sequence[Row], *, complete: bool, header: bool = True, line_word: str = "Line"
) -> Start:
    """Find the table in `rows`.

    `complete`: there are no further rows. Without `header`, no row has column names. Raises:
    NotATable.
    """
    start = Start(first=title_end(rows), header=header)
    if not rows:
        return start
    first = _after_comments(rows, start.first)
    if not _holds(rows, first):
        first, start.header = (
            _later_start(rows, first, complete, line_word) if header else (first, False)
        )
    elif header and _is_counts(rows, first, complete):
        first, start.header = first + 1, False
    elif header:
        first = _promoted(rows, first)
    start.first = first
    if start.header and _has_units(rows, first):
        start.units = first + 1
        held = ", ".join(cell.strip() for cell in rows[first + 1].cells)
        start.warnings.append(
            Notice("units_line", {"line": rows[first + 1].line, "held": shown(held)})
        )
    return start


def skipped_notice(first_line: int, last_line: int, rows: Sequence[Row]) -> Notice:
    """Return the warning about skipped lines before the table, with their content."""
    held = ["; ".join(" ".join(cell.split()) for cell in row.cells if cell.strip()) for row in rows]
    quoted = ", ".join(shown(text) for text in held[:_LINES_QUOTED]) or "nothing"
    more = f" and {len(held) - _LINES_QUOTED} more" if len(held) > _LINES_QUOTED else ""
    code = "skipped_line" if first_line == last_line else "skipped_lines"
    return Notice(code, {"first": first_line, "last": last_line, "held": quoted + more})


def usual_width(rows: Sequence[Row]) -> int:
    """Return the number of cells that most rows have."""
    counts = Counter(len(row.cells) for row in rows)
    return max(counts, key=lambda count: (counts[count], count))


def names_rows(names: Sequence[str], later: Sequence[Row]) -> bool:
    """Whether all rows have one cell more than the header, like R's row names."""
    width = len(names)
    return (
        bool(width and later)
        and all(len(row.cells) == width + 1 for row in later)
        and any(row.cells[-1].strip() for row in later)
    )


def resembles_data(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the header has values in the columns that have values in the rows below."""
    cells = [cell.strip() for cell in header]
    if not rows or not any(map(is_value, cells)) or _has_years(cells):
        return False
    if any(
        not cell and all(index < len(row) and row[index].strip() for row in rows)
        for index, cell in enumerate(cells)
    ):
        return False  # the first column of a table with row names is unnamed
    typed = [index for index in _typed(rows) if index < len(cells) and cells[index]]
    return bool(typed) and all(is_value(cells[index]) for index in typed)


def _has_years(cells: Sequence[str]) -> bool:
    """Whether the cells are column names, some of them with a year."""
    named = [cell for cell in cells if cell and not is_value(cell)]
    years = [cell for cell in cells if _YEAR.fullmatch(cell)]
    return (
        len(years) > 1
        and years == sorted(set(years))
        and len(years) + len(named) >= len(cells)
        and bool(named)
    )


def _typed(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the columns whose filled cells are all values."""
    width = max((len(row) for row in rows[:_TYPED_ROWS]), default=0)
    found = []
    for index in range(width):
        cells = [row[index].strip() for row in rows[:_TYPED_ROWS] if index < len(row)]
        filled = [cell for cell in cells if cell and cell.lower() not in MISSING_TEXTS]
        if filled and all(map(is_value, filled)):
            found.append(index)
    return found


def _names_columns(
    cells: Sequence[str], rows: Sequence[Sequence[str]], *, typed_min: int = 1
) -> bool:
    """Whether the cells are text above values: they can only be names."""
    stripped = [cell.strip() for cell in cells]
    is_name = [
        bool(cell) and not is_value(cell) and cell.lower() not in MISSING_TEXTS for cell in stripped
    ]
    if any(map(is_value, stripped)) and not _has_years(stripped):
        return False
    typed = _typed(rows)
    return (
        len(typed) >= typed_min
        and sum(is_name) > 1
        and all(index < len(is_name) and is_name[index] for index in typed)
    )


def _cells(rows: Sequence[Row]) -> list[Sequence[str]]:
    return [row.cells for row in rows]


def _holds(rows: Sequence[Row], first: int) -> bool:
    """Whether no row after `first` is longer than it, or all have one more cell (row names)."""
    width = len(rows[first].cells)
    return all(row.extent <= width for row in rows[first + 1 :]) or names_rows(
        rows[first].cells, rows[first + 1 :]
    )


def title_end(rows: Sequence[Row]) -> int:
    """Return the index of the first row after a title.

    Title rows have one filled cell where the table has several.
    """
    width = usual_width(rows) if rows else 0
    if width < 2:
        return 0
    for index, row in enumerate(rows[:LEADING_ROWS]):
        if row.filled > 1 or (len(row.cells) == width and width < 3):
            return index
    return 0


def _after_comments(rows: Sequence[Row], first: int) -> int:
    """Skip lines that begin with `#`, except a line of column names."""
    comments = 0
    for row in rows[first : first + LEADING_ROWS]:
        if not row.cells[0].lstrip().startswith("#"):
            break
        comments += 1
    after = first + comments
    if not comments or after >= len(rows):
        return first
    last = rows[after - 1]
    below = _cells(rows[after + 1 :])
    named = len(last.cells) == len(rows[after].cells) and len(last.cells) > 1
    if named and not _names_columns(rows[after].cells, below):
        marked = not last.cells[0].lstrip().startswith("# ") and last.cells[0].strip() != "#"
        if marked or resembles_data(rows[after].cells, below) or not below:
            return after - 1
    return after


def _later_start(
    rows: Sequence[Row], first: int, complete: bool, line_word: str
) -> tuple[int, bool]:
    """Return the first row of a steady width, and whether it has column names.

    Returns `first` without one. Raises: NotATable.
    """
    found = _steady_from(rows, first)
    if found is None:
        return first, True
    leading, start, below = rows[first:found], rows[found], _cells(rows[found + 1 :])
    if _is_counts(rows, first, complete):
        return found, False
    typed = set(_typed(below))
    named = _names_columns(start.cells, below)
    data = not named and any(
        is_value(cell) for index, cell in enumerate(start.cells) if index in typed
    )
    values = any(is_value(cell) for cell in leading[0].cells)
    rows_too = data and any(
        all(is_value(row.cells[index]) for index in typed if index < row.extent) for row in leading
    )
    if len(leading) == 1:
        if rows_too:
            return first, False  # no header, and a short first row
        if named or values or (start.gap and not data):
            return found, not data
    elif (
        not rows_too
        and (start.gap or not _is_table(leading))
        and (named or values or (not data and len(below) >= len(leading)))
    ):
        return found, not data
    raise NotATable(_ambiguous(leading, start, line_word))


def _steady_from(rows: Sequence[Row], first: int) -> int | None:
    """Return the index of the first row after `first` with a width that most rows have.

    No later row is wider.
    """
    widest, found = 0, None
    for index in range(len(rows) - 1, first, -1):
        if index <= first + LEADING_ROWS and len(rows[index].cells) >= max(widest, 2):
            found = index
        widest = max(widest, rows[index].extent)
    if found is None or found + 1 >= len(rows):
        return None
    width, below = len(rows[found].cells), rows[found + 1 :]
    same = sum(width - 1 <= len(row.cells) <= width + 1 for row in below)
    return found if same >= STEADY_SHARE * len(below) else None


def _is_table(rows: Sequence[Row]) -> bool:
    """Whether the rows can be a table of their own, not pairs of key, colon and value."""
    return (
        len(rows) > 2
        and len({len(row.cells) for row in rows}) == 1
        and not any(row.cells[0].rstrip().endswith(":") for row in rows)
    )


def _ambiguous(leading: Sequence[Row], start: Row, line_word: str) -> str:
    first, count, word = leading[0].line, len(leading[0].cells), line_word.lower()
    lines = (
        f"{line_word} {first} has"
        if len(leading) == 1
        else f"{line_word}s {first} to {start.line - 1} have"
    )
    return (
        f"{lines} {count} {'cell' if count == 1 else 'cells'}, and the rows below have "
        f"{len(start.cells)}. If {word} {first} names the columns, "
        "add the missing names to it. If it is not part of the table, choose skip_rows "
        f"{start.line - 1}, and header_row none if {word} "
        f"{start.line} does not name the columns."
    )


def _is_counts(rows: Sequence[Row], first: int, complete: bool) -> bool:
    """Whether the row contains the numbers of rows and columns below it."""
    cells, below = [cell.strip() for cell in rows[first].cells], rows[first + 1 :]
    if len(cells) < 2 or not below or not (cells[0].isdecimal() and cells[1].isdecimal()):
        return False
    width = usual_width(below)
    enough = int(cells[0]) == len(below) if complete else int(cells[0]) > len(below)
    return enough and int(cells[1]) in (width, width - 1) and bool(_typed(_cells(below)))


def _promoted(rows: Sequence[Row], first: int) -> int:
    """Return the row below `first` if it has the column names, else `first`."""
    after = first + 1
    if after + 1 >= len(rows) or not _holds(rows, after):
        return first
    cells, below = [cell.strip() for cell in rows[after].cells], _cells(rows[after + 1 :])
    if (
        names_rows(rows[first].cells, rows[after:])
        and rows[after].gap
        and not resembles_data(cells, below)
    ):
        return after  # a blank line separates them
    above = [cell.strip() for cell in rows[first].cells]
    if not _names_columns(cells, below, typed_min=2) or _has_units(rows, first):
        return first
    gaps = [index for index, cell in enumerate(above) if not cell]
    filled = bool(gaps) and all(index < len(cells) and cells[index] for index in gaps)
    values = any(map(is_value, above)) and not _has_years(above)
    return after if filled or values or len(above) != len(cells) else first


def _has_units(rows: Sequence[Row], header: int) -> bool:
    """Whether the row below the header has units, such as `°C`, above values."""
    if header + 2 >= len(rows):
        return False
    units = [cell.strip() for cell in rows[header + 1].cells]
    typed = [index for index in _typed(_cells(rows[header + 2 :])) if index < len(units)]
    given = [cell for cell in units if cell and cell != "-"]
    return (
        len(typed) > 0
        and all(_UNIT.fullmatch(cell) for cell in given)
        and sum(bool(units[index]) and units[index] != "-" for index in typed) > len(typed) / 2
        and len(given) > 1
        and any(len(cell) > 1 for cell in given)  # single letters can be words
    )
