"""The reader: every format becomes one table, every value is as in the file or reported."""

import bz2
import datetime as dt
import gzip
import io
import json
import lzma
import time
import zipfile
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from mimir.lib.reading import rules
from mimir.lib.reading.read import Reading
from mimir.lib.tables import NotATable
from tests.support.reading import codes_of, read_bytes, rows_of, types_of


def _column(values: list[str]) -> bytes:
    return "\n".join(["x;y", *(f"{value};a" for value in values)]).encode()


@pytest.mark.parametrize(
    ("values", "type_name", "first", "code"),
    [
        (["1", "-2", "0"], "BIGINT", "1", None),
        (["007", "010"], "VARCHAR", "007", None),
        (["1.5", "2"], "DOUBLE", "1.5", None),
        (["9007199254740993", "1.5"], "VARCHAR", "9007199254740993", "nearly_numbers"),
        (["12345678901234567890", "1"], "VARCHAR", "12345678901234567890", "large_integers"),
        (["0.12345678901234567891", "1"], "DOUBLE", "0.12345678901234568", "rounded"),
        (["1", "n/a", "NULL"], "BIGINT", "1", "missing_words"),
        (["1.5", "#DIV/0!", "-"], "DOUBLE", "1.5", "missing_words"),
        (["1", "2", "oops"], "VARCHAR", "1", "nearly_numbers"),
        (["2,073,400", "12"], "DOUBLE", "2073400.0", "number_marks"),
        (["1.234,5", "2"], "DOUBLE", "1234.5", "number_marks"),
        (["1,234", "5,678"], "VARCHAR", "1,234", "ambiguous_numbers"),
        (["1 234 567", "12"], "DOUBLE", "1234567.0", "number_marks"),
        (["12.5 %", "3%"], "DOUBLE", "12.5", "percent"),
        (["$1,200.50", "$3"], "DOUBLE", "1200.5", "currency"),
        (["true", "FALSE"], "BOOLEAN", "true", None),
        (["2026-01-31", "2026/02/01"], "DATE", "2026-01-31", None),
        (["2015/01/01 00:00", "2015/01/02 10:00"], "TIMESTAMP", "2015-01-01 00:00:00", None),
        (
            ["2015/01/01 00:00:00", "2015/01/02 10:00:01.5"],
            "TIMESTAMP",
            "2015-01-01 00:00:00",
            None,
        ),
        (
            ["2026-01-31T10:00:00Z", "2026-01-31 10:00:00+01:00"],
            "TIMESTAMP WITH TIME ZONE",
            "2026-01-31 10:00:00+00",
            None,
        ),
        (
            ["2024-01-01T00:00:00.000000001", "2024-01-01"],
            "TIMESTAMP_NS",
            "2024-01-01 00:00:00.000000001",
            None,
        ),
        (
            ["2024-01-01T00:00:00.0000000001"] * 2,
            "VARCHAR",
            "2024-01-01T00:00:00.0000000001",
            "large_times",
        ),
        (["Jan 1 2000", "Dec 31 2001"], "DATE", "2000-01-01", "month_names"),
        (["1 January 2000", "2 Mar 2000"], "DATE", "2000-01-01", "month_names"),
        (["31/12/2025", "01/02/2025"], "DATE", "2025-12-31", "date_order"),
        (["12/31/2025", "01/02/2025"], "DATE", "2025-12-31", "date_order"),
        (["01/02/2025", "03/04/2025"], "VARCHAR", "01/02/2025", "ambiguous_dates"),
        (
            ["31.12.2025 07:00", "01.01.2026 08:00"],
            "TIMESTAMP",
            "2025-12-31 07:00:00",
            "date_order",
        ),
        (["1-2-3", "10-11-12"], "VARCHAR", "1-2-3", None),
        (
            ["BBD05AE7-5F3B-4C0E-9C0B-2D5C6B7A8E9F"] * 2,
            "VARCHAR",
            "BBD05AE7-5F3B-4C0E-9C0B-2D5C6B7A8E9F",
            None,
        ),
        (["", ""], "VARCHAR", None, "no_values"),
        (["-", "n/a"], "VARCHAR", "-", None),
    ],
)
def test_text_becomes_a_type_only_by_a_rule_for_the_whole_column(
    tmp_path: Path, values: list[str], type_name: str, first: str | None, code: str | None
) -> None:
    found = read_bytes(tmp_path, _column(values))
    assert (types_of(found)["x"], rows_of(found)[0][0]) == (type_name, first)
    assert codes_of(found) == ([code] if code else [])


