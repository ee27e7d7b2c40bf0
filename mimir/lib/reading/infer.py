"""Inference of the type of each text column from all of its cells.

The first cells of a column exclude most rules. The first remaining rule is checked on all rows; if
it fails, the next one.
"""

from collections.abc import Sequence
from typing import Any

from mimir.lib.reading.ask import Asker, TextColumn, askers
from mimir.lib.reading.rules import Rule

NEARLY_SHARE = 0.5  # minimum share of cells: the column is probably meant as numbers or times


def infer_types(
    connection: Any, relation: str, columns: Sequence[TextColumn], row_count: int
) -> None:
    """Set the result fields of every column. `relation`: FROM clause of the cells."""
    for asker, group in askers(connection, relation, columns, row_count):
        surviving = _check_sample(asker, group)
        waiting = list(group)
        while waiting:
            _count(asker, waiting, surviving)
            waiting = [
                column for column in waiting if column.rule is None and surviving[id(column)]
            ]


def _check_sample(asker: Asker, columns: Sequence[TextColumn]) -> dict[int, list[Rule]]:
    """Return the rules of each column that its first cells do not contradict."""
    surviving: dict[int, list[Rule]] = {}
    for column, cells in zip(columns, asker.first_cells(columns), strict=True):
        typed = [cell for cell in cells if cell.lower() not in column.missing]
        for rule in column.rules:
            fitting = sum(rule.may_match(cell) for cell in typed)
            column.shares[rule.name] = fitting / len(typed) if typed else 1.0
        surviving[id(column)] = [rule for rule in column.rules if column.shares[rule.name] == 1.0]
    return surviving


def _count(asker: Asker, columns: Sequence[TextColumn], surviving: dict[int, list[Rule]]) -> None:
    """Check the first remaining rule of each column on all rows; drop it if it fails."""

    def conditions(column: TextColumn, text: str, missing: str) -> Sequence[str]:
        rule = next(iter(surviving[id(column)]), None)
        matches = f"{rule.match.format(t=text)} AND NOT {missing}" if rule else "false"
        return (
            f"{text} IS NOT NULL",
            missing,
            matches,
            rule.proof.format(t=text) if rule and rule.proof else "true",
        )

    for column, (values, missing, matched, proved) in zip(
        columns, asker.counts(columns, conditions), strict=True
    ):
        column.values, column.missing_cells = values, missing
        rules = surviving[id(column)]
        if not rules:
            continue
        rule = rules.pop(0)
        if matched == 0 or matched < values - missing:
            continue
        if proved:
            column.rule = rule
        else:
            column.ambiguous.append(rule)
