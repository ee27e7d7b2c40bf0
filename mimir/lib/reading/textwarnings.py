"""Warnings about text columns that contain, or nearly contain, numbers or times."""

from collections.abc import Sequence
from typing import NamedTuple

from mimir.lib.reading import rules
from mimir.lib.reading.ask import TextColumn
from mimir.lib.reading.columnqueries import ColumnQueries, Condition, TypedColumn
from mimir.lib.reading.infer import NEARLY_SHARE
from mimir.lib.reading.messages import shown
from mimir.lib.reading.rules import Rule, sql_text

SAMPLE_ROWS = 2_000
_TIME_SHAPE = (
    r"([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})([ T].*)?"
    r"|[0-9]{1,2}[ /-](?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ /-][0-9]{2,4}.*"
)


class _Sample(NamedTuple):
    """Numbers of cells in the first rows of a text column."""

    numbers: int
    large: int  # integers beyond 64 bits
    times: int
    total: int


def warn_texts(queries: ColumnQueries, columns: Sequence[TypedColumn], limit: int) -> None:
    """Add warnings about at most `limit` text columns, by a sample of their rows."""

    def conditions(typed: TextColumn, text: str) -> Sequence[str]:
        return (
            typed.matches(_number_rule(typed), text),
            _large(text),
            _like_time(text),
            f"{text} IS NOT NULL",
        )

    warned = 0
    for column, counts in queries.counted(columns, conditions, limit=SAMPLE_ROWS):
        sample = _Sample(*counts)
        if warned < limit and sample.total:
            before = queries.warning_count
            _warn_text(queries, column, sample)
            warned += queries.warning_count > before


def _warn_text(queries: ColumnQueries, column: TypedColumn, sample: _Sample) -> None:
    """Add the warning for the most likely reason why a column is text, if any."""
    _, typed = column
    if typed.ambiguous:
        _warn_ambiguous(queries, column)
    elif sample.large and sample.large + sample.numbers == sample.total:
        _warn_all(queries, column, "large_integers", _large)
    elif sample.numbers >= NEARLY_SHARE * sample.total:
        _warn_nearly(queries, column, "nearly_numbers", _number_rule(typed))
    elif sample.times == sample.total:
        _warn_all(queries, column, "possible_dates", _like_time)
    elif sample.times >= NEARLY_SHARE * sample.total:
        rule = _time_rule(typed)
        if rule is not None:
            _warn_nearly(queries, column, "nearly_times", rule)


def _warn_ambiguous(queries: ColumnQueries, column: TypedColumn) -> None:
    plan, typed = column
    rule = typed.ambiguous[0]
    found = queries.examples(
        typed,
        lambda text: (
            f"{typed.matches(rule, text)} AND NOT regexp_full_match({text}, '[+-]?[0-9]+')"
        ),
        1,
    )
    if found:
        code = "ambiguous_numbers" if rule.kind == "number" else "ambiguous_dates"
        queries.warn(code, column=plan.name, example=shown(found[0][0]))


def _warn_all(queries: ColumnQueries, column: TypedColumn, code: str, condition: Condition) -> None:
    plan, typed = column
    found = queries.examples(typed, condition, 1)
    if found and code == "possible_dates" and _has_fraction(found[0][0]):
        code = "large_times"
    if found:
        queries.warn(code, column=plan.name, example=shown(found[0][0]))


def _warn_nearly(queries: ColumnQueries, column: TypedColumn, code: str, rule: Rule) -> None:
    plan, typed = column

    def other(text: str) -> str:
        return f"{text} IS NOT NULL AND NOT {typed.matches(rule, text)}"

    origin, text = queries.place(typed)
    good, total, others = queries.run(
        f"SELECT count(*) FILTER ({typed.matches(rule, text)}), count({text}), "
        f"count(*) FILTER ({other(text)} AND NOT regexp_full_match({text}, '[+-]?0[0-9]+')) "
        f"FROM {origin}"
    )[0]
    if others == 0 and code == "nearly_numbers":
        return  # codes with leading zeros
    cells = queries.examples_text(queries.examples(typed, other))
    queries.warn(code, column=plan.name, cells=cells, good=good, total=total)


def _large(text: str) -> str:
    return f"regexp_full_match({text}, '[+-]?[1-9][0-9]{{18,}}')"


def _like_time(text: str) -> str:
    return f"regexp_full_match({text}, {sql_text(_TIME_SHAPE)})"


def _number_rule(typed: TextColumn) -> Rule:
    """Return the rule for numbers whose pattern allows the most first cells of the column."""
    candidates = [rule for rule in typed.rules if rule.kind == "number"] or [rules.DOUBLE]
    return max(candidates, key=lambda rule: typed.shares.get(rule.name, 0))


def _time_rule(typed: TextColumn) -> Rule | None:
    """Return the first rule for times whose pattern allows NEARLY_SHARE of the first cells."""
    times = (rule for rule in typed.rules if rule.kind == "time")
    return next((rule for rule in times if typed.shares.get(rule.name, 0) >= NEARLY_SHARE), None)


def _has_fraction(text: str) -> bool:
    return len(text.rpartition(".")[2].rstrip("Zz")) > 6 and ":" in text
