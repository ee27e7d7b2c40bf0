"""Queries over the text cells of many columns: first cells, and counts by condition.

One expression per column is fast for many rows. A wide table with few rows would spend its time on
the preparation of thousands of expressions: its cells are first stacked as rows (row number,
column, text), and one expression serves all columns.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.rules import Rule, sql_text
from mimir.lib.tables import NoMemory

EXPRESSIONS_A_QUERY = 80  # maximum in one statement: each needs memory for all its parts
FIRST_ROWS, FIRST_CELLS, FIRST_CHARACTERS = 10_000, 30, 200  # limits of the first cells
STACK_COLUMNS, STACK_CELLS = 40, 200_000  # minimum number of columns; maximum number of cells

STACK, STACKED = "stacked_cells", "raw"
STACKED_AT_ONCE = 200  # columns in one statement: each needs its own memory


@dataclass(slots=True)
class TextColumn:
    """A column whose type is inferred.

    `text`: SQL for the trimmed text of its cell, NULL for an empty cell. `rules`: in the order in
    which they are tried.
    """

    name: str
    text: str
    rules: list[Rule]
    source: str  # SQL for the cell
    stacked: str  # the same as `text`, for a cell in `STACKED`
    missing: tuple[str, ...] = ()  # lower-case words for a missing value among typed cells
    always_missing: bool = False  # the user gave the words: they also apply to text columns
    # Results of the inference.
    rule: Rule | None = None
    values: int = 0
    missing_cells: int = 0
    ambiguous: list[Rule] = field(default_factory=list)
    shares: dict[str, float] = field(
        default_factory=dict
    )  # by rule name: share of the first cells that its pattern allows

    def is_missing(self, text: str = "") -> str:
        """Return the SQL condition that the cell is a word for a missing value.

        `text`: SQL for its text, by default `self.text`.
        """
        if not self.missing:
            return "false"
        return (
            f"lower({text or self.text}) IN ({', '.join(sql_text(word) for word in self.missing)})"
        )

    def matches(self, rule: Rule, text: str = "") -> str:
        """Return the SQL condition that the cell matches `rule`.

        A word for a missing value can match, too, such as `nan` a number: it counts as missing.
        """
        return f"({rule.match.format(t=text or self.text)})"


Conditions = Callable[
    [TextColumn, str, str], Sequence[str]
]  # from a column, SQL for its text and the SQL condition "is missing" to SQL conditions


class Asker:
    """Queries with one expression per column, over some columns at a time to bound the memory."""

    def __init__(self, connection: Any, relation: str) -> None:
        self._connection, self._relation = connection, relation

    def first_cells(self, columns: Sequence[TextColumn]) -> list[list[str]]:
        """Return the first non-empty cells of each column, shortened."""
        found: list[list[str]] = []
        per_query = EXPRESSIONS_A_QUERY // 2
        for start in range(0, len(columns), per_query):
            group = columns[start : start + per_query]
            texts = ", ".join(f"{column.text} AS t{index}" for index, column in enumerate(group))
            lists = [
                (
                    f"arg_min(left(t{index}, {FIRST_CHARACTERS}), place, {FIRST_CELLS}) FILTER "
                    f"(t{index} IS NOT NULL)"
                )
                for index in range(len(group))
            ]
            cells = (
                f"(SELECT file_row_number AS place, {texts} FROM {self._relation} LIMIT "
                f"{FIRST_ROWS})"
            )
            found += [
                texts or []
                for texts in run_sql(self._connection, f"SELECT {', '.join(lists)} FROM {cells}")[0]
            ]
        return found

    def counts(
        self, columns: Sequence[TextColumn], conditions: Conditions, *, limit: int = 0
    ) -> list[tuple[int, ...]]:
        """Count the cells of each column that match each condition.

        `limit`: count only in this number of first rows; 0: in all rows.
        """
        found: list[tuple[int, ...]] = []
        limited = f" LIMIT {limit}" if limit else ""
        requested = [
            tuple(conditions(column, f"t{index}", f"m{index}"))
            for index, column in enumerate(columns)
        ]
        per_query = EXPRESSIONS_A_QUERY // max([len(each) for each in requested], default=1)
        for start in range(0, len(columns), per_query):
            texts = ", ".join(
                f"{column.text} AS t{index}, coalesce({column.is_missing()}, false) AS m{index}"
                for index, column in enumerate(columns[start : start + per_query], start=start)
            )
            group = requested[start : start + per_query]
            counted = ", ".join(
                f"count(*) FILTER ({condition})" for each in group for condition in each
            )
            row = iter(
                run_sql(
                    self._connection,
                    f"SELECT {counted} FROM (SELECT {texts} FROM {self._relation}{limited})",
                )[0]
            )
            found += [tuple(next(row) for _ in each) for each in group]
        return found

    def place(self, column: TextColumn) -> tuple[str, str]:
        """Return a FROM clause with the cells of `column`, and SQL for the text of a cell.

        Row numbers, from 0, are in `file_row_number`.
        """
        return self._relation, column.text


class StackedAsker(Asker):
    """Queries with one expression for all columns, over a table with one row per cell."""

    def __init__(self, connection: Any, relation: str, columns: Sequence[TextColumn]) -> None:
        super().__init__(connection, relation)
        self._ids = {id(column): index for index, column in enumerate(columns)}
        run_sql(
            connection,
            f"CREATE OR REPLACE TEMP TABLE {STACK} (file_row_number BIGINT, column_id BIGINT, t "
            "VARCHAR)",
        )
        forms: dict[str, list[TextColumn]] = {}
        for column in columns:
            forms.setdefault(column.stacked, []).append(column)
        for text, alike in forms.items():
            for start in range(0, len(alike), STACKED_AT_ONCE):
                group = alike[start : start + STACKED_AT_ONCE]
                ids, cells = (
                    ", ".join(str(self._ids[id(column)]) for column in group),
                    ", ".join(column.source for column in group),
                )
                stacked = (
                    f"SELECT file_row_number, unnest([{ids}]) AS column_id, unnest([{cells}]) AS "
                    f"{STACKED} FROM {relation}"
                )
                texts = f"SELECT file_row_number, column_id, {text} AS t FROM ({stacked})"
                run_sql(
                    connection, f"INSERT INTO {STACK} SELECT * FROM ({texts}) WHERE t IS NOT NULL"
                )

    def close(self) -> None:
        """Drop the table of the stacked cells."""
        run_sql(self._connection, f"DROP TABLE IF EXISTS {STACK}")

    def first_cells(self, columns: Sequence[TextColumn]) -> list[list[str]]:
        cells = f"arg_min(left(t, {FIRST_CHARACTERS}), file_row_number, {FIRST_CELLS})"
        found = dict(
            run_sql(
                self._connection,
                f"SELECT column_id, {cells} FROM {STACK} WHERE file_row_number < {FIRST_ROWS} "
                "GROUP BY 1",
            )
        )
        return [found.get(self._ids[id(column)], []) for column in columns]

    def counts(
        self, columns: Sequence[TextColumn], conditions: Conditions, *, limit: int = 0
    ) -> list[tuple[int, ...]]:
        requested: dict[tuple[str, ...], list[int]] = {}
        for column in columns:
            missing = f"coalesce({column.is_missing('t')}, false)"
            requested.setdefault(tuple(conditions(column, "t", missing)), []).append(
                self._ids[id(column)]
            )
        found: dict[int, tuple[int, ...]] = {}
        for each, ids in requested.items():
            found |= dict.fromkeys(ids, (0,) * len(each))
            counted = ", ".join(f"count(*) FILTER ({condition})" for condition in each)
            where = f"column_id IN (SELECT unnest([{', '.join(map(str, ids))}]))" + (
                f" AND file_row_number < {limit}" if limit else ""
            )
            rows = run_sql(
                self._connection,
                f"SELECT column_id, {counted} FROM {STACK} WHERE {where} GROUP BY 1",
            )
            found |= {row[0]: tuple(row[1:]) for row in rows}
        return [found[self._ids[id(column)]] for column in columns]

    def place(self, column: TextColumn) -> tuple[str, str]:
        return (
            f"(SELECT file_row_number, t FROM {STACK} WHERE column_id = {self._ids[id(column)]})",
            "t",
        )


def askers(
    connection: Any, relation: str, columns: Sequence[TextColumn], row_count: int
) -> Iterator[tuple[Asker, Sequence[TextColumn]]]:
    """Yield the asker for each group of columns, in order. Each is usable until the next one."""
    per_stack = STACK_CELLS // max(1, row_count)
    if len(columns) < STACK_COLUMNS or per_stack < STACK_COLUMNS // 2:
        yield Asker(connection, relation), columns
        return
    for start in range(0, len(columns), per_stack):
        group = columns[start : start + per_stack]
        with asker(connection, relation, group, row_count) as answering:
            yield answering, group


@contextlib.contextmanager
def asker(
    connection: Any, relation: str, columns: Sequence[TextColumn], row_count: int
) -> Iterator[Asker]:
    """Open one asker for all of these columns during the block."""
    answering: Asker = Asker(connection, relation)
    stacked = None
    if len(columns) >= STACK_COLUMNS // 2 and len(columns) * row_count <= STACK_CELLS:
        with contextlib.suppress(NoMemory):
            answering = stacked = StackedAsker(connection, relation, columns)
    yield answering
    if stacked:
        stacked.close()
