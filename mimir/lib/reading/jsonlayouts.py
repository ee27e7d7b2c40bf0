"""Conversion of JSON without row objects to JSON Lines: a list of rows, or lists by column.

pandas and many web APIs write these layouts.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mimir.lib.reading.header import is_value
from mimir.lib.reading.jsonfaults import checked_object
from mimir.lib.reading.jsonlines import Number, written
from mimir.lib.reading.messages import Notice
from mimir.lib.tables import COLUMNS_MAX, NotATable

BYTES_MAX = 16 * 1024**2  # size limit of a file for Python's parser, which uses many times its size
_SPLIT = {"columns", "data"}, {"columns", "data", "index"}


def write_rows(source: Path, target: Path, header_row: int | None, warnings: list[Notice]) -> bool:
    """Write an array of arrays or values as JSON Lines.

    Returns False for another kind of document, and above BYTES_MAX. `header_row`: 1, 0 for none, or
    None to detect it. Raises: NotATable.
    """
    with source.open(encoding="utf-8") as file:
        beginning = file.read(4096).lstrip()[1:].lstrip()
    if beginning[:1] in ("{", "]", "") or source.stat().st_size > BYTES_MAX:
        return False
    elements = _parsed(source)
    if not isinstance(elements, list) or any(isinstance(element, dict) for element in elements):
        return False
    if header_row not in (None, 0, 1):
        raise NotATable("The file is a list of rows. Choose header_row 1 or none.")
    rows = [element if isinstance(element, list) else [element] for element in elements]
    named = len(rows) > 1 and _names(rows) if header_row is None else header_row == 1
    _write(target, rows[0] if named else [], rows[1:] if named else rows)
    warnings.append(Notice("list_of_rows_named" if named else "list_of_rows", {}))
    return True


def write_columns(source: Path, target: Path, warnings: list[Notice]) -> bool:
    """Write a document with a list of values per column as JSON Lines.

    Returns False for another kind of document, and above BYTES_MAX. Raises: NotATable.
    """
    if source.stat().st_size > BYTES_MAX:
        return False
    document = _parsed(source)
    if not isinstance(document, dict):
        return False
    if document.keys() in _SPLIT and all(isinstance(document[key], list) for key in _SPLIT[0]):
        if not all(isinstance(row, list) for row in document["data"]) or not document["columns"]:
            return False
        names, rows = _indexed(document["columns"], document["data"], document.get("index"))
    else:
        columns = [_values(value) for value in document.values()]
        if (
            not columns
            or any(column is None or len(column) != len(columns[0] or ()) for column in columns)
            or not columns[0]
        ):
            return False
        names, rows = (
            list(document),
            list(zip(*(column for column in columns if column is not None), strict=True)),
        )
    _write(target, names, rows)
    warnings.append(Notice("list_of_columns", {}))
    return True


def _parsed(source: Path) -> Any:
    """Return the document with its numbers unchanged; None for invalid JSON.

    Also None for duplicate keys: the caller reports the fault.
    """
    try:
        return json.loads(
            source.read_text("utf-8"),
            parse_int=Number,
            parse_float=Number,
            parse_constant=Number,
            object_pairs_hook=checked_object,
        )
    except (ValueError, RecursionError):
        return None


def _indexed(names: list[Any], rows: list[Any], index: Any) -> tuple[list[Any], list[Any]]:
    """Return the table with its index as first column, unless the index only counts rows."""
    if (
        not isinstance(index, list)
        or len(index) != len(rows)
        or index == [str(place) for place in range(len(rows))]
    ):
        return names, rows
    return ["index", *names], [[value, *row] for value, row in zip(index, rows, strict=True)]


def _values(value: object) -> list[Any] | None:
    """Return the values of a column; None if `value` is not a column.

    A column is a list, or an object with the keys "0", "1", ..., whose values are not objects.
    """
    if (
        isinstance(value, dict)
        and value
        and list(value) == [str(index) for index in range(len(value))]
    ):
        value = list(value.values())
    return (
        value
        if isinstance(value, list) and not any(isinstance(one, dict) for one in value)
        else None
    )


def _names(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether the first row has the column names: distinct texts, none of them a value."""
    first = rows[0]
    texts = all(
        isinstance(name, str)
        and not isinstance(name, Number)
        and name.strip()
        and not is_value(name)
        for name in first
    )
    return texts and len({str(name).casefold() for name in first}) == len(first) >= max(
        map(len, rows)
    )


def _write(target: Path, names: Sequence[Any], rows: Iterable[Sequence[Any]]) -> None:
    """Write each row as an object. A missing name is `column<number>`. Raises: NotATable."""
    rows = list(rows)
    width = max(len(names), max(map(len, rows), default=0))
    if width > COLUMNS_MAX:
        raise NotATable(
            f"The rows have up to {width} values; at most {COLUMNS_MAX} columns are accepted."
        )
    if not width:
        raise NotATable("The rows are empty lists: the file has no columns.")
    keys = [
        str(name) if name not in ("", None) else f"column{index}"
        for index, name in enumerate(names, start=1)
    ]
    keys += [f"column{index}" for index in range(len(keys) + 1, width + 1)]
    texts = [json.dumps(key, ensure_ascii=False) for key in keys]
    with target.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            values = [written(value) for value in row] + ["null"] * (width - len(row))
            file.write(
                "{"
                + ",".join(f"{text}:{value}" for text, value in zip(texts, values, strict=True))
                + "}\n"
            )