def _jsonl(*values: Any) -> bytes:
    return b"".join(
        b'{"x": '
        + (value if isinstance(value, bytes) else json.dumps(value).encode())
        + b', "n": 1}\n'
        for value in values
    )


@pytest.mark.parametrize(
    ("values", "type_name", "first"),
    [
        (["1-2-3", "4-5-6"], "VARCHAR", "1-2-3"),
        (["25-11-2025", "11-12-2025"], "VARCHAR", "25-11-2025"),
        (["123", "456"], "VARCHAR", "123"),
        (["true", "false"], "VARCHAR", "true"),
        (["2026-01-31", "2026/02/01"], "DATE", "2026-01-31"),
        ([-1, 2], "BIGINT", "-1"),
        ([b"9007199254740993", b"-9007199254740993"], "BIGINT", "9007199254740993"),
        ([b"12345678901234567890", b"1"], "VARCHAR", "12345678901234567890"),
        ([b"123456789012345678901234567890", b"1"], "VARCHAR", "123456789012345678901234567890"),
        ([1.5, 2], "DOUBLE", "1.5"),
        ([1, "n/a", 3], "BIGINT", "1"),
        ([7, True, 8], "VARCHAR", "7"),
        ([1, "2"], "VARCHAR", "1"),
        (["The Quiet Field", 1776], "VARCHAR", "The Quiet Field"),
        ([{"a": 1}, "x"], "VARCHAR", '{"a":1}'),
        ([[1, 2], [3]], "BIGINT[]", "[1, 2]"),
        (
            [{"at": "1-2-3", "id": "BBD05AE7-5F3B-4C0E-9C0B-2D5C6B7A8E9F"}] * 2,
            'STRUCT("at" VARCHAR, id VARCHAR)',
            None,
        ),
        (
            [b'{"i": 12345678901234567890}', b'{"i": 1}'],
            "STRUCT(i VARCHAR)",
            "{'i': 12345678901234567890}",
        ),
        (
            [b'{"i": 9007199254740993}', b'{"i": 1.5}'],
            "STRUCT(i VARCHAR)",
            "{'i': 9007199254740993}",
        ),
    ],
)
def test_a_json_value_keeps_its_kind_and_its_digits(
    tmp_path: Path, values: list[Any], type_name: str, first: str | None
) -> None:
    found = read_bytes(tmp_path, _jsonl(*values))
    assert types_of(found)["x"].replace('"at"', '"at"') == type_name or first is None
    if first is not None:
        assert rows_of(found)[0][0] == first
    assert types_of(found)["n"] == "BIGINT"


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
    """A workbook with one sheet: text inline, dates by style 1, errors as Excel writes them."""
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
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'{start}<Relationship Id="r1" Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets><sheet name="Trips" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{start}<Relationship Id="r1" Type="{rel}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{rel}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
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


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"city, country;value\nOslo, NO;1\nRome, IT;2\n", ["city, country", "value"]),
        (
            b"product name; amount, in euro\nlamp;  1,000\nchair;   1,000,000\n",
            ["product name", "amount, in euro"],
        ),
        (b"full name\nJohn Smith\nJane Doe\n", ["full name"]),
        (b"time\n10:30\n11:45\n", ["time"]),
        (b"a;b\n1,5;2,5\n3,5;4,5\n", ["a", "b"]),
    ],
)
def test_the_delimiter_is_the_one_that_divides_all_rows(
    tmp_path: Path, content: bytes, names: list[str]
) -> None:
    assert list(types_of(read_bytes(tmp_path, content))) == names


def test_a_header_similar_to_data_is_reported_and_can_be_a_row(tmp_path: Path) -> None:
    content = b"1,Action,2006-02-15\n2,Animation,2006-02-15\n"
    found = read_bytes(tmp_path / "a", content)
    assert found.warnings[0]["message"].startswith("Line 1 looks like data (1, Action, 2006-02-15)")
    whole = read_bytes(tmp_path / "b", content, header_row="none")
    assert (whole.row_count, types_of(whole)) == (
        2,
        {"column1": "BIGINT", "column2": "VARCHAR", "column3": "DATE"},
    )


