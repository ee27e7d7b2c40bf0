"""Warnings about numbers that became Unix times, or look like Unix times."""

from collections.abc import Sequence

from mimir.lib.reading.ask import TextColumn
from mimir.lib.reading.columnqueries import ColumnQueries, TypedColumn
from mimir.lib.reading.messages import shown
from mimir.lib.reading.rules import Rule
from mimir.lib.reading.unixtimes import SUGGESTED, is_plausible, is_rounded, is_unix, unix_rules


def warn_unix_times(queries: ColumnQueries, column: TypedColumn) -> None:
    """Add warnings about numbers that became times, and about rounded ones."""
    _, typed = column
    for rule in typed.rules if typed.rule is None else [typed.rule]:
        if is_unix(rule):
            _warn_read_as(queries, column, rule)
            _warn_rounded_to(queries, column, rule)


def _warn_read_as(queries: ColumnQueries, column: TypedColumn, rule: Rule) -> None:
    plan, typed = column
    _, text = queries.place(typed)
    row = _first_value(queries, typed, rule, typed.matches(rule, text))
    if row:
        queries.warn(
            "unix_times", column=plan.name, format=rule.name, example=shown(row[0]), value=row[1]
        )


def _warn_rounded_to(queries: ColumnQueries, column: TypedColumn, rule: Rule) -> None:
    plan, typed = column

    def rounded(text: str) -> str:
        return f"{typed.matches(rule, text)} AND {is_rounded(rule, text)}"

    origin, text = queries.place(typed)
    count = queries.run(f"SELECT count(*) FROM {origin} WHERE {rounded(text)}")[0][0]
    if count:
        example = shown(queries.examples(typed, rounded, 1)[0][0])
        queries.warn(
            "unix_times_rounded", column=plan.name, count=count, total=typed.values, example=example
        )


def warn_possible_unix_times(queries: ColumnQueries, columns: Sequence[TypedColumn]) -> None:
    """Add warnings about whole numbers that look like Unix times, by name and values."""

    def conditions(_typed: TextColumn, text: str) -> Sequence[str]:
        return [is_plausible(text, name) for name in SUGGESTED]

    for (plan, typed), counts in queries.counted(columns, conditions):
        for name, count in zip(SUGGESTED, counts, strict=True):
            if count != typed.values - typed.missing_cells:
                continue
            _, text = queries.place(typed)
            rule = unix_rules([name], "TIMESTAMP")[0]
            row = _first_value(queries, typed, rule, is_plausible(text, name))
            if row:
                queries.warn(
                    "possible_unix_times",
                    column=plan.name,
                    format=name,
                    example=shown(row[0]),
                    value=row[1],
                )


def _first_value(
    queries: ColumnQueries, typed: TextColumn, rule: Rule, condition: str
) -> tuple[str, str] | None:
    """Return the first text that matches a condition, and its value as `rule` reads it."""
    origin, text = queries.place(typed)
    rows = queries.run(
        f"SELECT {text}, CAST({rule.cast.format(t=text)} AS VARCHAR) FROM {origin} "
        f"WHERE {condition} ORDER BY file_row_number LIMIT 1"
    )
    return (rows[0][0], rows[0][1]) if rows else None
