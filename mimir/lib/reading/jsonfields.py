"""Conversion of objects in cells to one column per field, before types are inferred."""

import json
from pathlib import Path
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.cells import WIDE_COLUMNS, Cells, cell, column_names, copy_sql
from mimir.lib.reading.messages import Notice
from mimir.lib.tables import NotATable, quoted

STRUCTURE_CHARACTERS_MAX = 64_000
DEPTH_MAX = 10
GROUP_COLUMNS = 100


def tagged_sql(value: str) -> str:
    """Return SQL that converts JSON text to a tagged cell."""
    return (
        f"CASE WHEN left({value}, 1) = '\"' THEN '\"' || json_extract_string({value}, '$') ELSE "
        f"{value} END"
    )


def json_text(value: str) -> str:
    """Return SQL for the text of a JSON value, NULL for null."""
    return f"nullif(CAST({value} AS VARCHAR), 'null')"


def first_characters(connection: Any, cells: Cells, character: str) -> list[tuple[int, int]]:
    """Count the cells of each column that begin with `character`, and all with a value."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(cells.names), GROUP_COLUMNS):
        columns = [
            cell(index) for index in range(start, min(start + GROUP_COLUMNS, len(cells.names)))
        ]
        counted = ", ".join(
            f"count(*) FILTER (left({column}, 1) = {quoted(character)}), count({column})"
            for column in columns
        )
        row = run_sql(connection, f"SELECT {counted} FROM {cells.relation}")[0]
        found += zip(row[::2], row[1::2], strict=True)
    return found


def open_fields(connection: Any, cells: Cells, work: Path) -> None:
    """Replace each column of objects by one column per field, named `column.field`.

    Raises: NotATable.
    """
    opened: dict[int, list[tuple[str, str]]] = {}
    for index, (objects, values) in enumerate(first_characters(connection, cells, "{")):
        if objects and objects == values:
            leaves = _leaves(connection, cells, index)
            if leaves:
                opened[index] = leaves
    if not opened:
        return
    names: list[str] = []
    selected: list[str] = []
    lists: list[str] = []
    for index, name in enumerate(cells.names):
        leaves = opened.get(index, [])
        if not leaves:
            names, selected = [*names, name], [*selected, cell(index)]
            continue
        lists.append(
            f"json_extract({cell(index)}, "
            f"[{', '.join(quoted(pointer) for _, pointer in leaves)}]) AS f{index}"
        )
        names += [f"{name}.{field}" for field, _ in leaves]
        selected += [
            tagged_sql(json_text(f"f{index}[{place}]")) for place in range(1, len(leaves) + 1)
        ]
    names = column_names(names, cells.warnings)
    rewrite(
        connection,
        cells,
        work,
        "fields",
        selected,
        f"(SELECT *, {', '.join(lists)} FROM {cells.relation})",
    )
    cells.names = names


def rewrite(
    connection: Any, cells: Cells, work: Path, label: str, selected: list[str], source: str
) -> None:
    """Write the cells again, from SQL for each column over `source`; remove the old files."""
    paths = []
    for start in range(0, len(selected), WIDE_COLUMNS):
        path = work / f"{label}-{start}.parquet"
        group = selected[start : start + WIDE_COLUMNS]
        listed = ", ".join(
            f"{value} AS {cell(index)}" for index, value in enumerate(group, start=start)
        )
        run_sql(connection, copy_sql(f"SELECT {listed} FROM {source}", path, len(group)))
        paths.append(path)
    before, cells.paths = cells.paths, paths
    for path in before:
        path.unlink()


def _leaves(connection: Any, cells: Cells, index: int) -> list[tuple[str, str]]:
    """Return (name, JSON pointer) of each field below a column.

    Empty if the column stays unchanged; a warning says why, unless all its objects are empty.
    """
    column = cell(index)
    try:
        grouped = (
            f"SELECT CAST(json_group_structure(CAST({column} AS JSON)) AS VARCHAR) FROM "
            f"{cells.relation} WHERE {column} IS NOT NULL"
        )
        text = str(run_sql(connection, grouped)[0][0])
        structure = json.loads(text) if len(text) <= STRUCTURE_CHARACTERS_MAX else None
        return [] if structure == {} else _fields(structure, "", "", 0)
    except (NotATable, ValueError, RecursionError):
        reason = "its objects have too many different keys, or a key that names no column"
        cells.warnings.append(
            Notice("nested_text", {"column": cells.names[index], "reason": reason})
        )
        return []


def _fields(structure: Any, name: str, pointer: str, depth: int) -> list[tuple[str, str]]:
    """Return (name, JSON pointer) of each field of a structure.

    Raises: ValueError.
    """
    if not isinstance(structure, dict) or depth > DEPTH_MAX:
        raise ValueError("no structure of fields")
    found: list[tuple[str, str]] = []
    for key, inner in structure.items():
        if not key.strip() or "\x00" in key:
            raise ValueError("a key that names no column")
        path = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        below = f"{name}.{key}" if name else key
        found += (
            _fields(inner, below, path, depth + 1)
            if isinstance(inner, dict) and inner
            else [(below, path)]
        )
    return found
