"""The type of each text column, from all of its cells.

The first cells of a column rule out most rules. The first rule that is left is then asked on all rows, and the next one where it fails. A
query asks some columns at a time, so that memory does not grow with the width of the table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading.rules import Rule, sql_text

EXPRESSIONS_A_QUERY = 80  # each needs memory for all its parts
LOOK_ROWS, LOOK_CELLS, LOOK_CHARACTERS = 10_000, 30, 200  # of the first look at a column
NEARLY_SHARE = 0.5  # of the cells: their author meant numbers or times
EXAMPLES = 3


@dataclass(slots=True)
class TextColumn:
    """One column to be typed. `text` is SQL for the trimmed text of its cell, NULL where the cell is empty; `rules` in the order of trial."""

    name: str
    text: str
    rules: list[Rule]
    missing: tuple[str, ...] = ()  # lower-case words that stand for a missing value beside typed cells
    always_missing: bool = False  # the user named the words: they are missing in text columns, too
    # What was found.
    rule: Rule | None = None
    values: int = 0
    missing_cells: int = 0
    ambiguous: list[Rule] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)  # of the first cells that match each rule, by name

    def is_missing(self) -> str:
        """SQL: the cell is one of the words for a missing value."""
        if not self.missing:
            return "false"
        return f"lower({self.text}) IN ({', '.join(sql_text(word) for word in self.missing)})"

    def matches(self, rule: Rule) -> str:
        """SQL: the cell matches `rule`. A word for a missing value that is also a number, such as `nan`, counts as missing."""
        return f"({rule.match.format(t=self.text)})"


def infer_types(connection: Any, source: Callable[[Sequence[TextColumn]], str], columns: Sequence[TextColumn], row_count: int) -> None:
    """Set `rule`, `values` and the shares of every column. `source` gives the FROM clause for some of the columns."""
    surviving = _first_look(connection, source, columns, row_count)
    waiting = list(columns)
    while waiting:
        _count(connection, source, waiting, surviving)
        waiting = [column for column in waiting if column.rule is None and surviving[id(column)]]


def _first_look(
    connection: Any, source: Callable[[Sequence[TextColumn]], str], columns: Sequence[TextColumn], row_count: int
) -> dict[int, list[Rule]]:
    """The rules of each column that its first cells do not contradict, by the patterns alone."""
    surviving: dict[int, list[Rule]] = {}
    for group in _groups(columns, lambda _column: 2):
        limit = LOOK_ROWS if row_count > LOOK_ROWS else None
        lists = [f"arg_min(left(t{index}, {LOOK_CHARACTERS}), place, {LOOK_CELLS}) FILTER (t{index} IS NOT NULL)" for index in range(len(group))]
        row = run_sql(connection, f"{_cells(group, source(group), limit)} SELECT {', '.join(lists)} FROM cells")[0]
        for column, cells in zip(group, row, strict=True):
            typed = [cell for cell in cells or [] if cell.lower() not in column.missing]
            for rule in column.rules:
                fitting = sum(rule.may_match(cell) for cell in typed)
                column.shares[rule.name] = fitting / len(typed) if typed else 1.0
            surviving[id(column)] = [rule for rule in column.rules if column.shares[rule.name] == 1.0]
    return surviving


def _cells(group: Sequence[TextColumn], origin: str, limit: int | None) -> str:
    """A CTE `cells` with the text `t<n>` of each column's cells, whether it stands for a missing value, `m<n>`, and the row, `place`."""
    selected = ", ".join(f"{column.text} AS t{index}, coalesce({column.is_missing()}, false) AS m{index}" for index, column in enumerate(group))
    limited = f" LIMIT {limit}" if limit is not None else ""
    return f"WITH cells AS {'MATERIALIZED ' if limit else ''}(SELECT file_row_number AS place, {selected} FROM {origin}{limited})"


def _count(connection: Any, source: Callable[[Sequence[TextColumn]], str], columns: Sequence[TextColumn], surviving: dict[int, list[Rule]]) -> None:
    """Ask the first surviving rule of each column on all rows; drop it where it fails."""
    for group in _groups(columns, lambda _column: 4):
        asked: list[str] = []
        for index, column in enumerate(group):
            rule = next(iter(surviving[id(column)]), None)
            asked += [f"count(t{index})", f"count(*) FILTER (m{index})"]
            asked.append(f"count(*) FILTER ({rule.match.format(t=f't{index}')} AND NOT m{index})" if rule else "0")
            asked.append(f"count(*) FILTER ({rule.proof.format(t=f't{index}')})" if rule and rule.proof else "1")
        row = iter(run_sql(connection, f"{_cells(group, source(group), None)} SELECT {', '.join(asked)} FROM cells")[0])
        for column in group:
            column.values, column.missing_cells, matched, proved = next(row), next(row), next(row), next(row)
            rules = surviving[id(column)]
            if not rules:
                continue
            rule = rules.pop(0)
            if matched == 0 or matched < column.values - column.missing_cells:
                continue
            if proved:
                column.rule = rule
            else:
                column.ambiguous.append(rule)


def _groups(columns: Sequence[TextColumn], cost: Callable[[TextColumn], int]) -> list[list[TextColumn]]:
    groups: list[list[TextColumn]] = []
    room = 0
    for column in columns:
        if not groups or room < cost(column):
            groups.append([])
            room = EXPRESSIONS_A_QUERY
        groups[-1].append(column)
        room -= cost(column)
    return groups
