"""Conversion of CSV and similar files to cells.

DuckDB reads regular files. Others are first rewritten with Python's csv module.
"""

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.cells import WIDE_COLUMNS, Cells, cell, column_names, copy_sql, parquet_rows
from mimir.lib.reading.container import HEAD_BYTES
from mimir.lib.reading.dialect import Dialect, detect
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.options import ReadOptions, ReadOptionsBody
from mimir.lib.reading.text import Text
from mimir.lib.tables import NoMemory, NotATable, quoted

CELL_BYTES_MAX = 8 * 1024**2
LINES_SHOWN, LINE_CHARACTERS = 10, 500


def read_delimited(connection: Any, text: Text, work: Path, options: ReadOptions) -> Cells:
    """Return the cells of a delimited text file. Raises: NotATable, with the line."""
    with text.path.open(encoding="utf-8", newline="") as file:
        sample = file.read(HEAD_BYTES)
        cut = bool(file.read(1))
    dialect = detect(sample, options, cut=cut)
    if not dialect.names:
        raise NotATable(
            f"There is no row {options.header_row} for the column names."
            if options.header_row
            else "The file has no row with column names."
        )
    warnings = [*text.warnings, *dialect.warnings]
    names = column_names(dialect.names, warnings)
    if not dialect.header:
        shown = ", ".join(names[:3]) + (f" to {names[-1]}" if len(names) > 3 else "")
        warnings.append(Notice("no_header", {"names": shown}))
    ends = [
        f"{count} {name}"
        for count, name in ((text.crlf, "CR LF"), (text.lf, "LF"), (text.cr, "CR"))
        if count
    ]
    paths = None
    if len(ends) <= 1 and not text.cr:
        paths = _copy_regular(connection, text.path, dialect, work, len(names))
    if paths is None:
        clean = work / "clean.csv"
        rewrite(text.path, clean, dialect, len(names), warnings)
        if len(ends) > 1 and not any(warning.code == "mixed_line_ends" for warning in warnings):
            warnings.append(Notice("mixed_line_ends", {"ends": ", ".join(ends)}))
        paths = copy_clean(connection, clean, work, len(names))
    count = parquet_rows(connection, paths[0])
    first = dialect.skip + 1 + dialect.header
    lines = [line.rstrip("\r\n")[:LINE_CHARACTERS] for line in sample.splitlines()[:LINES_SHOWN]]
    return Cells(
        paths,
        names,
        count,
        tagged=False,
        options=_options_found(text, dialect, options),
        warnings=warnings,
        first_line=first,
        lines=lines,
    )


def _options_found(text: Text, dialect: Dialect, options: ReadOptions) -> ReadOptionsBody:
    """Return the reading options of a file, detected or given."""
    return {
        "encoding": text.encoding,
        "delimiter": dialect.delimiter,
        "quote": dialect.quote,
        "skip_rows": options.skipped if dialect.header else dialect.skip,
        "header_row": dialect.skip - options.skipped + 1 if dialect.header else 0,
    }


def _copy_regular(
    connection: Any, path: Path, dialect: Dialect, work: Path, columns: int
) -> list[Path] | None:
    """Copy the cells with DuckDB's reader. None: the file needs the slower reader (`rewrite`)."""
    if not _is_regular(path, dialect):
        return None
    try:
        return _copy(connection, _read_csv(path, dialect, columns), work, columns)
    except NoMemory:
        raise
    except NotATable:
        return None


def _is_regular(path: Path, dialect: Dialect) -> bool:
    """Whether DuckDB reads the same rows: it also interprets quotes in the lines to skip."""
    if dialect.row_names or dialect.units_line or ord(dialect.delimiter) < 9:
        return False
    if not dialect.quote or not dialect.skip:
        return True
    with path.open(encoding="utf-8", newline="") as file:
        return all(dialect.quote not in line for line in itertools.islice(file, dialect.skip))


def _read_csv(path: Path, dialect: Dialect, columns: int) -> str:
    """Return a table function over a regular file, every column as text; empty cells are NULL."""
    listed = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(columns))
    quote = quoted(dialect.quote)
    return (
        f"read_csv({quoted(str(path))}, auto_detect=false, header={str(dialect.header).lower()}, "
        f"skip={dialect.skip}, "
        f"delim={quoted(dialect.delimiter)}, quote={quote}, escape={quote}, comment='', "
        "nullstr='', null_padding=false, strict_mode=true, "
        f"ignore_errors=false, max_line_size={2 * CELL_BYTES_MAX}, columns={{{listed}}})"
    )


def copy_clean(connection: Any, clean: Path, work: Path, columns: int) -> list[Path]:
    """Write the cells of a fully quoted comma-separated file without header as Parquet.

    `clean` is removed.
    """
    paths = _copy(
        connection, _read_csv(clean, Dialect(",", '"', header=False), columns), work, columns
    )
    clean.unlink()
    return paths


