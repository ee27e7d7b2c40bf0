"""Conversion of JSON to cells: JSON Lines, arrays, concatenated objects, lists in a document."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.cells import Cells, column_names, copy_sql, parquet_rows
from mimir.lib.reading.delimited import copy_clean
from mimir.lib.reading.jsonfaults import Fault, line_fault
from mimir.lib.reading.jsonfields import tagged_sql
from mimir.lib.reading.jsonlayouts import write_columns, write_rows
from mimir.lib.reading.jsonlines import write_tagged
from mimir.lib.reading.jsonlists import shape_cells
from mimir.lib.reading.jsonscan import GaveUp, Scan
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.options import ReadOptions, ReadOptionsBody
from mimir.lib.reading.text import Text
from mimir.lib.table_shapes import ListChoice
from mimir.lib.tables import COLUMNS_MAX, NoMemory, NotATable, identifier, quoted

OBJECT_BYTES_MAX = 16 * 1024**2
DOCUMENT_BYTES_MAX = 256 * 1024**2  # size limit of a document with the rows in a list
LISTS_SHOWN, LIST_DEPTH_MAX = 10, 4
# from this number of columns, Python's parser needs less memory and time than one JSON function per
# column
WIDE_KEYS = 200
LINES_SHOWN, LINE_CHARACTERS, SAMPLE_CHARACTERS = 10, 500, 65_536
_LAYOUTS = {"lines": "newline_delimited", "array": "array", "objects": "unstructured"}


class _Unplaced(NotATable):
    """A fault without a known line."""


def read_json(connection: Any, text: Text, work: Path, options: ReadOptions) -> Cells:
    """Return the cells of a JSON file. Raises: NotATable, with the line or the character."""
    try:
        cells = _read(connection, text, work, options)
    except NoMemory:
        raise
    except NotATable as error:
        if not (error.detail or isinstance(error, _Unplaced)):
            raise
        lines, notices, fault = _objects(text.path, work / "scanned.jsonl")
        if lines is None:
            raise NotATable(fault or error.message, detail=error.detail) from error
        cells = _read(
            connection,
            replace(text, path=lines, warnings=(*text.warnings, *notices)),
            work,
            options,
        )
    with text.path.open(encoding="utf-8", newline="") as file:
        cells.lines = [
            line.rstrip("\r\n")[:LINE_CHARACTERS]
            for line in file.read(SAMPLE_CHARACTERS).splitlines()[:LINES_SHOWN]
        ]
    return cells


def _objects(path: Path, target: Path) -> tuple[Path | None, list[Notice], str]:
    """Write the objects of a file that the engine refused as JSON Lines.

    Returns (`target`, warnings, "") if only separators are wrong, else (None, [], fault).
    """
    scan = Scan(path)
    try:
        fault = scan.write_lines(target)
    except GaveUp:
        return None, [], ""
    except Fault as error:
        return None, [], (line_fault(path) if is_lines(path) else "") or str(error)
    if fault or not scan.oddities:
        return None, [], (line_fault(path) if is_lines(path) else "") or fault
    return (
        target,
        [
            Notice("json_oddity", {"what": what, "line": line})
            for what, line in scan.oddities.items()
        ],
        "",
    )


def _read(connection: Any, text: Text, work: Path, options: ReadOptions) -> Cells:
    with text.path.open(encoding="utf-8", newline="") as file:
        sample = file.read(SAMPLE_CHARACTERS)
    warnings, choices = list(text.warnings), list[ListChoice]()
    layout = _layout(text.path, sample)
    path, size_max = text.path, OBJECT_BYTES_MAX
    rows = work / "rows.jsonl"
    if (
        layout == "array"
        and options.records_path in ("", "$")
        and write_rows(path, rows, options.header_row, warnings)
    ):
        path, layout = rows, "lines"
    elif options.header_row is not None:
        raise NotATable(
            "header_row is for CSV, Excel, and JSON that is a list of lists. Remove it for this "
            "file."
        )
    elif layout == "document" or (options.records_path not in ("", "$")):
        path, choices = _records(connection, text.path, work, options, warnings)
        if path == text.path and not options.records_path and write_columns(path, rows, warnings):
            path = rows
        layout = "lines" if path != text.path else "objects"
        size_max = min(DOCUMENT_BYTES_MAX, max(OBJECT_BYTES_MAX, text.path.stat().st_size + 1))
    source = (
        f"{quoted(str(path))}, format={quoted(_LAYOUTS[layout])}, maximum_object_size={size_max}"
    )
    keys = _keys(connection, source)
    if len(keys) >= WIDE_KEYS and write_tagged(
        _as_lines(connection, path, layout, source, work), work / "clean.csv", keys
    ):
        cells = copy_clean(connection, work / "clean.csv", work, len(keys))
    else:
        cells = [_copy_objects(connection, source, keys, work / "cells.parquet")]
    count = parquet_rows(connection, cells[0])
    found = _options_found(text, options, choices)
    result = Cells(
        cells,
        column_names(keys, warnings),
        count,
        True,
        found,
        warnings,
        choices={"lists": choices},
    )
    shape_cells(connection, result, work, options)
    return result


def _options_found(text: Text, options: ReadOptions, choices: list[ListChoice]) -> ReadOptionsBody:
    """Return the reading options of a file, detected or given."""
    chosen = next((item["path"] for item in choices if item["chosen"]), "")
    return {
        "encoding": text.encoding,
        "nested": options.nested,
        "lists": options.lists,
        "records_path": chosen,
    }


def _copy_objects(connection: Any, source: str, keys: list[str], target: Path) -> Path:
    """Write the values of the keys as tagged cells. Return `target`."""
    typed = ", ".join(f"{quoted(key)}: 'JSON'" for key in keys)
    texts = ", ".join(
        f"nullif(CAST({identifier(key)} AS VARCHAR), 'null') AS v{index}"
        for index, key in enumerate(keys)
    )
    raw = f"(SELECT {texts} FROM read_json({source}, records=true, columns={{{typed}}}))"
    listed = ", ".join(f"{tagged_sql(f'v{index}')} AS c{index}" for index in range(len(keys)))
    run_sql(connection, copy_sql(f"SELECT {listed} FROM {raw}", target, len(keys)))
    return target


def _as_lines(connection: Any, path: Path, layout: str, source: str, work: Path) -> Path:
    """Return a file with the objects as JSON Lines: `path`, or a new one in `work`."""
    if layout == "lines":
        return path
    target = work / "objects.jsonl"
    run_sql(
        connection,
        _lines_sql(f"SELECT CAST(json AS VARCHAR) FROM read_json_objects({source})", target),
    )
    return target


def _lines_sql(select: str, target: Path) -> str:
    """Return a statement that writes each row as a line.

    JSON text has no line end and no control character.
    """
    return (
        f"COPY ({select}) TO {quoted(str(target))} (FORMAT csv, HEADER false, QUOTE '', ESCAPE "
        "'', DELIMITER '\x1f')"
    )


def is_lines(path: Path) -> bool:
    """Whether the file looks like JSON Lines, by the first line of its sample."""
    with path.open(encoding="utf-8", newline="") as file:
        sample = file.read(SAMPLE_CHARACTERS)
    return _layout(path, sample) == "lines" or (
        sample.startswith("{") and len(sample.strip().splitlines()) == 1
    )


def _layout(path: Path, sample: str) -> str:
    """Return `lines`, `array`, `objects` or `document`.

    `objects`: one after another, over several lines. `document`: one object is the whole file.
    """
    start = sample.lstrip()
    if start.startswith("["):
        return "array"
    first = start.splitlines()[0].strip()
    try:
        json.loads(first)
    except ValueError:
        if _ends_early(sample):
            return "objects"
        return "document" if path.stat().st_size <= DOCUMENT_BYTES_MAX else "lines"
    rest = start[len(first) :].strip()
    if not rest and path.stat().st_size <= len(sample.encode()):
        return "document"
    return "lines"


def _ends_early(sample: str) -> bool:
    """Whether an object of several lines ends in the sample and another one follows.

    Also true for JSON Lines whose first line has more text after its object.
    """
    try:
        _, end = json.JSONDecoder().raw_decode(sample.lstrip())
    except ValueError:
        return False
    return bool(sample.lstrip()[end:].strip())


def _keys(connection: Any, source: str) -> list[str]:
    """Return the keys of all objects in order of first occurrence. Raises: NotATable."""
    keys = f"(SELECT json_keys(json) AS keys FROM read_json_objects({source}))"
    placed = f"SELECT unnest(keys) AS key, generate_subscripts(keys, 1) AS place FROM {keys}"
    rows = run_sql(connection, f"SELECT key, min(place) FROM ({placed}) GROUP BY key ORDER BY 2, 1")
    if not rows:
        raise NotATable("The file has no columns: its objects are empty.")
    folded: dict[str, str] = {}
    for (repeated,) in run_sql(
        connection, f"SELECT keys FROM {keys} WHERE len(keys) <> len(list_distinct(keys)) LIMIT 1"
    ):
        twice = next(key for key in repeated if repeated.count(key) > 1)
        raise _Unplaced(f"The key {twice} occurs twice in one object. Rename or remove one.")
    for key, _ in rows:
        if not key.strip():
            raise _Unplaced("A key is empty. Rename it.")
        if folded.setdefault(key.casefold(), key) != key:
            raise NotATable(
                f"The keys {folded[key.casefold()]} and {key} differ only in upper and lower "
                "case. Rename one."
            )
    if len(rows) > COLUMNS_MAX:
        raise NotATable(
            f"The objects have {len(rows)} different keys; at most {COLUMNS_MAX} columns are "
            "accepted."
        )
    return [row[0] for row in rows]


def _records(
    connection: Any, path: Path, work: Path, options: ReadOptions, warnings: list[Notice]
) -> tuple[Path, list[ListChoice]]:
    """Return a file with the list of rows in a document as JSON Lines, and all lists in it.

    The file is `path` itself if the document has no list of several objects. Raises: NotATable.
    """
    size = path.stat().st_size
    if size > DOCUMENT_BYTES_MAX:
        raise NotATable(
            f"The file is one JSON document of more than {DOCUMENT_BYTES_MAX // 1024**2} MB. "
            "Write JSON lines: one object a line."
        )
    source = (
        f"read_json_objects({quoted(str(path))}, format='unstructured', "
        f"maximum_object_size={size + 1})"
    )
    document = f"(SELECT json FROM {source} LIMIT 1)"
    lists = _lists(connection, document, "$", 0) if options.records_path != "$" else []
    wanted = options.records_path
    chosen = (
        next((item for item in lists if item["path"] == wanted), None)
        if wanted not in ("", "$")
        else _longest(lists)
    )
    if wanted not in ("", "$") and chosen is None:
        shown = ", ".join(item["path"] for item in lists[:LISTS_SHOWN]) or "none"
        raise NotATable(f"There is no list of objects at {wanted}. The lists in the file: {shown}.")
    for item in lists:
        item["chosen"] = item is chosen
    if chosen is None:
        return path, lists
    target = work / "records.jsonl"
    _copy_elements(connection, document, chosen, target)
    warnings.append(Notice("records_path", {"path": chosen["path"]}))
    others = [item["path"] for item in lists if item is not chosen and item["count"]]
    if others and not wanted:
        code = "other_list" if len(others) == 1 else "other_lists"
        warnings.append(Notice(code, {"others": ", ".join(others[:LISTS_SHOWN])}))
    return target, lists


def _copy_elements(connection: Any, document: str, chosen: ListChoice, target: Path) -> None:
    """Write the objects of a list as JSON Lines. Raises: NotATable."""
    elements = (
        f"SELECT CAST(json_extract(json, {quoted(chosen['json_path'])}) AS JSON[]) AS elements "
        f"FROM {document}"
    )
    rows = (
        "SELECT unnest(elements) AS row, generate_subscripts(elements, 1) AS place FROM "
        f"({elements})"
    )
    other = run_sql(
        connection,
        f"SELECT place FROM ({rows}) WHERE coalesce(json_type(row), 'NULL') NOT IN ('OBJECT', "
        "'NULL') LIMIT 1",
    )
    if other:
        raise NotATable(
            f"Element {other[0][0]} of the list {chosen['path']} is not an object. Each row must "
            "be an object with the columns as keys."
        )
    run_sql(
        connection,
        _lines_sql(
            f"SELECT coalesce(nullif(CAST(row AS VARCHAR), 'null'), '{{}}') FROM ({rows})", target
        ),
    )


def _longest(lists: list[ListChoice]) -> ListChoice | None:
    several = [item for item in lists if item["count"] > 1]
    return max(several, key=lambda item: item["count"], default=None)


def _lists(connection: Any, document: str, path: str, depth: int) -> list[ListChoice]:
    """Return the lists of objects below `path`."""
    inner = f"SELECT json_extract(json, {quoted(path)}) AS value FROM {document}"
    keys = run_sql(
        connection,
        f"SELECT unnest(json_keys(value)) FROM ({inner}) WHERE json_type(value) = 'OBJECT'",
    )
    found: list[ListChoice] = []
    for (key,) in keys[:200]:
        if not key or re.search(r'["\\\x00-\x1f]', key):
            continue
        below = f'{path}."{key}"'
        value = f"json_extract(json, {quoted(below)})"
        row = run_sql(
            connection,
            f"SELECT json_type({value}), json_array_length({value}), json_type({value}, '$[0]') "
            f"FROM {document}",
        )[0]
        if row[0] == "ARRAY" and row[2] == "OBJECT":
            shown = ".".join(re.findall(r'"([^"]*)"', below))
            found.append({"path": shown, "json_path": below, "count": int(row[1]), "chosen": False})
        elif row[0] == "OBJECT" and depth < LIST_DEPTH_MAX:
            found += _lists(connection, document, below, depth + 1)
    return found
