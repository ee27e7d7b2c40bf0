"""Conversion of Excel and OpenDocument workbooks to cells, with python-calamine.

Values are as last calculated; formulas are not evaluated.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mimir.lib.reading.cellrange import CellRange, cell_name, parse_range
from mimir.lib.reading.cells import Cells, Part
from mimir.lib.reading.delimited import copy_clean
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.options import ReadOptions, ReadOptionsBody
from mimir.lib.reading.sheet import SheetTable, rows_in
from mimir.lib.reading.sheets import SHEET_COLUMN, JoinedSheets
from mimir.lib.table_shapes import SheetChoice
from mimir.lib.tables import COLUMNS_MAX, NotATable

UNPACKED_BYTES_MAX = 512 * 1024**2  # size limit: a workbook is read into memory
CELLS_MAX = 20_000_000


def read_workbook(
    connection: Any, path: Path, work: Path, options: ReadOptions, *, describe: bool = True
) -> Cells:
    """Return the cells of one sheet or of several. Raises: NotATable, with `choices` of sheets.

    Without `describe`, other sheets are not opened, and `choices` only has their names.
    """
    import python_calamine

    _check_size(path)
    nameless = work / "workbook"  # calamine trusts the file extension more than the content
    nameless.symlink_to(path.resolve())
    try:
        workbook = python_calamine.CalamineWorkbook.from_path(str(nameless))
        sheets: list[SheetChoice] = [
            _described(workbook, meta) if describe else {"name": meta.name}
            for meta in workbook.sheets_metadata
        ]
    except Exception as error:  # calamine's errors have no common base class of their own
        raise NotATable(_fault(str(error)), detail=str(error)[:500]) from error
    try:
        if options.sheets:
            cells = _read_several(connection, workbook, work, options, sheets)
        else:
            cells = _read_one(connection, workbook, work, options, sheets)
    except NotATable as error:
        error.choices = {"sheets": sheets}
        raise
    cells.choices = {"sheets": sheets}
    return cells


def _read_one(
    connection: Any, workbook: Any, work: Path, options: ReadOptions, sheets: list[SheetChoice]
) -> Cells:
    name = _chosen(sheets, options.sheet)
    warnings: list[Notice] = []
    others = (
        []
        if options.sheet
        else [item["name"] for item in sheets if item["name"] != name and item["rows"]]
    )
    if others:
        warnings.append(Notice("other_sheets", {"sheet": name, "others": ", ".join(others[:10])}))
    table, _ = _table(workbook, name, options, warnings, CELLS_MAX)
    clean, parts = work / "clean.csv", list[Part]()
    with clean.open("w", encoding="utf-8", newline="") as output:
        count = table.write(output, 0, parts, lambda row: row)
    paths = copy_clean(connection, clean, work, len(table.names))
    found: ReadOptionsBody = {
        "sheet": name,
        "header_row": table.header_row,
        "skip_rows": table.skipped,
    }
    parts = [replace(part, label="the sheet") for part in parts]
    return Cells(paths, table.names, count, True, found, warnings, lines=table.lines, parts=parts)


def _read_several(
    connection: Any, workbook: Any, work: Path, options: ReadOptions, sheets: list[SheetChoice]
) -> Cells:
    tables: list[SheetTable] = []
    left = CELLS_MAX
    for name in options.sheets:
        warnings: list[Notice] = []
        try:
            table, cells = _table(
                workbook, _chosen(sheets, name), options, warnings, left, reserved=[SHEET_COLUMN]
            )
        except NotATable as error:
            prefix = "" if name in error.message else f"Sheet {name}: "
            raise NotATable(f"{prefix}{error.message}", detail=error.detail) from error
        left -= cells
        tables.append(table)
    joined = JoinedSheets(tables)
    if len(joined.names) > COLUMNS_MAX:
        raise NotATable(
            f"The sheets have {len(joined.names)} columns together; at most {COLUMNS_MAX} are "
            "accepted. Choose fewer sheets."
        )
    clean = work / "clean.csv"
    with clean.open("w", encoding="utf-8", newline="") as output:
        count = joined.write(output)
    paths = copy_clean(connection, clean, work, len(joined.names))
    return Cells(
        paths,
        joined.names,
        count,
        True,
        joined.options,
        joined.warnings,
        lines=tables[0].lines,
        parts=joined.parts,
    )


def _table(
    workbook: Any,
    name: str,
    options: ReadOptions,
    warnings: list[Notice],
    cells_max: int,
    *,
    reserved: Sequence[str] = (),
) -> tuple[SheetTable, int]:
    """Return the table of a sheet, and its maximum number of cells."""
    cells = parse_range(options.range) if options.range else CellRange()
    try:
        sheet = workbook.get_sheet_by_name(name)
    except Exception as error:  # a damaged sheet, or a chart
        raise NotATable(
            f"Sheet {name} has no cells. Choose another one.", detail=str(error)[:500]
        ) from error
    if sheet.start is None:
        raise NotATable(f"Sheet {name} has no cells. Choose another one.")
    if not cells.meets(sheet.start, sheet.end):
        area = f"{cell_name(*sheet.start)}:{cell_name(*sheet.end)}"
        raise NotATable(f"Sheet {name} has no cells in {cells.text}. Its cells are in {area}.")
    rows = min(cells.last_row, sheet.end[0] + 1) - max(cells.first_row, sheet.start[0] + 1) + 1
    columns = (
        min(cells.last_column, sheet.end[1] + 1) - max(cells.first_column, sheet.start[1] + 1) + 1
    )
    if rows * columns > cells_max:
        together = " together with the sheets before it" if cells_max < CELLS_MAX else ""
        raise NotATable(
            f"Sheet {name} has more than {CELLS_MAX:,} cells{together}. Choose a range of fewer "
            "cells, or save it as CSV."
        )
    if columns > COLUMNS_MAX:
        raise NotATable(
            f"Sheet {name} has {columns} columns; at most {COLUMNS_MAX} are accepted. Choose a "
            "range of fewer columns, such as A:Z."
        )
    _note_merged(sheet, name, cells, warnings)
    return SheetTable(name, rows_in(sheet, cells), options, warnings, reserved), rows * columns


def _check_size(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > UNPACKED_BYTES_MAX:
        raise NotATable(
            f"The workbook unpacks to {size:,} bytes; at most {UNPACKED_BYTES_MAX:,} are read. "
            "Save the sheet as CSV and upload that."
        )


def _described(workbook: Any, meta: Any) -> SheetChoice:
    hidden = str(meta.visible).rsplit(".", 1)[-1] != "Visible"
    try:
        sheet = workbook.get_sheet_by_name(meta.name)
    except Exception:  # a chart has no cells
        return {"name": meta.name, "rows": 0, "columns": 0, "hidden": hidden}
    return {"name": meta.name, "rows": sheet.height, "columns": sheet.width, "hidden": hidden}


def _chosen(sheets: Sequence[SheetChoice], wanted: str) -> str:
    if wanted:
        if all(item["name"] != wanted for item in sheets):
            raise NotATable(
                f"The workbook has no sheet {wanted}. It has "
                f"{', '.join(item['name'] for item in sheets[:20])}."
            )
        return wanted
    filled = [item for item in sheets if item["rows"] and not item["hidden"]] or [
        item for item in sheets if item["rows"]
    ]
    if not filled:
        raise NotATable("The workbook has no cells.")
    return str(filled[0]["name"])


def _fault(complaint: str) -> str:
    lowered = complaint.lower()
    if "password" in lowered or "encrypt" in lowered:
        return "The workbook is protected by a password. Save it without one and upload that."
    return (
        "The workbook is damaged, or it is not Excel or OpenDocument. Save it again as .xlsx or "
        "CSV."
    )


def _note_merged(sheet: Any, name: str, cells: CellRange, warnings: list[Notice]) -> None:
    ranges = [
        (first, last) for first, last in sheet.merged_cell_ranges or [] if cells.meets(first, last)
    ]
    if ranges:
        listed = ", ".join(f"{cell_name(*first)}:{cell_name(*last)}" for first, last in ranges[:5])
        warnings.append(
            Notice(
                "merged_cells",
                {"sheet": name, "ranges": listed + (" and more" if len(ranges) > 5 else "")},
            )
        )