def _copy(connection: Any, source: str, work: Path, columns: int) -> list[Path]:
    """Write the cells as Parquet, in groups of columns if it takes too much memory."""
    path = work / "cells.parquet"
    try:
        run_sql(connection, copy_sql(f"SELECT * FROM {source}", path, columns))
        return [path]
    except NoMemory:
        if columns <= WIDE_COLUMNS:
            raise
    paths = []
    for start in range(0, columns, WIDE_COLUMNS):
        indexes = range(start, min(start + WIDE_COLUMNS, columns))
        part = work / f"cells-{start}.parquet"
        run_sql(
            connection,
            copy_sql(f"SELECT {', '.join(map(cell, indexes))} FROM {source}", part, len(indexes)),
        )
        paths.append(part)
    return paths


def rewrite(
    source: Path, target: Path, dialect: Dialect, width: int, warnings: list[Notice]
) -> None:
    """Write the rows with every cell quoted.

    Short rows are filled, empty cells beyond the header are removed. Raises: NotATable.
    """
    try:
        _rewrite(source, target, dialect, width, warnings, strict=True)
    except _StrayQuote as stray:
        found: list[Notice] = []
        _rewrite(source, target, dialect, width, found, strict=False)
        warnings += [Notice("stray_quotes", {"count": "Some", "line": stray.line}), *found]


@dataclass(slots=True)
class _Uneven:
    """Rows with too few or too many cells: their number, and the line of the first."""

    count: int = 0
    line: int = 0

    def add(self, line: int) -> None:
        self.count, self.line = self.count + 1, self.line or line


class _StrayQuote(Exception):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _rewrite(
    source: Path,
    target: Path,
    dialect: Dialect,
    width: int,
    warnings: list[Notice],
    *,
    strict: bool,
) -> None:
    short, long = _Uneven(), _Uneven()
    csv.field_size_limit(CELL_BYTES_MAX)
    with (
        source.open(encoding="utf-8", newline="") as file,
        target.open("w", encoding="utf-8", newline="") as output,
    ):
        writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for _ in range(dialect.skip):
            file.readline()
        first = True
        for line, cells in _rows(file, dialect, strict=strict):
            if first and dialect.header:
                first = False
                continue
            first = False
            if line == dialect.units_line:
                continue
            if not cells or (width > 1 and len(cells) == 1 and not cells[0].strip()):
                if width == 1:
                    output.write('""\n')
                continue
            if len(cells) != width:
                cells = _fitted(cells, width, line, dialect, short, long)
            writer.writerow(cells)
    for code, rows in (("short_rows", short), ("long_rows", long)):
        if rows.count:
            warnings.append(Notice(code, {"count": rows.count, "line": rows.line}))


def _rows(file: Any, dialect: Dialect, *, strict: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with its first line. Raises: NotATable, _StrayQuote."""
    quoting: Any = csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE
    sentinel = ("\x1b" if dialect.delimiter == "\x1a" else "\x1a") * 16  # contains no delimiter
    lines = _followed(file, sentinel)
    reader = csv.reader(
        lines,
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or None,
        quoting=quoting,
        strict=strict,
    )
    line = dialect.skip + 1
    try:
        for cells in reader:
            if cells == [sentinel]:
                return
            if cells and cells[-1].endswith(sentinel):
                break
            yield line, cells
            line = dialect.skip + 1 + reader.line_num
    except csv.Error as error:
        complaint = str(error)
        if "expected after" in complaint:
            raise _StrayQuote(dialect.skip + reader.line_num) from error
        if "field larger" in complaint:
            raise NotATable(
                f"Line {line} has a cell larger than {CELL_BYTES_MAX // 1024**2} MB."
            ) from error
        if "end of data" not in complaint:
            raise NotATable(f"Line {line} cannot be read: {complaint}.") from error
    raise NotATable(
        f"Line {line} opens a quote that is never closed. Close it, or choose quote none."
    )


def _followed(file: Any, sentinel: str) -> Iterator[str]:
    """Yield the lines of the file and one more, which an unclosed quote would include."""
    last = "\n"
    for last in file:  # noqa: B007 - used after the loop
        yield last
    if not last.endswith(("\n", "\r")):
        yield "\n"
    yield sentinel


def _fitted(
    cells: list[str], width: int, line: int, dialect: Dialect, short: _Uneven, long: _Uneven
) -> list[str]:
    if len(cells) < width:
        short.add(line)
        return cells + [""] * (width - len(cells))
    if any(value.strip() for value in cells[width:]):
        names = (
            f"line {dialect.skip + 1} names {width} columns"
            if dialect.header
            else f"the rows before have {width}"
        )
        hint = "Correct the line, or choose the delimiter and the quote."
        raise NotATable(f"Line {line} has {len(cells)} cells, but {names}. {hint}")
    long.add(line)
    return cells[:width]


def cut_sample(path: Path, work: Path, bytes_max: int) -> tuple[Path, bool]:
    """Return the start of a text file up to a line end, and whether more follows."""
    if path.stat().st_size <= bytes_max:
        return path, False
    target = work / "sample.txt"
    with path.open("rb") as file, target.open("wb") as output:
        head = file.read(bytes_max)
        output.write(head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head)
    return target, True
