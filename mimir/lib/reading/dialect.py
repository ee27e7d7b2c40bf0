"""Detection of delimiter, quotes and header from the first rows of a text file. Pure."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mimir.lib.reading.header import (
    Row,
    Start,
    find_start,
    is_value,
    names_rows,
    resembles_data,
    skipped_notice,
    usual_width,
)
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.options import ReadOptions
from mimir.lib.tables import NotATable

SAMPLE_RECORDS = 300
COMMON, OTHERS, WEAK = ",;\t|", "^~\x1f\x01", ": #!&*"
CONSISTENT = 0.9
_SEPARATOR_LINE = re.compile(r"(?i)sep=(.)[ ;,\t]*")


@dataclass(slots=True)
class Dialect:
    """The dialect of a file. `skip`: physical lines before the header or the first row."""

    delimiter: str
    quote: str
    skip: int = 0
    header: bool = True
    names: list[str] = field(default_factory=list)
    row_names: bool = False  # rows have one cell more than the header
    units_line: int = 0  # number of the line with units below the header
    warnings: list[Notice] = field(default_factory=list)


def detect(sample: str, options: ReadOptions, *, cut: bool) -> Dialect:
    """Return the dialect of a file that begins with `sample`. `cut`: the file continues."""
    quote = '"' if options.quote is None else options.quote
    lines = sample.splitlines(keepends=True)
    warnings: list[Notice] = []
    skip, delimiter = options.skipped, options.delimiter
    separator = _SEPARATOR_LINE.fullmatch(lines[0].rstrip("\r\n")) if lines else None
    if separator and options.skip_rows is None:
        skip, delimiter = 1, delimiter or separator[1]
        warnings.append(Notice("separator_line", {"delimiter": _named(delimiter)}))
    body = "".join(lines[skip:])
    if not delimiter:
        delimiter = choose_delimiter(body, quote, cut=cut)
    _check_closed(body, delimiter, quote, skip + 1)
    records = _records(body, delimiter, quote, cut=cut, first_line=skip + 1)
    dialect = Dialect(delimiter, quote, skip, warnings=warnings)
    _place_header(dialect, records, options, complete=not cut and len(records) < SAMPLE_RECORDS)
    width = len(dialect.names)
    if width == 1 and not options.delimiter and not separator and _is_divided(records):
        warnings.append(Notice("one_column", {}))
    return dialect


def _check_closed(text: str, delimiter: str, quote: str, line: int) -> None:
    """Raise NotATable if the first record opens a quote that is never closed."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote or '"', strict=True
    )
    if not quote:
        return
    try:
        next(reader, None)
    except csv.Error as error:
        if "end of data" in str(error):
            raise NotATable(
                f"Line {line} opens a quote that is never closed. Close it, or choose quote none."
            ) from error


def _named(delimiter: str) -> str:
    return {"\t": "tab", " ": "space"}.get(delimiter, delimiter)


def _records(
    text: str,
    delimiter: str,
    quote: str,
    *,
    cut: bool,
    first_line: int = 1,
    limit: int = SAMPLE_RECORDS,
) -> list[Row]:
    """Return the first records, without one that the end of the sample cuts."""
    quoting: Any = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote or None, quoting=quoting
    )
    found: list[Row] = []
    line = first_line
    try:
        for cells in reader:
            found.append(Row(line, cells))
            line = first_line + reader.line_num
            if len(found) > limit:
                return found[:limit]
    except csv.Error:
        return found
    if cut and len(found) > 1:
        found.pop()
    return found


def choose_delimiter(text: str, quote: str, *, cut: bool) -> str:
    """Return the delimiter that divides the first rows most evenly; a comma if none does."""
    best = max(
        (_score(text, quote, delimiter, cut, order) for order, delimiter in enumerate(COMMON)),
        default=None,
    )
    if best is not None and best[0] >= CONSISTENT:
        return best[-1]
    others = [_score(text, quote, delimiter, cut, order) for order, delimiter in enumerate(OTHERS)]
    others += [
        score
        for order, delimiter in enumerate(WEAK)
        if _is_sure(score := _score(text, quote, delimiter, cut, 9 + order))
    ]
    other = max(others)
    if other[0] >= CONSISTENT and (best is None or other[0] > best[0]):
        return other[-1]
    return best[-1] if best is not None and best[0] > 0 else ","


