"""Detection of the first row: earlier lines are skipped and quoted, and no row is lost."""

from dataclasses import fields
from pathlib import Path

import pytest

from mimir.lib.reading.dialect import Dialect, detect
from mimir.lib.reading.options import ReadOptions, ReadOptionsBody, options_of
from mimir.lib.tables import NotATable
from tests.support.reading import codes_of, read_bytes, rows_of, types_of
from tests.support.typed_dicts import hints_of

N = "1.5,1,2\n2.5,2,4\n3.5,3,6\n4.5,4,8\n"  # three columns of numbers
TEXT_TABLE = "Oslo,NO,Europe\nRome,IT,Europe\nLima,PE,America\n"


def _detected(text: str, **options: object) -> Dialect:
    return detect(text, options_of(options), cut=False)


@pytest.mark.parametrize(
    ("leading", "names", "rows", "held"),
    [
        ("4,2,setosa\n", None, N, "4; 2; setosa"),
        ("4,2,setosa,versicolor,virginica\n", None, N, "4; 2; setosa; versicolor; virginica"),
        ("178,x\n", None, "1,2,3,4\n5,6,7,8\n", "178; x"),
        ("Report,2024\n", "time,rain,temp", N, "Report; 2024"),
        ("Report of rain, March\n", "time,rain,temp", N, "Report of rain; March"),
        ("Report, made, by, us\n", "time,rain,temp", N, "Report; made; by; us"),
        ("Report, made, 2024-01-31\n", "time,rain,temp", N, "Report; made; 2024-01-31"),
        ("Rain,,Heat\n", "time,sum,sum", N, "Rain; Heat"),
        (
            "Station:,Bergen\nPeriod:,2020\n",
            "time,rain,temp",
            N,
            '"Station:; Bergen", "Period:; 2020"',
        ),
        (
            "Station:,Bergen\nLat:,60.1\nLon:,5.3\nX:,1\nY:,2\nZ:,3\n",
            "time,rain,temp",
            N,
            "and 1 more",
        ),
        (
            'About:,"two\nlines"\n=====\nTable\n',
            "time,rain,temp",
            N,
            '"About:; two lines", "=====", "Table"',
        ),
        ("# made by us, 2024\n# second\n", "time,rain,temp", N, '"# made by us; 2024", "# second"'),
        ("# made by us, 2024\n", "# time,rain,temp", N, "# made by us; 2024"),
        ("# one\n", "#chrom,start,end", N, "# one"),
        ("# one\n", "city,country,continent", TEXT_TABLE, "# one"),
        ("Cities,of 2024\n\n", "city,country,continent", TEXT_TABLE, "Cities; of 2024"),
        ("Cities,of us\n\n", "city,country,continent", TEXT_TABLE, "Cities; of us"),
    ],
)
def test_lines_before_the_table_are_skipped_and_quoted(
    leading: str, names: str | None, rows: str, held: str
) -> None:
    text = f"{leading}{names}\n{rows}" if names else leading + rows
    found = _detected(text)
    assert found.skip == leading.count("\n")
    assert found.header == bool(names)
    assert found.names == (
        names.split(",")
        if names
        else [f"column{index + 1}" for index in range(rows.split("\n")[0].count(",") + 1)]
    )
    assert [notice.code for notice in found.warnings] == [
        "skipped_line" if leading.count("\n") == 1 else "skipped_lines"
    ]
    assert held in str(found.warnings[0].params["held"])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name,age\nBob,unknown\nAl,3\nCy,4\n", ["name", "age"]),
        ("name,age,zip\nBob,unknown,n/a\nAl,3,1\nCy,4,2\n", ["name", "age", "zip"]),
        ("country,2019,2020\nNO,1,2\nSE,n/a,-\n", ["country", "2019", "2020"]),
        ("a,b,c,d\nx,y\nz,w\n", ["a", "b", "c", "d"]),
        ("#chrom,start,end\nchr1,1,2\nchr2,3,4\n", ["#chrom", "start", "end"]),
        ("x y\n", ["x y"]),
        ("city,country,continent\n" + TEXT_TABLE, ["city", "country", "continent"]),
    ],
)
def test_a_header_stays_the_first_line(text: str, names: list[str]) -> None:
    found = _detected(text)
    assert (found.skip, found.names, found.warnings) == (0, names, [])


