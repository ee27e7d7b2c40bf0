"""Description of each column of a table, with exact counts. Runs in the parsing child.

NaN counts as missing; infinite values are ignored in computations with numbers. Each bin is [edge,
next edge); the last one includes its upper edge. `std` is of a sample. Times are ISO 8601 text and
have no mean. A column that cannot be described within the limits has name, type and kind only; all
other fields are null.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from mimir.lib.inspection import DiskFull, run_sql
from mimir.lib.schemas.signature import kind_of
from mimir.lib.tables import Column, NotATable, identifier
from projects.parsing.messages import ColumnProfileBody

COLUMNS_MAX = 1000  # described; a wider table has only names of the others
BINS_MAX, TOP_MAX = 20, 10
VALUE_CHARACTERS = 200  # of one of the most common values
_WHOLE_RANGE_MAX = 1_000_000  # below it, whole numbers get bins of whole width
_LARGE = 1e150  # squares of larger numbers overflow a double
_NAMED_MAX = 5  # columns that a fault names
_WATCH_SECONDS = 0.2
_INTEGERS = frozenset(
    [
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
    ]
)

Facts = dict[str, Any]  # some fields of a `ColumnProfileBody`


class Budget:
    """Limit of CPU seconds. A limit of wall time would depend on the load of the machine."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @property
    def spent(self) -> bool:
        return time.process_time() > self.seconds

    @contextmanager
    def watching(self, connection: Any) -> Iterator[None]:
        """Interrupt the query of `connection` once the budget is spent."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(_WATCH_SECONDS):
                if self.spent:
                    connection.interrupt()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def described(
    connection: Any, source: str, schema: Sequence[Column], budget: Budget
) -> tuple[list[ColumnProfileBody], str]:
    """Describe each column of the SQL table `source`, in order.

    Returns the descriptions and a sentence about omitted columns, or an empty text.
    """
    row_count = int(run_sql(connection, f"SELECT count(*) FROM {source}")[0][0])
    found: list[ColumnProfileBody] = []
    refused: list[str] = []
    late = 0
    for index, column in enumerate(schema):
        kind = kind_of(column.type) or "other"
        facts: Facts = {}
        if index < COLUMNS_MAX and not budget.spent:
            try:
                facts = _DESCRIBERS[kind](connection, source, column, row_count)
            except DiskFull:
                raise
            except NotATable:
                if not budget.spent:
                    refused.append(column.name)
        if not facts and index < COLUMNS_MAX and budget.spent:
            late += 1
        found.append(cast("ColumnProfileBody", {**_blank(column, kind), **facts}))
    return found, _fault(len(schema), late, refused, budget)


def _blank(column: Column, kind: str) -> Facts:
    nothing = dict.fromkeys(
        ("missing", "distinct", "min", "max", "mean", "std", "histogram", "top")
    )
    return {"name": column.name, "type": column.type, "kind": kind, **nothing}


def _fault(columns: int, late: int, refused: Sequence[str], budget: Budget) -> str:
    sentences = []
    if columns > COLUMNS_MAX:
        sentences.append(f"Only the first {COLUMNS_MAX} of {columns} columns are described.")
    if late:
        described_columns = min(columns, COLUMNS_MAX) - late
        sentences.append(
            f"The table is too large to describe completely: {described_columns} of {columns}"
            f" columns took {budget.seconds:.0f} seconds of CPU time."
            " Upload a version with fewer rows or columns."
        )
    if refused:
        more = f" and {len(refused) - _NAMED_MAX} more" if len(refused) > _NAMED_MAX else ""
        sentences.append(
            f"Not described, because of memory or type: {', '.join(refused[:_NAMED_MAX])}{more}."
        )
    return " ".join(sentences)


def _number(connection: Any, source: str, column: Column, row_count: int) -> Facts:
    name = identifier(column.name)
    if column.type in _INTEGERS:
        value, finite, there = name, f"{name} IS NOT NULL", f"{name} IS NOT NULL"
    else:
        value = f"CAST({name} AS DOUBLE)"
        finite, there = f"isfinite({value})", f"NOT isnan({value})"
    row = run_sql(
        connection,
        f"SELECT count(*) FILTER ({there}), count(DISTINCT {name}) FILTER ({there}), "
        f"min({value}) FILTER ({finite}), max({value}) FILTER ({finite}) FROM {source}",
    )[0]
    low, high = row[2], row[3]
    facts = {"missing": row_count - row[0], "distinct": row[1], "min": low, "max": high}
    if low is None:
        return facts
    scale = max(abs(low), abs(high))
    scaled, factor = (
        (f"{value} / {_literal(scale)}", scale)
        if isinstance(scale, float) and scale > _LARGE
        else (value, 1)
    )
    counted = f"{source} WHERE {finite}"
    edges = _edges(low, high)
    mean, std, *counts = _binned(
        connection, counted, value, edges, f"avg({scaled})", f"stddev_samp({scaled})"
    )
    facts |= {
        "mean": float(mean) * factor,
        "std": None if std is None else _finite(float(std) * factor),
    }
    return facts | {"histogram": {"edges": edges, "counts": counts}}


def _finite(number: float) -> float | None:
    """Return None for infinity, which JSON does not have."""
    return number if number - number == 0 else None


def _time(connection: Any, source: str, column: Column, row_count: int) -> Facts:
    """Describe dates as whole days and times as whole microseconds."""
    name = identifier(column.name)
    zoned = column.type.startswith("TIMESTAMP") and (
        "TIME ZONE" in column.type or "TZ" in column.type
    )
    if column.type == "DATE":
        instant, value = name, f"datediff('day', DATE '1970-01-01', {name})"
        shown = "CAST(DATE '1970-01-01' + CAST({} AS INTEGER) AS VARCHAR)"
    else:
        instant = f"CAST({name} AS {'TIMESTAMPTZ' if zoned else 'TIMESTAMP'})"
        value = f"epoch_us({instant})"
        shown = "replace(CAST(make_timestamp({}) AS VARCHAR), ' ', 'T')" + (
            " || 'Z'" if zoned else ""
        )
    finite = f"isfinite({instant})"
    row = run_sql(
        connection,
        f"SELECT count({name}), count(DISTINCT {name}), min({value}) FILTER ({finite}),"
        f" max({value}) FILTER ({finite}) FROM {source}",
    )[0]
    facts = {"missing": row_count - row[0], "distinct": row[1]}
    if row[2] is None:
        return facts
    low, high = int(row[2]), int(row[3])
    edges = _edges(low, high)
    counts = _binned(connection, f"{source} WHERE {finite}", value, edges)
    texts = run_sql(
        connection, f"SELECT {', '.join(shown.format(instant) for instant in (low, high, *edges))}"
    )[0]
    return facts | {
        "min": texts[0],
        "max": texts[1],
        "histogram": {"edges": list(texts[2:]), "counts": list(counts)},
    }


def _edges(low: Any, high: Any) -> list[Any]:
    """Return the edges of at most BINS_MAX bins.

    Whole numbers in a small range get bins that hold equally many of them.
    """
    if isinstance(low, int):
        span = high - low
        if span < _WHOLE_RANGE_MAX:
            width = -(-(span + 1) // BINS_MAX)
            return [low + index * width for index in range(-(-(span + 1) // width) + 1)]
        return [low + span * index // BINS_MAX for index in range(BINS_MAX + 1)]
    parts = [index / BINS_MAX for index in range(1, BINS_MAX)]
    inner = {
        low * (1 - part) + high * part for part in parts
    }  # a sum of differences could overflow
    return [low, *sorted(edge for edge in inner if low < edge < high), high]


def _binned(
    connection: Any, counted: str, value: str, edges: Sequence[Any], *more: str
) -> list[Any]:
    """Return the results of the SQL expressions `more`, then the number of values in each bin."""
    reached = [f"count(*) FILTER ({value} >= {_literal(edge)})" for edge in edges[1:-1]]
    row = run_sql(connection, f"SELECT {', '.join([*more, 'count(*)', *reached])} FROM {counted}")[
        0
    ]
    results, above = row[: len(more)], [*row[len(more) :], 0]
    return [*results, *(first - second for first, second in itertools.pairwise(above))]


def _literal(number: Any) -> str:
    return f"CAST('{number!r}' AS DOUBLE)" if isinstance(number, float) else str(number)


def _category(connection: Any, source: str, column: Column, row_count: int) -> Facts:
    name = identifier(column.name)
    grouped = (
        f"SELECT {name} AS value, count(*) AS times FROM {source}"
        f" WHERE {name} IS NOT NULL GROUP BY {name}"
    )
    text = f"left(CAST(value AS VARCHAR), {VALUE_CHARACTERS + 1})"
    first = f"SELECT {text} AS text, times FROM grouped ORDER BY times DESC, value LIMIT {TOP_MAX}"
    row = run_sql(
        connection,
        f"WITH grouped AS MATERIALIZED ({grouped}) "
        "SELECT count(*), coalesce(sum(times), 0),"
        f" (SELECT list([text, times::VARCHAR]) FROM ({first})) FROM grouped",
    )[0]
    top = [{"value": _shown(value), "count": int(times)} for value, times in row[2] or []]
    return {"missing": row_count - int(row[1]), "distinct": row[0], "top": top}


def _shown(text: str) -> str:
    text = text.replace("\x00", "\ufffd")
    return text if len(text) <= VALUE_CHARACTERS else text[:VALUE_CHARACTERS] + "…"


def _other(connection: Any, source: str, column: Column, row_count: int) -> Facts:
    name = identifier(column.name)
    row = run_sql(connection, f"SELECT count({name}), count(DISTINCT {name}) FROM {source}")[0]
    return {"missing": row_count - row[0], "distinct": row[1]}


_DESCRIBERS: dict[str, Callable[[Any, str, Column, int], Facts]] = {
    "number": _number,
    "category": _category,
    "boolean": _category,
    "time": _time,
    "other": _other,
}
