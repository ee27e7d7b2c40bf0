"""Conversion of wide JSON Lines to a CSV file of tagged cells, with Python's parser.

Every number keeps its digits.
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path


class Number(str):
    """A number with its digits as in the file."""


def write_tagged(source: Path, target: Path, keys: Sequence[str]) -> bool:
    """Write one row for each object.

    Returns False if a line is not an object of `keys`, or has an escaped NUL character, which a CSV
    file cannot store: DuckDB then reads the file and reports the fault.
    """
    places = {key: index for index, key in enumerate(keys)}
    try:
        with (
            source.open(encoding="utf-8", newline="\n") as file,
            target.open("w", encoding="utf-8", newline="") as output,
        ):
            writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\n")
            for line in file:
                if "\\u0000" in line:
                    return False
                if not line.strip():
                    continue
                row = [""] * len(keys)
                for key, value in json.loads(
                    line, parse_int=Number, parse_float=Number, parse_constant=Number
                ).items():
                    row[places[key]] = _tagged(value)
                writer.writerow(row)
    except (ValueError, KeyError, AttributeError, RecursionError):
        return False
    return True


def _tagged(value: object) -> str:
    """Return a value as a tagged cell (see `cells.Cells`); empty for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value) if isinstance(value, Number) else '"' + value
    return written(value)


def written(value: object) -> str:
    """Return the JSON text of a value whose numbers are `Number`."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(
                f"{json.dumps(key, ensure_ascii=False)}:{written(inner)}"
                for key, inner in value.items()
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
