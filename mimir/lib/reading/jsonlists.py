"""Lists in the cells of JSON rows: kept, reduced to the first item, or one row per item."""

from pathlib import Path
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.cells import Cells, cell
from mimir.lib.reading.jsonfields import (
    GROUP_COLUMNS,
    first_characters,
    json_text,
    open_fields,
    rewrite,
    tagged_sql,
)
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.options import ReadOptions
from mimir.lib.tables import NotATable

ROWS_MAX = 20_000_000  # limit after the lists are opened
CELLS_MAX = 100_000_000  # rows times columns
COPIED_CHARACTERS_MAX = 1024**3  # size of the other columns, which are repeated for each item
CHARACTERS_AT_ONCE = 16 * 1024**2  # size of lists, whose items are in memory together
NAMES_SHOWN = 10


def shape_cells(connection: Any, cells: Cells, work: Path, options: ReadOptions) -> None:
    """Open objects and lists, by the options `nested`, `lists` and `list_column`.

    Raises: NotATable.
    """
    if options.nested == "columns":
        open_fields(connection, cells, work)
    found = [
        index for index, (lists, _) in enumerate(first_characters(connection, cells, "[")) if lists
    ]
    cells.choices["list_columns"] = [{"name": cells.names[index]} for index in found]
    if options.lists not in ("first", "rows"):
        return
    if options.lists == "rows":
        chosen = _chosen(cells, found, options.list_column)
        if chosen is not None:
            _open_rows(connection, cells, work, chosen)
    else:
        _keep_first(connection, cells, work, found)
    if not found and not options.list_column:
        cells.warnings.append(Notice("no_lists", {"how": options.lists}))
    elif options.nested == "columns":
        open_fields(connection, cells, work)


def _chosen(cells: Cells, found: list[int], wanted: str) -> int | None:
    """Return the column whose lists become rows; None without lists. Raises: NotATable."""
    names = [cells.names[index] for index in found]
    listed = ", ".join(names[:NAMES_SHOWN]) + (
        f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    )
    if wanted:
        if wanted not in cells.names:
            raise NotATable(
                f"list_column names {wanted!r}, which is not a column. The columns with lists: "
                f"{listed or 'none'}."
            )
        return cells.names.index(wanted)
    if len(found) > 1:
        raise NotATable(
            f"{len(names)} columns have lists: {listed}. Choose in list_column which one becomes "
            "rows."
        )
    return found[0] if found else None


def _keep_first(connection: Any, cells: Cells, work: Path, found: list[int]) -> None:
    if not found:
        return
    selected = [cell(index) for index in range(len(cells.names))]
    for start in range(0, len(found), GROUP_COLUMNS):
        group = found[start : start + GROUP_COLUMNS]
        lengths = ", ".join(f"{_items(cell(index))} AS n{index}" for index in group)
        sums = ", ".join(
            f"coalesce(sum(n{index} - 1) FILTER (n{index} > 1), 0), count(*) FILTER (n{index} > 1)"
            for index in group
        )
        counts = run_sql(
            connection, f"SELECT {sums} FROM (SELECT {lengths} FROM {cells.relation})"
        )[0]
        for index, dropped, rows in zip(group, counts[::2], counts[1::2], strict=True):
            if dropped:
                name, items = cells.names[index], int(dropped)
                cells.warnings.append(
                    Notice(
                        "list_items_dropped", {"column": name, "count": items, "rows": int(rows)}
                    )
                )
    for index in found:
        first = json_text(f"json_extract({cell(index)}, '$[0]')")
        selected[index] = (
            f"CASE WHEN {_is_list(cell(index))} THEN {tagged_sql(first)} ELSE {cell(index)} END"
        )
    rewrite(connection, cells, work, "first", selected, cells.relation)


def _is_list(column: str) -> str:
    return f"left({column}, 1) = '['"


