"""Warnings about cells of typed columns: bad, missing, converted and rounded ones."""

from collections.abc import Sequence

from mimir.lib.reading.columnqueries import ColumnQueries, TypedColumn
from mimir.lib.reading.messages import shown
from mimir.lib.reading.options import ReadOptions
from mimir.lib.reading.unixtimes import UNIX_TYPES, likely_format
from mimir.lib.tables import NotATable

EXAMPLES_SHOWN = 4
_TYPE_PLURALS = {
    "BIGINT": "whole numbers",
    "DOUBLE": "numbers",
    "BOOLEAN": "true or false",
    "DATE": "dates",
    "TIME": "times of day",
}


def type_plural(type_name: str) -> str:
    """Return the plural of a type for users."""
    return _TYPE_PLURALS.get(type_name, "dates and times")


def warn_bad_cells(queries: ColumnQueries, column: TypedColumn, options: ReadOptions) -> None:
    """Add a warning about cells that do not fit the chosen type.

    Raises: NotATable, if the options refuse such cells.
    """
    plan, typed = column

    def bad(text: str) -> str:
        fits = " OR ".join(typed.matches(rule, text) for rule in typed.rules) or "false"
        return (
            f"{text} IS NOT NULL AND NOT {typed.is_missing(text)} AND NOT coalesce({fits}, false)"
        )

    origin, text = queries.place(typed)
    count = queries.run(f"SELECT count(*) FROM {origin} WHERE {bad(text)}")[0][0]
    if count == 0:
        return
    examples = queries.examples(typed, bad)
    cells, type_name = queries.examples_text(examples), type_plural(plan.wanted)
    if options.bad_cells == "refuse":
        raise NotATable(
            f"Column {plan.name}: {count:,} of {typed.values:,} cells are not {type_name}: "
            f"{cells}. {_unix_advice(plan.wanted, examples[0][0], options)}Correct them, name "
            "them in missing_values, or choose bad_cells missing."
        )
    queries.warn(
        "bad_cells_missing",
        column=plan.name,
        count=count,
        total=typed.values,
        type=type_name,
        cells=cells,
    )


def _unix_advice(wanted: str, example: str, options: ReadOptions) -> str:
    """Return the advice to read numbers as Unix times, or an empty string."""
    unix = likely_format(example) if wanted in UNIX_TYPES else ""
    if not unix or unix in options.date_formats:
        return ""
    return f"If they are Unix times, choose date_formats {unix}. "


def warn_missing(queries: ColumnQueries, column: TypedColumn) -> None:
    """Add a warning about texts that became missing values."""
    plan, typed = column
    found = queries.examples(typed, typed.is_missing, EXAMPLES_SHOWN)
    queries.warn(
        "missing_words",
        column=plan.name,
        count=typed.missing_cells,
        total=typed.values,
        words=", ".join(f"{shown(text)} ({queries.row_label(row)})" for text, _, row in found),
        type=type_plural(plan.type),
    )


def warn_converted(queries: ColumnQueries, column: TypedColumn) -> None:
    """Add a warning about converted cells that are not plain numbers or ISO dates."""
    plan, typed = column
    assert typed.rule is not None
    rule = typed.rule
    origin, text = queries.place(typed)
    marked = (
        f"{typed.matches(rule, text)} AND NOT regexp_full_match({text}, '[+-]?[0-9]+([.][0-9]+)?')"
    )
    row = queries.run(
        f"SELECT {text}, CAST({rule.cast.format(t=text)} AS VARCHAR) FROM {origin} WHERE "
        f"{marked} LIMIT 1"
    )
    if not row:
        return
    code, params = _conversion(rule.name, rule.kind)
    example, value = shown(row[0][0]), row[0][1].removesuffix(" 00:00:00")
    queries.warn(code, column=plan.name, **params, example=example, value=value)


def _conversion(rule: str, kind: str) -> tuple[str, dict[str, str]]:
    """Return code and parameters of the warning for a rule that is not plain."""
    if rule.startswith("percent"):
        return "percent", {}
    if rule == "currency":
        return "currency", {"symbol": "the currency"}
    if kind == "number":
        return "number_marks", {"marks": rule}
    if rule.startswith("month name"):
        return "month_names", {}
    return "date_order", {"order": rule.split(" with ")[0]}


def warn_rounded(queries: ColumnQueries, columns: Sequence[TypedColumn]) -> None:
    """Add warnings about numbers with more digits than their type keeps."""

    def long(text: str) -> str:
        digits = f"regexp_replace(regexp_replace({text}, '[eE].*', ''), '^[-+0.]+|[^0-9]', '', 'g')"
        return f"CASE WHEN length({text}) > 17 THEN length({digits}) > 17 ELSE false END"

    for (plan, typed), (count,) in queries.counted(columns, lambda _typed, text: [long(text)]):
        if count:
            example = shown(queries.examples(typed, long, 1)[0][0])
            queries.warn(
                "rounded", column=plan.name, count=count, total=typed.values, example=example
            )
