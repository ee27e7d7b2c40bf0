"""One sheet of a workbook: its header, and its cells as tagged text."""

import csv
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mimir.lib.reading.cellrange import CellRange
from mimir.lib.reading.cells import Part, column_names
from mimir.lib.reading.header import (
    Row,
    Start,
    find_start,
    resembles_data,
    skipped_notice,
    title_end,
)
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.options import ReadOptions
from mimir.lib.tables import NotATable

LEADING_ROWS = 50
LINES_SHOWN = 10
_WHOLE_MAX = 2**53

Numbered = tuple[int, list[Any]]  # a row number of the sheet, from 1, and its cells


def rows_in(sheet: Any, cells: CellRange) -> Iterator[Numbered]:
    """Yield the rows of a calamine sheet in a range, without empty columns at the start."""
    left = sheet.start[1] if sheet.start else 0
    first, last = max(0, cells.first_column - 1 - left), max(0, cells.last_column - left)
    for number, row in enumerate(
        sheet.iter_rows(), start=1
    ):  # from row 1, even if `sheet.start` is later
        if number > cells.last_row:
            return
        if number >= cells.first_row:
            yield number, row[first:last]


class SheetTable:
    """The table of a sheet with its header. `reserved`: names that columns must not have."""

    def __init__(
        self,
        name: str,
        rows: Iterator[Numbered],
        options: ReadOptions,
        warnings: list[Notice],
        reserved: Sequence[str] = (),
    ) -> None:
        self.name, self.warnings = name, warnings
        self._rows, self._options = rows, options
        self._leading: list[Numbered] = []
        self.lines: list[str] = []  # the first rows as text, with the rows before the table
        self.header_row, self.skipped = 0, options.skipped
        self.names = column_names([*reserved, *self._header()], warnings)[len(reserved) :]

    def _header(self) -> list[str]:
        """Return the column names. Rows of the table that were read stay in `_leading`."""
        for number, row in self._rows:
            if number > self._options.skipped and (self._leading or _stripped(row)):
                self._leading.append((number, row))
            if len(self._leading) >= LEADING_ROWS:
                break
        leading = self._leading
        self.lines = [
            "\t".join(text_of(value) for value in row).rstrip("\t")[:500]
            for _, row in leading[:LINES_SHOWN]
        ]
        filled = [
            Row(number, _stripped(row), index > 0 and not _stripped(leading[index - 1][1]))
            for index, (number, row) in enumerate(leading)
            if _stripped(row)
        ]
        if not filled:
            raise NotATable(self._without_cells())
        start = self._start(filled)
        number, width = filled[start.first].line, max(len(row) for _, row in leading)
        if not start.header:
            self.header_row, self.skipped = 0, number - 1
            self._leading = [(at, row) for at, row in leading if at >= number]
            self.warnings.append(Notice("no_header", {"names": f"column1 to column{width}"}))
            return [f"column{index}" for index in range(1, width + 1)]
        self.header_row = number - self._options.skipped
        units = filled[start.units].line if start.units is not None else 0
        self._leading = [(at, row) for at, row in leading if at > number and at != units]
        names = [text_of(value) for value in next(row for at, row in leading if at == number)]
        if resembles_data(names, [[text_of(value) for value in row] for _, row in self._leading]):
            self.warnings.append(
                Notice("header_looks_like_data", {"line": number, "cells": ", ".join(names[:5])})
            )
        return names

    def _without_cells(self) -> str:
        where = f" below row {self._options.skipped}" if self._options.skipped else ""
        return (
            f"Sheet {self.name} has no "
            f"cells{f' in {self._options.range}' if self._options.range else ''}{where}."
        )

    def _start(self, filled: list[Row]) -> Start:
        """Return the start of the table; warn about the rows before it."""
        if self._options.header_row:
            wanted = self._options.header_row + self._options.skipped
            first = next((index for index, row in enumerate(filled) if row.line == wanted), None)
            if first is None:
                where = f" in {self._options.range}" if self._options.range else ""
                raise NotATable(
                    f"Sheet {self.name} has no row {wanted}{where} for the column names."
                )
            return Start(first=first)
        header = self._options.header_row is None
        if self._options.skip_rows is not None:
            return Start(header=header)
        try:
            start = find_start(filled, complete=len(self._leading) < LEADING_ROWS, header=header)
        except NotATable:  # the width of a sheet is known: unnamed columns get a name
            start = Start(title_end(filled), header=header)
        if start.first:
            self.warnings.append(
                skipped_notice(filled[0].line, filled[start.first].line - 1, filled[: start.first])
            )
        self.warnings += start.warnings
        return start

    def write(
        self, output: Any, first: int, parts: list[Part], shaped: Callable[[list[str]], list[str]]
    ) -> int:
        """Write the tagged cells as CSV, each row changed by `shaped`; return their number.

        `first`: number of earlier rows. The runs of consecutive rows are added to `parts`.
        """
        writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\n")
        width, count, blank, offset = len(self.names), 0, 0, None
        empty = shaped([""] * width)
        for source in (iter(self._leading), self._rows):
            for number, row in source:
                tagged = [tagged_of(value) for value in row[:width]]
                if not any(tagged):
                    blank += 1  # empty rows between rows are kept, except at the end
                    continue
                writer.writerows([empty] * blank)
                count, blank = count + blank + 1, 0
                if number - count != offset:
                    offset = number - count
                    parts.append(Part(first + count, number, f"sheet {self.name}"))
                writer.writerow(shaped(tagged + [""] * (width - len(tagged))))
        return count


def _stripped(row: Sequence[Any]) -> list[str]:
    """Return the texts of the cells up to the last filled one."""
    cells = [text_of(value) for value in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def tagged_of(value: object) -> str:
    """Return a tagged cell: JSON, `"` and text, or `@` and a date or time.

    Excel has only floats: 3.0 becomes the integer 3.
    """
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _WHOLE_MAX else repr(value)
    if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
        return "@" + text_of(value)
    return '"' + str(value).replace("\x00", "")


def text_of(value: object) -> str:
    """Return a cell as text."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ") if value.time() != dt.time() else value.date().isoformat()
    if isinstance(value, dt.timedelta):
        seconds = value.total_seconds()
        return f"{int(seconds // 3600):02}:{int(seconds // 60) % 60:02}:{int(seconds) % 60:02}"
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _WHOLE_MAX else repr(value)
    return str(value).replace("\x00", "").strip()
