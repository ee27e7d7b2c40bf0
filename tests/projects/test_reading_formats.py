"""File formats: compressed text, Arrow, Parquet, workbooks, and files without a table."""

import bz2
import datetime as dt
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from mimir.lib.tables import NotATable
from tests.support.reading import codes_of, read_bytes, rows_of, types_of


@pytest.mark.parametrize(
    "content",
    [
        b'[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]',
        b'{\n "a": 1,\n "b": "x"\n}\n{\n "a": 2,\n "b": "y"\n}\n',
        b'{"a": 1, "b": "x"}{"a": 2, "b": "y"}',
        b'{"a": 1, "b": "x"}\n\n{"a": 2, "b": "y"}',
        b'\xef\xbb\xbf{"a": 1, "b": "x"}\r\n{"a": 2, "b": "y"}\r\n',
        b'{"data": {"rows": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "errors": []}}',
        b"a,b\n1,x\n2,y\n",
        b"a,b\r\n1,x\n2,y\r\n",
        b"a,b\r1,x\r2,y\r",
        b"a^b\n1^x\n2^y\n",
        b"a\tb\n1\tx\n2\ty",
        b"sep=;\na;b\n1;x\n2;y\n",
        b"Report of the year\n\na,b\n1,x\n2,y\n",
        b"a,b\n1,x\n\n2,y,\n",
        "a,b\n1,x\n2,y\n".encode("utf-16"),
        "a,b\n1,x\n2,y\n".encode("utf-16-be"),
        gzip.compress(b"a,b\n1,x\n2,y\n"),
        bz2.compress(b"a,b\n1,x\n2,y\n"),
        lzma.compress(b"a,b\n1,x\n2,y\n"),
        bytes(pyarrow.compress(b"a,b\n1,x\n2,y\n", "zstd", asbytes=True)),
    ],
    ids=range(20),
)
def test_one_table_in_many_forms(tmp_path: Path, content: bytes) -> None:
    found = read_bytes(tmp_path, content)
    assert types_of(found) == {"a": "BIGINT", "b": "VARCHAR"}
    assert rows_of(found) == [("1", "x"), ("2", "y")]


def _ipc(stream: bool) -> bytes:
    table = pyarrow.table(
        {
            "a": [1, 2],
            "b": pyarrow.array(["x", None]).dictionary_encode(),
            "t": pyarrow.array([1, 2], pyarrow.timestamp("ns")),
            "d": pyarrow.array([1, 2], pyarrow.duration("s")),
        }
    )
    sink = io.BytesIO()
    with (pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("stream", [False, True])
def test_arrow_keeps_nanoseconds_and_text(tmp_path: Path, stream: bool) -> None:
    found = read_bytes(tmp_path, _ipc(stream))
    assert types_of(found) == {"a": "BIGINT", "b": "VARCHAR", "t": "TIMESTAMP_NS", "d": "BIGINT"}
    assert rows_of(found)[1] == ("2", None, "1970-01-01 00:00:00.000000002", "2")
    assert codes_of(found) == ["type_changed"]


_SHEET = """<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>"""


def _xlsx(*rows: list[Any]) -> bytes:
    """Return a workbook with one sheet: inline text, dates in style 1, errors as in Excel."""
    listed = []
    for number, row in enumerate(rows, start=1):
        cells = []
        for column, value in enumerate(row):
            place = f"{chr(65 + column)}{number}"
            if isinstance(value, dt.date):
                cells.append(
                    f'<c r="{place}" s="1"><v>{(value - dt.date(1899, 12, 30)).days}</v></c>'
                )
            elif isinstance(value, str) and value.startswith("#"):
                cells.append(f'<c r="{place}" t="e"><v>{value}</v></c>')
            elif isinstance(value, str):
                cells.append(f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>')
            elif value is not None:
                cells.append(f'<c r="{place}"><v>{value}</v></c>')
        listed.append(f'<row r="{number}">{"".join(cells)}</row>')
    main, rel = (
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    )
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    start = f'<Relationships xmlns="{package}">'
    files = {
        "[Content_Types].xml": (
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
        ),
        "_rels/.rels": (
            f'{start}<Relationship Id="r1" Type="{rel}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets><sheet name="Trips" sheetId="1" '
            'r:id="r1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": f'{start}<Relationship Id="r1" Type="{rel}/worksheet" '
        'Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{rel}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": (
            f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf '
            'numFmtId="14"/></cellXfs></styleSheet>'
        ),
        "xl/worksheets/sheet1.xml": _SHEET % "".join(listed),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file.getvalue()


def test_a_workbook_is_read_below_its_title(tmp_path: Path) -> None:
    day = dt.date(2025, 1, 3)
    content = _xlsx(
        ["Trips of the year"],
        [],
        ["id", "day", "code", "minutes"],
        [1, day, "007", 1.5],
        [2, day, "008", "#N/A"],
    )
    found = read_bytes(tmp_path, content)
    assert found.format == "excel"
    assert types_of(found) == {
        "id": "BIGINT",
        "day": "DATE",
        "code": "VARCHAR",
        "minutes": "DOUBLE",
    }
    assert rows_of(found) == [("1", "2025-01-03", "007", "1.5"), ("2", "2025-01-03", "008", None)]
    assert "skipped_lines" in codes_of(found)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html></html>", "HTML page"),
        (b"<table><tr><td>a</td></tr></table>", "HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
        (b"%PDF-1.7 x", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"{}\n{}\n", "no columns"),
        (b'{"": 1}\n{"a": 2}\n', "empty key"),
        (b'{"a": 1, "a": 2}\n', "duplicate key"),
        (b'{"a": 1}\n[1]\n', "Line 2"),
        (b'{"a": 1}\n{"a": oops}\n', "Line 2"),
        (gzip.compress(b"\x00" * 100_000_000), "200 times"),
    ],
    ids=range(14),
)
def test_a_file_that_is_not_a_table_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(NotATable) as refused:
        read_bytes(tmp_path, content)
    assert said in refused.value.message


def test_windows_text_is_converted_and_said(tmp_path: Path) -> None:
    found = read_bytes(tmp_path / "a", "name,n\nJosé,1\nZoë,2\n".encode("cp1252"))
    assert (rows_of(found)[0][0], codes_of(found)) == ("José", ["guessed_encoding"])
    with pytest.raises(NotATable, match="encoding"):
        read_bytes(tmp_path / "b", "имя,n\nИван,1\n".encode("cp1251"))
    chosen = read_bytes(tmp_path / "c", "имя,n\nИван,1\n".encode("cp1251"), encoding="cp1251")
    assert rows_of(chosen)[0][0] == "Иван"


def test_durations_of_parquet_become_numbers_and_are_reported(tmp_path: Path) -> None:
    table = pyarrow.table(
        {"wait": pyarrow.array([dt.timedelta(seconds=2)], pyarrow.duration("ms")), "n": [1]}
    )
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    found = read_bytes(tmp_path, buffer.getvalue())
    assert rows_of(found) == [("2000", "1")]
    assert [
        notice["params"]["column"] for notice in found.warnings if notice["code"] == "type_changed"
    ] == ["wait"]
