"""Wide tables: limits of the parsing child, and the same types as for single columns."""

import time
from pathlib import Path
from typing import Any

import pytest

from mimir.lib.reading.read import Reading
from tests.support.reading import read_bytes, rows_of, types_of


def test_a_wide_table_is_read_within_the_limits_of_the_child(tmp_path: Path) -> None:
    """Read the maximum number of columns in 512 MB of memory.

    The CPU time must be far below the child's limit of 50 seconds.
    """
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
    """Read the maximum number of columns in a small part of the child's 50 s of CPU time.

    The values are the same as in narrow files.
    """
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
    """Return the warnings about one column, without its name."""
    return [
        (warning["code"], {**warning["params"], "column": ""})
        for warning in found.warnings
        if warning["params"].get("column") == column
    ]
