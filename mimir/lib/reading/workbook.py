"""Excel and OpenDocument workbooks become cells, by python-calamine: values as they were last calculated, no formulas."""

import csv
import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mimir.lib.reading.cells import Cells, column_names
from mimir.lib.reading.delimited import CELL_BYTES_MAX, copy_clean
from mimir.lib.reading.header import Row, Start, find_start, looks_like_data, skipped_notice, title_end
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.options import ReadOptions
from mimir.lib.tables import COLUMNS_MAX, NotATable

UNPACKED_BYTES_MAX = 512 * 1024**2  # a workbook is read into memory whole
CELLS_MAX = 20_000_000
LEADING_ROWS = 50
LINES_SHOWN = 10
_WHOLE_MAX = 2**53


def read_workbook(connection: Any, path: Path, work: Path, options: ReadOptions) -> Cells:
    """The cells of one sheet. Raises: NotATable."""
    import python_calamine

    _check_size(path)
    try:
        workbook = python_calamine.CalamineWorkbook.from_path(str(path))
        sheets = [_described(workbook, meta) for meta in workbook.sheets_metadata]
        name = _chosen(sheets, options.sheet)
        sheet = workbook.get_sheet_by_name(name)
    except NotATable:
        raise
    except Exception as error:  # calamine's errors have no common base that is told from Python's own
        raise NotATable(_fault(str(error)), detail=str(error)[:500]) from error
    if sheet.height * max(1, sheet.width) > CELLS_MAX:
        raise NotATable(f"Sheet {name} has more than {CELLS_MAX:,} cells. Save it as CSV and upload that.")
    warnings: list[Notice] = []
    others = [item["name"] for item in sheets if item["name"] != name and item["rows"]]
    if others and not options.sheet:
        warnings.append(Notice("other_sheets", {"sheet": name, "others": ", ".join(others[:10])}))
    _note_merged(sheet, name, warnings)
    offset = sheet.start[0] if sheet.start else 0
    reader = _Sheet(sheet.iter_rows(), offset, options, warnings)
    return reader.cells(connection, work, name, sheets)


