"""Types of text columns: one rule for the whole column, header, delimiter, chosen types."""

from pathlib import Path

import pytest

from mimir.lib.reading import rules
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


def test_every_pattern_is_the_same_in_python_and_in_the_engine() -> None:
    """Python's expressions select the rules that the engine checks, so both must agree."""
    assert all(rule.pattern for rule in rules.TEXT_RULES)
