"""Columns of JSON objects and lists: structs if every value keeps its digits, else JSON text."""

import json
import re
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.cells import Cells, cell
from mimir.lib.reading.messages import Notice
from mimir.lib.tables import NotATable, identifier, quoted

TYPE_CHARACTERS_MAX = 8_000
DEPTH_MAX = 10
_LONG_INTEGER = r"[\[:,-][0-9]{16,}[,\]}]"
_LEAVES = {
    "UBIGINT": "BIGINT",
    "BIGINT": "BIGINT",
    "HUGEINT": "BIGINT",
    "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
}


class _TooWide(Exception):
    """The structure does not fit a column."""


def plan_nested(connection: Any, cells: Cells, index: int, name: str) -> tuple[str, str]:
    """Return (type, SQL) of the column."""
    column = cell(index)
    try:
        return _typed(connection, cells, column, _structure(connection, cells, column), name)
    except (_TooWide, NotATable, RecursionError) as error:
        reason = (
            str(error) if isinstance(error, _TooWide) else "its values do not have one structure"
        )
        cells.warnings.append(Notice("nested_text", {"column": name, "reason": reason}))
        return "VARCHAR", column


def _structure(connection: Any, cells: Cells, value: str) -> Any:
    grouped = f"CAST(json_group_structure(CAST({value} AS JSON)) AS VARCHAR)"
    row = run_sql(connection, f"SELECT {grouped} FROM {cells.relation} WHERE {value} IS NOT NULL")[
        0
    ]
    if row[0] is None or len(row[0]) > 4 * TYPE_CHARACTERS_MAX:
        raise _TooWide("it has too many different keys")
    return json.loads(row[0])


def _typed(connection: Any, cells: Cells, value: str, structure: Any, name: str) -> tuple[str, str]:
    """Return type and SQL of a nested value.

    Integers above 64 bits, and numbers that DOUBLE would round, become text.
    """
    long_integers = run_sql(
        connection,
        f"SELECT count(*) FROM {cells.relation} WHERE regexp_matches({value}, "
        f"{quoted(_LONG_INTEGER)})",
    )[0][0]
    exact = {"DOUBLE": "VARCHAR"} if long_integers else {}
    shapes = [(_shape(structure, exact))]
    if long_integers:
        shapes.append(_shape(structure, {kind: "VARCHAR" for kind in _LEAVES if kind != "BOOLEAN"}))
    for shape in shapes:
        type_name = _type_name(shape)
        if len(type_name) > TYPE_CHARACTERS_MAX:
            raise _TooWide("it has too many different keys")
        cast = f"json_transform_strict(CAST({value} AS JSON), {quoted(json.dumps(shape))})"
        try:
            run_sql(connection, f"SELECT count({cast}) FROM {cells.relation}")
        except NotATable:
            continue
        if shape is not shapes[0] or (exact and shape != _shape(structure, {})):
            cells.warnings.append(Notice("nested_integers", {"column": name}))
        if _is_mixed(structure):
            cells.warnings.append(Notice("nested_mixed", {"column": name}))
        return type_name, cast
    raise _TooWide("its values do not have one structure")


def _is_mixed(structure: Any) -> bool:
    """Whether values at one place have different types, which DuckDB calls JSON."""
    if isinstance(structure, dict):
        return any(map(_is_mixed, structure.values()))
    return any(map(_is_mixed, structure)) if isinstance(structure, list) else structure == "JSON"


def _shape(structure: Any, exact: dict[str, str], depth: int = 0) -> Any:
    if depth > DEPTH_MAX:
        raise _TooWide("it is nested too deeply")
    if isinstance(structure, dict):
        folded = {key.casefold() for key in structure}
        if (
            len(folded) != len(structure)
            or "" in structure
            or any("\x00" in key for key in structure)
        ):
            raise _TooWide("its keys differ only in upper and lower case, or one is empty")
        return {key: _shape(value, exact, depth + 1) for key, value in structure.items()}
    if isinstance(structure, list):
        return [_shape(structure[0], exact, depth + 1)] if structure else ["VARCHAR"]
    return exact.get(str(structure)) or _LEAVES.get(str(structure), "VARCHAR")


def _type_name(shape: Any) -> str:
    if isinstance(shape, dict):
        if not shape:
            raise _TooWide("its objects are empty")
        fields = ", ".join(f"{_field(key)} {_type_name(value)}" for key, value in shape.items())
        return f"STRUCT({fields})"
    return f"{_type_name(shape[0])}[]" if isinstance(shape, list) else str(shape)


def _field(key: str) -> str:
    return key if re.fullmatch(r"[a-z_][a-z0-9_]*", key) else identifier(key)