def _check_size(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > UNPACKED_BYTES_MAX:
        raise NotATable(f"The workbook unpacks to {size:,} bytes; at most {UNPACKED_BYTES_MAX:,} are read. Save the sheet as CSV and upload that.")


def _described(workbook: Any, meta: Any) -> dict[str, Any]:
    try:
        sheet = workbook.get_sheet_by_name(meta.name)
    except Exception:  # a chart has no cells
        return {"name": meta.name, "rows": 0, "columns": 0, "hidden": "Visible" not in str(meta.visible)}
    return {"name": meta.name, "rows": sheet.height, "columns": sheet.width, "hidden": str(meta.visible).rsplit(".", 1)[-1] != "Visible"}


def _chosen(sheets: Sequence[dict[str, Any]], wanted: str) -> str:
    if wanted:
        if all(item["name"] != wanted for item in sheets):
            raise NotATable(f"The workbook has no sheet {wanted}. It has {', '.join(item['name'] for item in sheets[:20])}.")
        return wanted
    filled = [item for item in sheets if item["rows"] and not item["hidden"]] or [item for item in sheets if item["rows"]]
    if not filled:
        raise NotATable("The workbook has no cells.")
    return str(filled[0]["name"])


def _fault(complaint: str) -> str:
    lowered = complaint.lower()
    if "password" in lowered or "encrypt" in lowered:
        return "The workbook is protected by a password. Save it without one and upload that."
    return "The workbook is damaged, or it is not Excel or OpenDocument. Save it again as .xlsx or CSV."


def _note_merged(sheet: Any, name: str, warnings: list[Notice]) -> None:
    ranges = sheet.merged_cell_ranges or []
    if ranges:
        listed = ", ".join(f"{_place(*first)}:{_place(*last)}" for first, last in ranges[:5])
        warnings.append(Notice("merged_cells", {"sheet": name, "ranges": listed + (" and more" if len(ranges) > 5 else "")}))


def _place(row: int, column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


class _Sheet:
    """The rows of a sheet, its header found."""

    def __init__(self, rows: Iterator[list[Any]], offset: int, options: ReadOptions, warnings: list[Notice]) -> None:
        self._rows = ((number, row) for number, row in enumerate(rows, start=offset + 1))
        self._options, self._warnings = options, warnings
        self._leading: list[tuple[int, list[Any]]] = []
        self.header_row, self.skipped = 0, options.skipped

    def cells(self, connection: Any, work: Path, name: str, sheets: list[dict[str, Any]]) -> Cells:
        """Write the rows after the header."""
        raw = self._header()
        if len(raw) > COLUMNS_MAX:
            raise NotATable(f"The sheet has {len(raw)} columns; at most {COLUMNS_MAX} are accepted.")
        names = column_names(raw, self._warnings)
        clean = work / "clean.csv"
        count = self._write(clean, len(names))
        paths = copy_clean(connection, clean, work, len(names))
        options = {"sheet": name, "header_row": self.header_row, "skip_rows": self.skipped}
        lines = ["\t".join(_text(value) for value in row)[:500] for _, row in self._leading[:LINES_SHOWN]]
        return Cells(paths, names, count, True, options, self._warnings, self.header_row + 1, lines, {"sheets": sheets})

    def _header(self) -> list[str]:
        """The names of the columns. The rows that were looked at stay in `_leading`."""
        for number, row in self._rows:
            if number > self._options.skipped:
                self._leading.append((number, row))
            if len(self._leading) >= LEADING_ROWS:
                break
        leading = self._leading
        filled = [
            Row(number, _stripped(row), index > 0 and not _stripped(self._leading[index - 1][1]))
            for index, (number, row) in enumerate(self._leading)
            if _stripped(row)
        ]
        if not filled:
            raise NotATable("The sheet has no cells.")
        wanted, start = self._options.header_row, Start()
        if wanted:
            start.first = next((index for index, row in enumerate(filled) if row.line == wanted + self._options.skipped), -1)
            if start.first < 0:
                raise NotATable(f"The sheet has no row {wanted + self._options.skipped} to name the columns.")
        else:
            start = self._start(filled)
        number, width = filled[start.first].line, max(len(row) for _, row in self._leading)
        if not start.header:
            self.header_row, self.skipped = 0, number - 1
            self._leading = [(at, row) for at, row in self._leading if at >= number]
            self._warnings.append(Notice("no_header", {"names": f"column1 to column{width}"}))
            return [f"column{index}" for index in range(1, width + 1)]
        self.header_row = number - self._options.skipped
        units = filled[start.units].line if start.units is not None else 0
        self._leading = [(at, row) for at, row in self._leading if at > number and at != units]
        names = [_text(value) for value in next(row for at, row in leading if at == number)]
        if looks_like_data(names, [[_text(value) for value in row] for _, row in self._leading]):
            self._warnings.append(Notice("header_looks_like_data", {"line": number, "cells": ", ".join(names[:5])}))
        return names

    def _start(self, filled: list[Row]) -> Start:
        """Where the table begins; the rows before it are reported."""
        header = self._options.header_row is None
        if self._options.skip_rows is not None:
            return Start(header=header)
        try:
            start = find_start(filled, complete=len(self._leading) < LEADING_ROWS, header=header)
        except NotATable:  # the width of a sheet is known: columns without a name get one
            start = Start(title_end(filled), header=header)
        if start.first:
            self._warnings.append(skipped_notice(filled[0].line, filled[start.first].line - 1, filled[: start.first]))
        self._warnings += start.warnings
        return start

    def _write(self, target: Path, width: int) -> int:
        """The tagged cells as CSV; how many rows."""
        count, blank = 0, 0
        csv.field_size_limit(CELL_BYTES_MAX)
        with target.open("w", encoding="utf-8", newline="") as output:
            writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for source in (iter(self._leading), self._rows):
                for _, row in source:
                    tagged = [_tagged(value) for value in row[:width]]
                    if not any(tagged):
                        blank += 1  # empty rows between rows are kept, those at the end are not
                        continue
                    for _ in range(blank):
                        writer.writerow([""] * width)
                    count, blank = count + blank + 1, 0
                    writer.writerow(tagged + [""] * (width - len(tagged)))
        return count


def _stripped(row: Sequence[Any]) -> list[str]:
    """The texts of the cells up to the last filled one."""
    cells = [_text(value) for value in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _tagged(value: Any) -> str:
    """A tagged cell: a value as JSON, `"` and a text, or `@` and a date or time. Excel has floats only, so 3.0 is the integer 3."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _WHOLE_MAX else repr(value)
    if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
        return "@" + _text(value)
    return '"' + str(value).replace("\x00", "")


def _text(value: Any) -> str:
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
    return str(value).strip()