def _items(column: str) -> str:
    """Return SQL: the number of items of a cell's list; 0 for other cells."""
    return (
        f"CASE WHEN {_is_list(column)} THEN CAST(json_array_length({column}) AS BIGINT) ELSE 0 END"
    )


def _open_rows(connection: Any, cells: Cells, work: Path, index: int) -> None:
    """Make one row for each item of a column's lists; other cells stay one row.

    Raises: NotATable.
    """
    column, relation = cell(index), _in_pieces(connection, cells, cell(index))
    items = _items(column)
    copied = (
        " + ".join(
            f"coalesce(length({cell(other)}), 0)"
            for other in range(len(cells.names))
            if other != index
        )
        or "0"
    )
    counted = (
        f"SELECT {items} AS n, coalesce({_is_list(column)}, true) AS listed, {copied} AS copied "
        f"FROM {relation}"
    )
    total, missing, characters = run_sql(
        connection,
        "SELECT coalesce(sum(greatest(1, n)), 0), count(*) FILTER (listed AND n = 0), "
        f"coalesce(sum(greatest(1, n) * copied), 0) FROM ({counted})",
    )[0]
    _check_size(cells, index, int(total), int(characters))
    values = (
        f"CASE WHEN {items} > 0 THEN CAST(CAST({column} AS JSON) AS JSON[]) ELSE CAST([NULL] AS "
        "JSON[]) END"
    )
    source = (
        f"(SELECT * EXCLUDE (file_row_number), {_is_list(column)} AS is_list, unnest({values}) AS "
        f"item FROM {relation})"
    )
    selected = [cell(other) for other in range(len(cells.names))]
    selected[index] = f"CASE WHEN is_list THEN {tagged_sql(json_text('item'))} ELSE {column} END"
    rewrite(connection, cells, work, "rows", selected, source)
    cells.warnings.append(
        Notice(
            "lists_opened",
            {"column": cells.names[index], "rows": cells.row_count, "total": int(total)},
        )
    )
    if missing:
        cells.warnings.append(
            Notice("empty_lists", {"column": cells.names[index], "count": int(missing)})
        )
    cells.row_count = int(total)


def _check_size(cells: Cells, index: int, total: int, characters: int) -> None:
    name, columns = cells.names[index], len(cells.names)
    advice = "Choose lists text or first, or split the file."
    if total > ROWS_MAX:
        raise NotATable(
            f"One row for each item of {name} makes {total:,} rows. At most {ROWS_MAX:,} are "
            f"accepted. {advice}"
        )
    if total * columns > CELLS_MAX:
        size = f"makes {total:,} rows of {columns} columns, {total * columns:,} cells"
        raise NotATable(
            f"One row for each item of {name} {size}. At most {CELLS_MAX:,} are accepted. {advice}"
        )
    if characters > COPIED_CHARACTERS_MAX:
        repeated = f"repeats {characters:,} characters of the other columns"
        raise NotATable(
            f"One row for each item of {name} {repeated}. At most {COPIED_CHARACTERS_MAX:,} are "
            f"accepted. {advice}"
        )


def _in_pieces(connection: Any, cells: Cells, column: str) -> str:
    """Return the cells as a FROM clause that yields few rows at a time for long lists."""
    numbered = (
        f"SELECT file_row_number AS place, sum(coalesce(length({column}), 0)) OVER (ORDER BY "
        f"file_row_number) // {CHARACTERS_AT_ONCE} AS piece "
        f"FROM {cells.relation}"
    )
    ranges = run_sql(
        connection, f"SELECT min(place), max(place) FROM ({numbered}) GROUP BY piece ORDER BY 1"
    )
    if len(ranges) < 2:
        return cells.relation
    pieces = (
        f"SELECT * FROM {cells.relation} WHERE file_row_number BETWEEN {first} AND {last}"
        for first, last in ranges
    )
    return f"({' UNION ALL '.join(pieces)})"
