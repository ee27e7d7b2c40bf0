"""Exact facts about each column of a file: missing and distinct values, minimum and maximum."""

import time
from collections.abc import Sequence
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.read import Reading
from mimir.lib.table_shapes import ColumnFacts
from mimir.lib.tables import Column, NoMemory, NotATable, identifier
from projects.parsing.column_profile import Budget

# A larger table gets no facts: they would take as long as reading it.
CELLS_MAX, COLUMNS_MAX = 12_000_000, 500
CPU_SECONDS = 5.0  # for all columns; the remaining ones get no facts
COLUMNS_A_QUERY, CELLS_A_QUERY = 20, 500_000  # a query's time grows faster than its columns
_NUMBERS = frozenset(
    (
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "FLOAT",
        "DOUBLE",
    )
)
_TIMES = frozenset(("DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"))


def add_facts(found: Reading) -> None:
    """Add `missing`, `distinct`, `min` and `max` to the columns of `found.schema`.

    When the CPU time limit is reached, the remaining columns do not get these fields.
    """
    if (
        not found.complete
        or len(found.schema) > COLUMNS_MAX
        or not 0 < found.row_count * len(found.schema) <= CELLS_MAX
    ):
        return
    columns = [Column(column["name"], column["type"]) for column in found.schema]
    size = max(1, min(COLUMNS_A_QUERY, CELLS_A_QUERY // found.row_count))
    budget = Budget(time.process_time() + CPU_SECONDS)
    with budget.watching(found.connection):
        for start in range(0, len(columns), size):
            if budget.spent:
                return
            try:
                facts = _facts(found, columns[start : start + size])
            except NoMemory:
                continue
            except NotATable:  # interrupted
                return
            for index, known in enumerate(facts, start=start):
                found.schema[index] = {**found.schema[index], **known}


def _facts(found: Reading, columns: Sequence[Column]) -> list[ColumnFacts]:
    queries = ", ".join(part for column in columns for part in _fact_queries(column))
    row = iter(
        run_sql(
            found.connection,
            f"SELECT {queries} FROM ({found.rows_of([column.name for column in columns])})",
        )[0]
    )
    return [_known(found.row_count, [next(row) for _ in range(4)]) for _ in columns]


def _fact_queries(column: Column) -> list[str]:
    """Return SQL for the number of values, distinct values, minimum, maximum; NULL if undefined."""
    name = identifier(column.name)
    nested = column.type.endswith("]") or column.type.startswith(("STRUCT", "MAP", "UNION"))
    distinct = "NULL" if nested else f"count(DISTINCT {name})"
    ends = [
        f"{end}({name})" if column.type in _NUMBERS | _TIMES else "NULL" for end in ("min", "max")
    ]
    if column.type in _TIMES:
        ends = [f"CAST({end} AS VARCHAR)" for end in ends]
    return [f"count({name})", distinct, *ends]


def _known(row_count: int, values: Sequence[Any]) -> ColumnFacts:
    present, distinct, low, high = values
    known: ColumnFacts = {"missing": row_count - present}
    if distinct is not None:
        known["distinct"] = distinct
    if low is not None and not any(
        isinstance(end, float) and end - end != 0 for end in (low, high)
    ):  # JSON has no infinity
        known["min"], known["max"] = low, high
    return known