_Score = tuple[float, float, float, int, int, str]


def _score(text: str, quote: str, delimiter: str, cut: bool, order: int) -> _Score:
    """Return the score of a delimiter; the largest is the best.

    (share of rows with the usual number of cells, share of cells that are values, minus the share
    of cells that begin with a space, usual number of cells, preference, delimiter)
    """
    rows = [record.cells for record in _records(text, delimiter, quote, cut=cut) if record.filled]
    counts = Counter(len(row) for row in rows if len(row) > 1)
    if not counts:
        return 0.0, 0.0, 0.0, 0, -order, delimiter
    usual = max(counts, key=lambda count: (counts[count], count))
    names_only = 2 <= len(rows[0]) == usual - 1  # a header without a name for the row names
    share = (counts[usual] + names_only) / len(rows)
    body = [cell.strip(" ") for row in rows[1:] for cell in row]
    values = sum(is_value(cell) for cell in body if cell)
    later = [cell for row in rows for cell in row[1:]]
    spaced = sum(cell.startswith(" ") for cell in later) / max(1, len(later))
    return (
        round(share, 1),
        round(values / max(1, len(body)), 1),
        -round(spaced, 1),
        usual,
        -order,
        delimiter,
    )


def _is_sure(score: _Score) -> bool:
    """Whether a delimiter that also occurs in text divides every row, and some cells are values."""
    share, values, _, cells, _, delimiter = score
    return share == 1.0 and values > 0.2 and cells >= (3 if delimiter in " :" else 2)


def _is_divided(records: Sequence[Row]) -> bool:
    lines = [record.cells[0] for record in records if record.cells and record.filled]
    return (
        len(lines) > 1
        and sum(bool(re.search(r"\S[,;\t|:^~]\S|\S {2,}\S", line)) for line in lines)
        > len(lines) / 2
    )


def _place_header(
    dialect: Dialect, records: list[Row], options: ReadOptions, *, complete: bool
) -> None:
    """Set `skip`, `header`, `names` and `units_line`; warn about skipped lines.

    Raises: NotATable.
    """
    filled = [
        replace(record, gap=index > 0 and not records[index - 1].filled)
        for index, record in enumerate(records)
        if record.filled
    ]
    if options.header_row:
        chosen = next(
            (record for record in records if record.line == options.header_row + options.skipped),
            None,
        )
        later = [record for record in filled if chosen is not None and record.line > chosen.line]
        if chosen is not None:
            dialect.skip, dialect.names = chosen.line - 1, list(chosen.cells)
            _name_rows(dialect, later, chosen.line)
        return
    if not filled:
        return
    header = options.header_row != 0
    start = (
        find_start(filled, complete=complete, header=header)
        if options.skip_rows is None
        else Start(header=header)
    )
    first = filled[start.first]
    if first.line - 1 > dialect.skip:
        dialect.warnings.append(
            skipped_notice(dialect.skip + 1, first.line - 1, filled[: start.first])
        )
        dialect.skip = first.line - 1
    dialect.warnings += start.warnings
    if not start.header:
        width = max(usual_width(filled[start.first :]), len(first.cells))
        dialect.header, dialect.names = False, [f"column{index}" for index in range(1, width + 1)]
        return
    dialect.names = list(first.cells)
    dialect.units_line = filled[start.units].line if start.units is not None else 0
    _name_rows(dialect, filled[start.first + 1 :], first.line)
    if resembles_data(first.cells, [record.cells for record in filled[start.first + 1 :]]):
        cells = ", ".join(cell[:40] for cell in first.cells[:5])
        dialect.warnings.append(
            Notice("header_looks_like_data", {"line": first.line, "cells": cells})
        )


def _name_rows(dialect: Dialect, later: Sequence[Row], line: int) -> None:
    if names_rows(dialect.names, later):
        dialect.row_names = True
        dialect.names.insert(0, "row_names")
        dialect.warnings.append(Notice("row_names", {"line": line, "name": "row_names"}))