def test_a_chosen_type_refuses_or_drops_the_cells_that_do_not_fit(tmp_path: Path) -> None:
    content = b"x,y\n1,a\nERR,b\n3,c\n"
    with pytest.raises(NotATable, match='"ERR" in row 2'):
        read_bytes(tmp_path / "a", content, types={"x": "integer"})
    found = read_bytes(
        tmp_path / "b", content, types={"x": "integer", "y": "skip"}, bad_cells="missing"
    )
    assert (types_of(found), rows_of(found)) == ({"x": "BIGINT"}, [("1",), (None,), ("3",)])
    assert codes_of(found) == ["bad_cells_missing"]
    named = read_bytes(tmp_path / "c", content, missing_values=["ERR"])
    assert (types_of(named)["x"], codes_of(named)) == ("BIGINT", ["missing_words"])


def test_a_wide_table_is_read_within_the_limits_of_the_child(tmp_path: Path) -> None:
    """As many columns as are accepted, within 512 MB of memory, and far from the 50 seconds of CPU time that a child may take."""
    count = 2000
    header = ",".join(f"c{number}" for number in range(count))
    content = "\n".join(
        [header, *(",".join(f"{row}.5" for _ in range(count)) for row in range(5))]
    ).encode()
    started = time.process_time()
    found = read_bytes(tmp_path, content)
    assert time.process_time() - started < 20
    assert list(types_of(found).values()) == ["DOUBLE"] * count
    assert rows_of(found)[4][-1] == "4.5"


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["lines", "array"])
def test_wide_json_is_read_within_the_limits_of_the_child(tmp_path: Path, layout: str) -> None:
    """The most columns that are accepted take a small part of the 50 seconds of CPU time that a child may take; values are as in narrow files."""
    values = [
        "1",
        '"a\\"\\u00e9\\n"',
        "12345678901234567890123",
        "1.50",
        '{"k":[1,"x",null]}',
        "true",
        "null",
        '""',
        '"1"',
    ]
    more = [value for value in values if value[0] != "{"]
    cells = [*values, *(more[number % len(more)] for number in range(2000 - len(values)))]
    rows = [
        "{" + ", ".join(f'"c{number}": {value}' for number, value in enumerate(cells)) + "}"
    ] * 20
    content = "\n".join(rows) if layout == "lines" else f"[{', '.join(rows)}]"
    started = time.process_time()
    wide = read_bytes(tmp_path / "wide", content.encode())
    assert time.process_time() - started < 12
    narrow = read_bytes(
        tmp_path / "narrow",
        (
            "{" + ", ".join(f'"c{index}": {value}' for index, value in enumerate(values)) + "}\n"
        ).encode(),
    )
    assert list(types_of(wide).values())[: len(values)] == list(types_of(narrow).values())
    assert list(types_of(wide))[-1] == "c1999"
    assert rows_of(wide)[0][: len(values)] == rows_of(narrow)[0]
    assert rows_of(narrow)[0][1] == 'a"é\n'


def test_many_columns_are_typed_as_each_would_be_alone(tmp_path: Path) -> None:
    kinds = {
        "integer": ["1", "2", "3"],
        "number": ["1.5", "n/a", "3"],
        "nearly": ["1", "two", "3"],
        "date": ["2020-01-02", "", "2020-02-03"],
        "ambiguous": ["01/02/2020", "02/02/2020", "03/03/2020"],
        "sure": ["01/02/2020", "25/02/2020", "03/03/2020"],
        "currency": ["$1.50", "$2.00", "$3"],
        "large": ["12345678901234567890123", "22345678901234567890123", "1"],
        "rounded": ["1.23456789012345678901", "2", "3"],
        "empty": ["", "", ""],
        "code": ["007", "008", "009"],
    }
    alone = {}
    for name, values in kinds.items():
        found = read_bytes(
            tmp_path / name,
            "\n".join(["k,x", *(f"{row}k,{value}" for row, value in enumerate(values))]).encode(),
        )
        alone[name] = (
            found.schema[1]["type"],
            [row[1] for row in rows_of(found)],
            _said(found, "x"),
        )
    names = [f"{name}{number}" for number in range(8) for name in kinds]
    lines = [
        ",".join(names),
        *(",".join(values[row] for _ in range(8) for values in kinds.values()) for row in range(3)),
    ]
    wide = read_bytes(tmp_path / "wide", "\n".join(lines).encode())
    rows = rows_of(wide)
    for index, name in enumerate(names):
        assert (
            wide.schema[index]["type"],
            [row[index] for row in rows],
            _said(wide, name),
        ) == alone[name[:-1]], name


