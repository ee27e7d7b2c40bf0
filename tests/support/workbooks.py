"""Small workbooks in formats that no installed library writes.

.xls (BIFF8 in an OLE file), .ods and .xlsx (XML in a zip archive).
"""

import datetime as dt
import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

PlainCell = str | int | float | None
Cell = PlainCell | dt.date
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SECTOR = 512


def _record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _string(text: str, length: str) -> bytes:
    return struct.pack(f"<{length}B", len(text), 1) + text.encode("utf-16-le")


def _biff(rows: Sequence[Sequence[Cell]]) -> bytes:
    """Return the stream of a workbook with the sheet `Trips`: extended format 1 is a date."""
    formats = b"".join(
        _record(0x00E0, struct.pack("<HHH", 0, number, 0) + bytes(14)) for number in (0, 14)
    )
    start = _record(0x0809, struct.pack("<HHHHII", 0x0600, 5, 0, 0, 0, 6)) + formats
    name = _string("Trips", "B")
    place = len(start) + 4 + 6 + len(name) + 4
    book = start + _record(0x0085, struct.pack("<IBB", place, 0, 0) + name) + _record(0x000A)
    cells = []
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            if isinstance(value, str) and value == "#N/A":
                cells.append(_record(0x0205, struct.pack("<HHHBB", row, column, 0, 0x2A, 1)))
            elif isinstance(value, str):
                cells.append(
                    _record(0x0204, struct.pack("<HHH", row, column, 0) + _string(value, "H"))
                )
            elif value is not None:
                day = isinstance(value, dt.date)
                number = (
                    float((value - dt.date(1899, 12, 30)).days)
                    if isinstance(value, dt.date)
                    else float(value)
                )
                cells.append(_record(0x0203, struct.pack("<HHHd", row, column, int(day), number)))
    size = struct.pack("<IIHHH", 0, len(rows), 0, max(map(len, rows)), 0)
    sheet = (
        _record(0x0809, struct.pack("<HHHHII", 0x0600, 16, 0, 0, 0, 6))
        + _record(0x0200, size)
        + b"".join(cells)
        + _record(0x000A)
    )
    return book + sheet


def _entry(name: str, kind: int, start: int, size: int, child: int) -> bytes:
    text = name.encode("utf-16-le") + b"\x00\x00"
    return (
        text.ljust(64, b"\x00")
        + struct.pack("<HBBIII", len(text), kind, 1, _FREE, _FREE, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def xls(*rows: Sequence[Cell]) -> bytes:
    """Return an .xls file."""
    stream = _biff(rows)
    stream = stream.ljust(
        max(4096, -(-len(stream) // _SECTOR) * _SECTOR), b"\x00"
    )  # shorter streams are stored in another way
    sectors = len(stream) // _SECTOR
    chain = [_FAT, _END, *(number + 1 for number in range(2, sectors + 1)), _END]
    fat = struct.pack(f"<{len(chain)}I", *chain).ljust(_SECTOR, b"\xff")
    directory = _entry("Root Entry", 5, _END, 0, 1) + _entry("Workbook", 2, 2, len(stream), _FREE)
    head = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
    )
    head += (
        struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, _END, 0, _END, 0)
        + struct.pack("<I", 0)
        + struct.pack("<I", _FREE) * 108
    )
    return head + fat + directory.ljust(_SECTOR, b"\x00") + stream


def ods(*rows: Sequence[Cell]) -> bytes:
    """Return an .ods file with the sheet `Trips`."""
    listed = "".join(
        f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows
    )
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    content = (
        '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
        f'{names}><office:body><office:spreadsheet><table:table table:name="Trips">'
        f"{listed}</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    )
    return zipped(
        {
            "mimetype": kind.encode(),
            "content.xml": content.encode(),
            "META-INF/manifest.xml": manifest.encode(),
        }
    )


def _ods_cell(value: Cell) -> str:
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, dt.date):
        kind: tuple[str, Any] = ("date", f'office:date-value="{value.isoformat()}"')
    elif isinstance(value, str):
        kind = ("string", "")
    else:
        kind = ("float", f'office:value="{value}"')
    return (
        f'<table:table-cell office:value-type="{kind[0]}" '
        f"{kind[1]}><text:p>{value}</text:p></table:table-cell>"
    )


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip archive of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def xlsx(*rows: Sequence[PlainCell]) -> bytes:
    """Return an .xlsx file with the sheet `Trips`: numbers and text."""
    return xlsx_of({"Trips": rows})


def xlsx_of(
    sheets: Mapping[str, Sequence[Sequence[PlainCell]]], hidden: Sequence[str] = ()
) -> bytes:
    """Return an .xlsx file with these sheets."""
    numbered = list(enumerate(sheets.items(), start=1))
    override = (
        '<Override PartName="/xl/worksheets/sheet{}.xml" ContentType="'
        + f'{_KINDS}.worksheet+xml"/>'
    )
    state = dict.fromkeys(hidden, ' state="hidden"')
    entries = (
        f'<sheet name={quoteattr(name)} sheetId="{number}"{state.get(name, "")} r:id="r{number}"/>'
        for number, (name, _) in numbered
    )
    relations = (
        (
            f'<Relationship Id="r{number}" Type="{_OFFICE}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
        )
        for number, _ in numbered
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default '
        'Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Override '
        f'PartName="/xl/workbook.xml" ContentType="{_KINDS}.sheet.main+xml"/>'
        f"{''.join(override.format(number) for number, _ in numbered)}</Types>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": (
            f'<workbook xmlns="{_MAIN}" '
            f'xmlns:r="{_OFFICE}"><sheets>{"".join(entries)}</sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{_PACKAGE}/relationships">{"".join(relations)}</Relationships>'
        ),
        **{f"xl/worksheets/sheet{number}.xml": _worksheet(rows) for number, (_, rows) in numbered},
    }
    return zipped({name: content.encode() for name, content in parts.items()})


def _worksheet(rows: Sequence[Sequence[PlainCell]]) -> str:
    listed = "".join(
        f'<row r="{number}">{"".join(map(_xlsx_cell, values))}</row>'
        for number, values in enumerate(rows, start=1)
        if values
    )
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{listed}</sheetData></worksheet>'


def _xlsx_cell(value: PlainCell) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return "<c/>" if value is None else f"<c><v>{value}</v></c>"
