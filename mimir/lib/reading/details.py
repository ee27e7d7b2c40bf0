"""Warnings about columns: cells that became missing, removed marks, reasons for text."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading import rules
from mimir.lib.reading.ask import Asker, StackedAsker, TextColumn, asker, askers
from mimir.lib.reading.cells import Cells
from mimir.lib.reading.infer import NEARLY_SHARE
from mimir.lib.reading.messages import Notice, shown
from mimir.lib.reading.options import ReadOptions
from mimir.lib.reading.plan import Planned
from mimir.lib.reading.rules import Rule, sql_text
from mimir.lib.reading.unixtimes import (
    SUGGESTED,
    UNIX_TYPES,
    is_plausible,
    is_rounded,
    is_unix,
    likely_format,
    names_a_time,
    unix_rules,
)
from mimir.lib.tables import NotATable

COLUMNS_DETAILED = 200  # of each kind: one query each
SAMPLE_ROWS = 2_000
EXAMPLES_SHOWN, CELLS_SHOWN = 4, 3
_TYPE_PLURALS = {
    "BIGINT": "whole numbers",
    "DOUBLE": "numbers",
    "BOOLEAN": "true or false",
    "DATE": "dates",
    "TIME": "times of day",
}
_TIME_SHAPE = (
    r"([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})([ T].*)?"
    r"|[0-9]{1,2}[ /-](?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ /-][0-9]{2,4}.*"
)


def type_plural(type_name: str) -> str:
    """Return the plural of a type for users."""
    return _TYPE_PLURALS.get(type_name, "dates and times")


class Details:
    """Queries the cells and adds the warnings to `cells`."""

    def __init__(
        self, connection: Any, cells: Cells, planned: Sequence[Planned], options: ReadOptions
    ) -> None:
        self._connection, self._cells, self._options = connection, cells, options
        self._planned = [plan for plan in planned if plan.typed is not None]
        self._asker = Asker(connection, cells.relation)

    def add(self) -> None:
        """Add the warnings, column by column.

        Raises: NotATable for cells that do not fit a chosen type.
        """
        columns = [plan.typed for plan in self._planned if plan.typed is not None]
        with asker(
            self._connection, self._cells.relation, columns, self._cells.row_count
        ) as self._asker:
            self._add()

    def _add(self) -> None:
        for plan in self._planned:
            if plan.empty:
                self._warn("no_values", column=plan.name)
        filled = [plan for plan in self._planned if not plan.empty]
        for plan in [
            plan for plan in filled if plan.wanted and plan.typed and plan.typed.rule is None
        ][:COLUMNS_DETAILED]:
            self._bad_cells(plan)
        typed = [plan for plan in filled if plan.typed is not None and plan.typed.rule is not None]
        for plan in [plan for plan in typed if plan.typed and plan.typed.missing_cells][
            :COLUMNS_DETAILED
        ]:
            self._missing(plan)
        loud = [
            plan
            for plan in typed
            if plan.typed and plan.typed.rule not in _SILENT and not is_unix(plan.typed.rule)
        ]
        for plan in loud[:COLUMNS_DETAILED]:
            self._converted(plan)
        for plan in [plan for plan in filled if plan.wanted and plan.typed][:COLUMNS_DETAILED]:
            self._unix_times(plan)
        numbers = [
            plan
            for plan in typed
            if plan.typed
            and plan.typed.rule is rules.BIGINT
            and not plan.wanted
            and names_a_time(plan.name)
        ]
        self._possible_unix_times(numbers[:COLUMNS_DETAILED])
        self._rounded([plan for plan in typed if plan.type == "DOUBLE"])
        texts = [
            plan
            for plan in filled
            if plan.typed is not None and plan.typed.rule is None and not plan.wanted
        ]
        self._texts([plan for plan in texts if plan.name not in self._options.types])

    def _warn(self, code: str, **params: Any) -> None:
        self._cells.warnings.append(Notice(code, params))

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        return run_sql(self._connection, sql)

    def _examples(
        self, typed: TextColumn, condition: Callable[[str], str], limit: int = CELLS_SHOWN
    ) -> list[tuple[str, int, int]]:
        """Return distinct texts that match a condition:

        (text, number of cells, first row), in order.
        """
        origin, text = self._asker.place(typed)
        return self._ask(
            f"SELECT value, count(*), min(place) + 1 FROM (SELECT {text} AS value, "
            f"file_row_number AS place FROM {origin} "
            f"WHERE {condition(text)}) GROUP BY value ORDER BY 3 LIMIT {limit}"
        )

    def _listed(self, examples: Sequence[tuple[str, int, int]]) -> str:
        places = (
            (shown(text), count - 1, self._cells.row_label(row)) for text, count, row in examples
        )
        return ", ".join(
            f"{text} in {place}" + (f" and {others} more" if others else "")
            for text, others, place in places
        )

    def _bad_cells(self, plan: Planned) -> None:
        typed = plan.typed
        assert typed is not None

        def bad(text: str) -> str:
            fits = " OR ".join(typed.matches(rule, text) for rule in typed.rules) or "false"
            return (
                f"{text} IS NOT NULL AND NOT {typed.is_missing(text)} AND NOT coalesce({fits}, "
                "false)"
            )

        origin, text = self._asker.place(typed)
        count = self._ask(f"SELECT count(*) FROM {origin} WHERE {bad(text)}")[0][0]
        if count == 0:
            return
        examples = self._examples(typed, bad)
        cells, words = self._listed(examples), type_plural(plan.wanted)
        if self._options.bad_cells == "refuse":
            unix = likely_format(examples[0][0]) if plan.wanted in UNIX_TYPES else ""
            advice = (
                f"If they are Unix times, choose date_formats {unix}. "
                if unix and unix not in self._options.date_formats
                else ""
            )
            raise NotATable(
                f"Column {plan.name}: {count:,} of {typed.values:,} cells are not {words}: "
                f"{cells}. {advice}Correct them, name them in "
                "missing_values, or choose bad_cells missing."
            )
        self._warn(
            "bad_cells_missing",
            column=plan.name,
            count=count,
            total=typed.values,
            type=words,
            cells=cells,
        )

    def _missing(self, plan: Planned) -> None:
        typed = plan.typed
        assert typed is not None
        found = self._examples(typed, typed.is_missing, EXAMPLES_SHOWN)
        words = ", ".join(f"{shown(text)} ({self._cells.row_label(row)})" for text, _, row in found)
        self._warn(
            "missing_words",
            column=plan.name,
            count=typed.missing_cells,
            total=typed.values,
            words=words,
            type=type_plural(plan.type),
        )

    def _converted(self, plan: Planned) -> None:
        """Add warnings about values that are not plain numbers and ISO dates."""
        typed = plan.typed
        assert typed is not None
        assert typed.rule is not None
        rule = typed.rule
        origin, text = self._asker.place(typed)
        marked = (
            f"{typed.matches(rule, text)} AND NOT regexp_full_match({text}, "
            "'[+-]?[0-9]+([.][0-9]+)?')"
        )
        row = self._ask(
            f"SELECT {text}, CAST({rule.cast.format(t=text)} AS VARCHAR) FROM {origin} WHERE "
            f"{marked} LIMIT 1"
        )
        if not row:
            return
        example, value = shown(row[0][0]), row[0][1].removesuffix(" 00:00:00")
        if rule.name.startswith("percent"):
            self._warn("percent", column=plan.name, example=example, value=value)
        elif rule.name == "currency":
            self._warn(
                "currency", column=plan.name, symbol="the currency", example=example, value=value
            )
        elif rule.kind == "number":
            self._warn(
                "number_marks", column=plan.name, example=example, value=value, marks=rule.name
            )
        elif rule.name.startswith("month name"):
            self._warn("month_names", column=plan.name, example=example, value=value)
        else:
            self._warn(
                "date_order",
                column=plan.name,
                order=rule.name.split(" with ")[0],
                example=example,
                value=value,
            )

    def _unix_times(self, plan: Planned) -> None:
        """Add warnings about numbers that became times, and about rounded ones."""
        typed = plan.typed
        assert typed is not None
        chosen = [
            rule for rule in (typed.rules if typed.rule is None else [typed.rule]) if is_unix(rule)
        ]
        for rule in chosen:
            origin, text = self._asker.place(typed)
            value = f"CAST({rule.cast.format(t=text)} AS VARCHAR)"
            row = self._ask(
                f"SELECT {text}, {value} FROM {origin} WHERE {typed.matches(rule, text)} ORDER BY "
                "file_row_number LIMIT 1"
            )
            if row:
                self._warn(
                    "unix_times",
                    column=plan.name,
                    format=rule.name,
                    example=shown(row[0][0]),
                    value=row[0][1],
                )

            def rounded(text: str, rule: Rule = rule) -> str:
                return f"{typed.matches(rule, text)} AND {is_rounded(rule, text)}"

            count = self._ask(f"SELECT count(*) FROM {origin} WHERE {rounded(text)}")[0][0]
            if count:
                example = shown(self._examples(typed, rounded, 1)[0][0])
                self._warn(
                    "unix_times_rounded",
                    column=plan.name,
                    count=count,
                    total=typed.values,
                    example=example,
                )

    def _possible_unix_times(self, plans: list[Planned]) -> None:
        """Add warnings about whole numbers that look like Unix times, by name and values."""

        def conditions(_typed: TextColumn, text: str) -> Sequence[str]:
            return [is_plausible(text, name) for name in SUGGESTED]

        for plan, counts in self._counted(plans, conditions):
            typed = plan.typed
            assert typed is not None
            for name, count in zip(SUGGESTED, counts, strict=True):
                if count == typed.values - typed.missing_cells:
                    origin, text = self._asker.place(typed)
                    value = (
                        f"CAST({unix_rules([name], 'TIMESTAMP')[0].cast.format(t=text)} AS VARCHAR)"
                    )
                    row = self._ask(
                        f"SELECT {text}, {value} FROM {origin} WHERE {is_plausible(text, name)} "
                        "ORDER BY file_row_number LIMIT 1"
                    )[0]
                    self._warn(
                        "possible_unix_times",
                        column=plan.name,
                        format=name,
                        example=shown(row[0]),
                        value=row[1],
                    )

    def _rounded(self, plans: list[Planned]) -> None:
        def long(text: str) -> str:
            digits = (
                f"regexp_replace(regexp_replace({text}, '[eE].*', ''), '^[-+0.]+|[^0-9]', '', 'g')"
            )
            return f"CASE WHEN length({text}) > 17 THEN length({digits}) > 17 ELSE false END"

        for plan, (count,) in self._counted(plans, lambda _typed, text: [long(text)]):
            typed = plan.typed
            assert typed is not None
            if count:
                example = shown(self._examples(typed, long, 1)[0][0])
                self._warn(
                    "rounded", column=plan.name, count=count, total=typed.values, example=example
                )

    def _counted(
        self,
        plans: list[Planned],
        conditions: Callable[[TextColumn, str], Sequence[str]],
        *,
        limit: int = 0,
    ) -> Iterator[tuple[Planned, tuple[int, ...]]]:
        """Return each plan with its number of cells for each condition.

        In all rows or the first `limit`.
        """
        columns = [plan.typed for plan in plans if plan.typed is not None]
        found: list[tuple[int, ...]] = []
        for answering, group in self._groups(columns):
            found += answering.counts(
                group, lambda typed, text, _missing: conditions(typed, text), limit=limit
            )
        return zip(plans, found, strict=True)

    def _groups(
        self, columns: Sequence[TextColumn]
    ) -> Iterator[tuple[Asker, Sequence[TextColumn]]]:
        if isinstance(self._asker, StackedAsker):
            return iter([(self._asker, columns)])
        return askers(self._connection, self._cells.relation, columns, self._cells.row_count)

    def _texts(self, plans: list[Planned]) -> None:
        """Add warnings about text columns that contain, or nearly contain, numbers or times."""

        def conditions(typed: TextColumn, text: str) -> Sequence[str]:
            return (
                typed.matches(_number_rule(typed), text),
                _large(text),
                _like_time(text),
                f"{text} IS NOT NULL",
            )

        detailed = 0
        for plan, (number, large, time, total) in self._counted(
            plans, conditions, limit=SAMPLE_ROWS
        ):
            if detailed >= COLUMNS_DETAILED or not total:
                continue
            typed = plan.typed
            assert typed is not None
            before = len(self._cells.warnings)
            if typed.ambiguous:
                self._ambiguous(plan, typed)
            elif large and large + number == total:
                self._all(plan, typed, "large_integers", _large)
            elif number >= NEARLY_SHARE * total:
                self._nearly(plan, typed, "nearly_numbers", _number_rule(typed))
            elif time == total:
                self._all(plan, typed, "possible_dates", _like_time)
            elif time >= NEARLY_SHARE * total:
                rule = next(
                    (
                        rule
                        for rule in typed.rules
                        if rule.kind == "time" and typed.shares.get(rule.name, 0) >= NEARLY_SHARE
                    ),
                    None,
                )
                if rule is not None:
                    self._nearly(plan, typed, "nearly_times", rule)
            detailed += len(self._cells.warnings) > before

    def _ambiguous(self, plan: Planned, typed: TextColumn) -> None:
        rule = typed.ambiguous[0]
        found = self._examples(
            typed,
            lambda text: (
                f"{typed.matches(rule, text)} AND NOT regexp_full_match({text}, '[+-]?[0-9]+')"
            ),
            1,
        )
        if found:
            code = "ambiguous_numbers" if rule.kind == "number" else "ambiguous_dates"
            self._warn(code, column=plan.name, example=shown(found[0][0]))

    def _all(
        self, plan: Planned, typed: TextColumn, code: str, condition: Callable[[str], str]
    ) -> None:
        found = self._examples(typed, condition, 1)
        if found and code == "possible_dates" and _has_fraction(found[0][0]):
            code = "large_times"
        if found:
            self._warn(code, column=plan.name, example=shown(found[0][0]))

    def _nearly(self, plan: Planned, typed: TextColumn, code: str, rule: Rule) -> None:
        def other(text: str) -> str:
            return f"{text} IS NOT NULL AND NOT {typed.matches(rule, text)}"

        origin, text = self._asker.place(typed)
        row = self._ask(
            f"SELECT count(*) FILTER ({typed.matches(rule, text)}), count({text}), "
            f"count(*) FILTER ({other(text)} AND NOT regexp_full_match({text}, '[+-]?0[0-9]+')) "
            f"FROM {origin}"
        )[0]
        if row[2] == 0 and code == "nearly_numbers":
            return  # codes with leading zeros
        self._warn(
            code,
            column=plan.name,
            cells=self._listed(self._examples(typed, other)),
            good=row[0],
            total=row[1],
        )


def _large(text: str) -> str:
    return f"regexp_full_match({text}, '[+-]?[1-9][0-9]{{18,}}')"


def _like_time(text: str) -> str:
    return f"regexp_full_match({text}, {sql_text(_TIME_SHAPE)})"


_SILENT = (rules.BIGINT, rules.DOUBLE, rules.BOOLEAN, *rules.ISO_RULES)


def _number_rule(typed: TextColumn) -> Rule:
    """Return the rule for numbers that fits most cells of the column."""
    candidates = [rule for rule in typed.rules if rule.kind == "number"] or [rules.DOUBLE]
    return max(candidates, key=lambda rule: typed.shares.get(rule.name, 0))


def _has_fraction(text: str) -> bool:
    return len(text.rpartition(".")[2].rstrip("Zz")) > 6 and ":" in text