def _said(found: Reading, column: str) -> list[Any]:
    """The warnings about one column, without its name."""
    return [
        (warning["code"], {**warning["params"], "column": ""})
        for warning in found.warnings
        if warning["params"].get("column") == column
    ]


def test_windows_text_is_converted_and_said(tmp_path: Path) -> None:
    found = read_bytes(tmp_path / "a", "name,n\nJosé,1\nZoë,2\n".encode("cp1252"))
    assert (rows_of(found)[0][0], codes_of(found)) == ("José", ["guessed_encoding"])
    with pytest.raises(NotATable, match="encoding"):
        read_bytes(tmp_path / "b", "имя,n\nИван,1\n".encode("cp1251"))
    chosen = read_bytes(tmp_path / "c", "имя,n\nИван,1\n".encode("cp1251"), encoding="cp1251")
    assert rows_of(chosen)[0][0] == "Иван"


def test_every_pattern_is_the_same_in_python_and_in_the_engine() -> None:
    """A first look uses Python's expressions; a rule it drops wrongly would never be asked."""
    assert all(rule.pattern for rule in rules.TEXT_RULES)


@pytest.mark.parametrize(
    ("content", "names", "rows", "code"),
    [
        (
            '[["a", "n"], ["x", 3], ["y", 12345678901234567890]]',
            ["a", "n"],
            [("x", "3"), ("y", "12345678901234567890")],
            "list_of_rows_named",
        ),
        (
            '[["NAME","POP"],["Oslo","709037"]]',
            ["NAME", "POP"],
            [("Oslo", "709037")],
            "list_of_rows_named",
        ),
        (
            " [\n [1, 2.50], [3]]",
            ["column1", "column2"],
            [("1", "2.5"), ("3", "None")],
            "list_of_rows",
        ),
        ("[1, 2, null]", ["column1"], [("1",), ("2",), ("None",)], "list_of_rows"),
        (
            '{"a": [1, 2], "b": ["x", null]}',
            ["a", "b"],
            [("1", "x"), ("2", "None")],
            "list_of_columns",
        ),
        (
            '{"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}}',
            ["a", "b"],
            [("1", "x"), ("2", "y")],
            "list_of_columns",
        ),
        (
            '{"columns": ["a"], "index": ["x", "y"], "data": [[1], [2]]}',
            ["index", "a"],
            [("x", "1"), ("y", "2")],
            "list_of_columns",
        ),
        (
            '{"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, "y"]]}',
            ["a", "b"],
            [("1", "x"), ("2", "y")],
            "list_of_columns",
        ),
    ],
)
def test_json_without_objects_is_a_table(
    tmp_path: Path, content: str, names: list[str], rows: list[tuple[str, ...]], code: str
) -> None:
    found = read_bytes(tmp_path, content.encode())
    assert list(types_of(found)) == names
    assert [tuple(str(value) for value in row) for row in rows_of(found)] == rows
    assert code in codes_of(found)


@pytest.mark.parametrize(
    "content",
    ['{"a": [1, 2], "b": [1]}', '{"x": {"lat": 1}, "y": {"lat": 2}}', '{"a": [1, 2], "b": 3}'],
)
def test_a_json_document_of_another_kind_stays_one_row(tmp_path: Path, content: str) -> None:
    assert len(rows_of(read_bytes(tmp_path, content.encode()))) == 1


def test_the_first_row_of_a_json_list_can_be_chosen(tmp_path: Path) -> None:
    content = b'[["a", "b"], ["c", "d"]]'
    assert rows_of(read_bytes(tmp_path, content, header_row="none")) == [("a", "b"), ("c", "d")]
    with pytest.raises(NotATable, match="header_row"):
        read_bytes(tmp_path / "objects", b'[{"a": 1}]', header_row=1)
    with pytest.raises(NotATable, match="header_row 1 or none"):
        read_bytes(tmp_path / "second", content, header_row=2)


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