def test_a_first_row_that_ends_early_is_kept_as_a_row() -> None:
    found = _detected("1,2\n1,2,3,4\n5,6,7,8\n")
    assert (found.skip, found.header, len(found.names)) == (0, False, 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2,3,4\n5,6,7,8\n", "Line 1 has 2 cells, and the rows below have 4"),
        (
            "Cities,of us\ncity,country,continent,area\nOslo,NO,Europe,x\n",
            "choose skip_rows 1, and header_row none if line 2",
        ),
        ("a,b\nx,y\nx,z\n" + "x,y,z\n" * 9, "choose skip_rows 3"),
        ("t,a\n1,2\n1,3\nt,a,b\n" + N, "choose skip_rows 3"),
    ],
)
def test_a_start_that_can_be_read_in_two_ways_is_refused_with_the_options(
    text: str, said: str
) -> None:
    with pytest.raises(NotATable) as refused:
        _detected(text)
    assert said in refused.value.message
    assert _detected(text, skip_rows=1).skip == 1
    assert _detected(text, header_row=1).names == text.split("\n")[0].split(",")


def test_one_long_row_does_not_make_the_rows_before_it_a_title() -> None:
    for rows in (
        "x,y,z\n" * 5 + "x,y,z,v,w\n" + "x,y,z\n" * 3,
        "1,2,3\n" * 5 + "1,2,3,4,5\n" + "1,2,3\n" * 2,
    ):
        assert _detected("a,b,c\n" + rows).names == ["a", "b", "c"]


def test_units_below_the_header_are_skipped_unless_the_header_is_chosen() -> None:
    for units in ("s,mm,°C", "[s],[mm],[deg C]", "(h),,%"):
        text = f"time,rain,temp\n{units}\n{N}"
        found = _detected(text)
        assert (found.names, found.units_line, [notice.code for notice in found.warnings]) == (
            ["time", "rain", "temp"],
            2,
            ["units_line"],
        )
        assert _detected(text, header_row=1).units_line == 0
    assert _detected("name,grade,mark\nA,B,C\nD,1,2\n").units_line == 0
    assert _detected("a,b,c\nx,s,\n" + N).units_line == 0


def test_no_line_is_skipped_where_the_user_says_so() -> None:
    text = f"4,2,setosa\n{N}"
    assert _detected(text, skip_rows=0, header_row="none").skip == 0
    assert _detected(f"Report\n\na,b,c\n{N}", skip_rows=0).names == ["Report"]
    assert options_of({"skip_rows": 0}).given() == {"skip_rows": 0}


def test_the_options_as_json_have_the_fields_of_the_options() -> None:
    assert set(hints_of(ReadOptionsBody)) == {field.name for field in fields(ReadOptions)}


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (
            '"Rain\nof March"\ntime,rain\n1,1.5\n2,2.5\n3,3.5\n',
            [("1", "1.5"), ("2", "2.5"), ("3", "3.5")],
        ),
        (
            '"A ""title""\n\nover three lines"\ntime,rain\n1,1.5\n2,2.5\n',
            [("1", "1.5"), ("2", "2.5")],
        ),
        (
            '"yes" "no"\n"Aberdeen City" 20035 1964\n"Moray" 24822 12122\n',
            [("Aberdeen City", "20035", "1964"), ("Moray", "24822", "12122")],
        ),
        (
            'place yes no\n1 "Aberdeen City" 20 1\n2 "Fife" 2 3\n',
            [("1", "Aberdeen City", "20", "1"), ("2", "Fife", "2", "3")],
        ),
    ],
)
def test_every_row_below_a_quoted_title_or_name_is_read(
    tmp_path: Path, content: str, rows: list[tuple[str, ...]]
) -> None:
    assert [
        tuple(str(value) for value in row)
        for row in rows_of(read_bytes(tmp_path, content.encode()))
    ] == rows


def test_without_missing_values_a_json_string_stays_a_string(tmp_path: Path) -> None:
    found = read_bytes(tmp_path, b'[{"a": 1}, {"a": "1"}, {"a": 2}]', missing_values=[])
    assert types_of(found)["a"] != "BIGINT"
    assert codes_of(found)
