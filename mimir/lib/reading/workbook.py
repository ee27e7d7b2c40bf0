"""Excel and OpenDocument workbooks become cells, by python-calamine: values as they were last calculated, no formulas."""

import csv
import datetime as dt
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.cells import Cells, column_names, copy_sql
from mimir.lib.reading.delimited import CELL_BYTES_MAX
from mimir.lib.reading.dialect import looks_like_data
from mimir.lib.reading.messages import Notice, shown
from mimir.lib.reading.options import ReadOptions
from mimir.lib.tables import COLUMNS_MAX, NotATable, quoted

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
        self.header_row = 0

    def cells(self, connection: Any, work: Path, name: str, sheets: list[dict[str, Any]]) -> Cells:
        """Write the rows after the header."""
        raw = self._header()
        if len(raw) > COLUMNS_MAX:
            raise NotATable(f"The sheet has {len(raw)} columns; at most {COLUMNS_MAX} are accepted.")
        names = column_names(raw, self._warnings)
        clean, parquet = work / "clean.csv", work / "cells.parquet"
        count = self._write(clean, len(names))
        listed = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(names)))
        source = (
            f"read_csv({quoted(str(clean))}, auto_detect=false, header=false, delim=',', quote='\"', escape='\"', nullstr='', "
            f"max_line_size={2 * CELL_BYTES_MAX}, columns={{{listed}}})"
        )
        run_sql(connection, copy_sql(f"SELECT * FROM {source}", parquet, len(names)))
        clean.unlink()
        options = {"sheet": name, "header_row": self.header_row, "skip_rows": self._options.skip_rows}
        lines = ["\t".join(_text(value) for value in row)[:500] for _, row in self._leading[:LINES_SHOWN]]
        return Cells([parquet], names, count, True, options, self._warnings, self.header_row + 1, lines, {"sheets": sheets})

    def _header(self) -> list[str]:
        """The names of the columns. The rows that were looked at stay in `_leading`."""
        for number, row in self._rows:
            if number > self._options.skip_rows:
                self._leading.append((number, row))
            if len(self._leading) >= LEADING_ROWS:
                break
        filled = [(number, row) for number, row in self._leading if any(_text(value) for value in row)]
        if not filled:
            raise NotATable("The sheet has no cells.")
        wanted = self._options.header_row
        if wanted:
            number = wanted + self._options.skip_rows
            chosen = next((row for at, row in self._leading if at == number), None)
            if chosen is None:
                raise NotATable(f"The sheet has no row {number} to name the columns.")
        else:
            number, chosen = self._first_row(filled)
        if wanted == 0:
            self.header_row, names = 0, [""] * len(chosen)
            self._leading = [(at, row) for at, row in self._leading if at >= number]
            self._warnings.append(Notice("no_header", {"names": f"column1 to column{len(chosen)}"}))
            return [f"column{index}" for index in range(1, len(names) + 1)]
        self.header_row = number
        self._leading = [(at, row) for at, row in self._leading if at > number]
        names = [_text(value) for value in chosen]
        if looks_like_data(names, [[_text(value) for value in row] for _, row in self._leading]):
            self._warnings.append(Notice("header_looks_like_data", {"line": number, "cells": ", ".join(names[:5])}))
        return names

    def _first_row(self, filled: list[tuple[int, list[Any]]]) -> tuple[int, list[Any]]:
        """The first row with several cells, where the rows have several: what stands before is a title."""
        widths = [sum(bool(_text(value)) for value in row) for _, row in filled]
        start = next((index for index, width in enumerate(widths) if width > 1), 0) if max(widths) > 1 else 0
        if start:
            first, last = filled[0][0], filled[start][0] - 1
            example = next(_text(value) for value in filled[0][1] if _text(value))
            code = "skipped_line" if first == last else "skipped_lines"
            self._warnings.append(Notice(code, {"first": first, "last": last, "example": shown(example)}))
        return filled[start]

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


def _tagged(value: Any) -> str:
    """A cell as `plan` reads it: JSON, or `@` and a date or time. Excel has floats only, so 3.0 is the integer 3."""
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
    return json.dumps(str(value).replace("\x00", ""), ensure_ascii=False)


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
