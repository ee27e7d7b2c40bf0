"""Plan of the stored columns: their types, and SQL that makes their values from cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mimir.lib.inspection import run_sql
from mimir.lib.reading import rules
from mimir.lib.reading.ask import STACKED, TextColumn
from mimir.lib.reading.cells import Cells, cell
from mimir.lib.reading.choice import rules_for_type, string_rules, text_rules
from mimir.lib.reading.infer import infer_types
from mimir.lib.reading.messages import Notice
from mimir.lib.reading.nested import plan_nested
from mimir.lib.reading.options import ReadOptions
from mimir.lib.reading.rules import MISSING_TEXTS, sql_text
from mimir.lib.tables import NotATable

KIND_QUERY_COLUMNS = 100
_KINDS = ("string", "number", "boolean", "object", "array", "instant")
_KIND_OF = {
    '"': "string",
    "t": "boolean",
    "f": "boolean",
    "{": "object",
    "[": "array",
    "@": "instant",
}  # by the first character; others: number


@dataclass(slots=True)
class Planned:
    """One column of the table.

    `value`: SQL over the cells. `typed`: result of inference, if any.
    """

    name: str
    type: str
    value: str
    typed: TextColumn | None = None
    wanted: str = ""  # the type given by the user
    empty: bool = False


def plan_columns(connection: Any, cells: Cells, options: ReadOptions) -> list[Planned]:
    """Return a plan for every kept column; add warnings to `cells`. Raises: NotATable."""
    unknown = [name for name in options.types if name not in cells.names]
    if unknown:
        raise NotATable(
            f"types names the column {unknown[0]!r}, which is not in the file. It has "
            f"{', '.join(cells.names[:20])}."
        )
    missing_texts = (
        MISSING_TEXTS
        if options.missing_values is None
        else tuple(word.lower().strip() for word in options.missing_values if word)
    )
    builder = _Builder(connection, cells, options, missing_texts)
    planned = builder.tagged() if cells.tagged else builder.plain()
    inferred = [plan.typed for plan in planned if plan.typed is not None]
    infer_types(connection, cells.relation, inferred, cells.row_count)
    return [_settled(plan) for plan in planned]


def _settled(plan: Planned) -> Planned:
    """Return the plan with the inferred rule."""
    typed = plan.typed
    if typed is None:
        return plan
    plan.empty = typed.values == 0
    if typed.rule is not None:
        plan.type = typed.rule.type
        # All cells were checked: those that are not missing match. Short SQL, because one statement
        # writes all columns.
        cast = typed.rule.cast.format(t=typed.text)
        plan.value = (
            f"CASE WHEN {typed.is_missing()} THEN NULL ELSE {cast} END"
            if typed.missing_cells
            else cast
        )
    elif plan.wanted:
        plan.type = plan.wanted
        branches = " ".join(
            (
                f"WHEN {typed.matches(rule)} THEN CAST({rule.cast.format(t=typed.text)} AS "
                f"{plan.wanted})"
            )
            for rule in typed.rules
        )
        plan.value = f"CASE WHEN {typed.is_missing()} THEN NULL {branches} END"
    elif typed.always_missing and typed.missing:
        plan.value = f"CASE WHEN {typed.is_missing()} THEN NULL ELSE {plan.value} END"
    return plan


class _Builder:
    def __init__(
        self, connection: Any, cells: Cells, options: ReadOptions, missing_texts: tuple[str, ...]
    ) -> None:
        self._connection, self._cells, self._options, self._missing_texts = (
            connection,
            cells,
            options,
            missing_texts,
        )
        self._comma = cells.options.get("delimiter") == ","

    def plain(self) -> list[Planned]:
        """Return the plans for columns of plain text."""
        found = []
        text_kinds = text_rules(self._options, comma_delimited=self._comma)
        for index, name in enumerate(self._cells.names):
            wanted = self._options.types.get(name, "")
            if wanted == "SKIP":
                continue
            allowed = (
                rules_for_type(wanted, self._options, comma_delimited=self._comma)
                if wanted not in ("", "VARCHAR")
                else text_kinds
            )
            allowed = [] if wanted == "VARCHAR" else allowed
            found.append(
                Planned(
                    name,
                    "VARCHAR",
                    cell(index),
                    self._column(name, index, _trimmed, allowed),
                    wanted if wanted != "VARCHAR" else "",
                )
            )
        return found

    def _column(
        self, name: str, index: int, text: Callable[[str], str], allowed: Sequence[rules.Rule]
    ) -> TextColumn:
        """Return a column for inference.

        `text`: returns SQL for the text of a cell, from SQL for the cell.
        """
        source, always = cell(index), self._options.missing_values is not None
        return TextColumn(
            name,
            text(source),
            list(allowed),
            source,
            text(STACKED),
            self._missing_texts,
            always_missing=always,
        )

    def tagged(self) -> list[Planned]:
        """Return the plans for columns of JSON text or of a workbook."""
        kinds = self._kinds()
        found: list[Planned] = []
        for index, (name, counts) in enumerate(zip(self._cells.names, kinds, strict=True)):
            wanted = self._options.types.get(name, "")
            if wanted == "SKIP":
                continue
            found.append(self._tagged_column(index, name, counts, wanted))
        return found

    def _tagged_column(self, index: int, name: str, counts: dict[str, int], wanted: str) -> Planned:
        text, total = tagged_text(cell(index)), sum(counts.values())
        if wanted:
            chosen = (
                []
                if wanted == "VARCHAR"
                else rules_for_type(wanted, self._options, comma_delimited=False)
            )
            return Planned(
                name,
                "VARCHAR",
                text,
                self._column(name, index, _untagged, chosen),
                wanted if wanted != "VARCHAR" else "",
            )
        nested = counts["object"] + counts["array"]
        if nested and nested == total:
            return self._nested_column(index, name, counts)
        present = [kind for kind in _KINDS if counts[kind]]
        allowed = self._rules_of(present)
        if allowed is None:
            kinds = ", ".join(
                f"{counts[kind]} {kind}{'s' if counts[kind] > 1 else ''}" for kind in present
            )
            self._cells.warnings.append(Notice("mixed_json", {"column": name, "kinds": kinds}))
            return Planned(name, "VARCHAR", text, self._column(name, index, _untagged, []))
        form: Callable[[str], str] = self._strict
        if present == ["string"] or not present:
            form = _untagged
        elif "string" not in present:
            form, text = (_untagged, text) if present == ["instant"] else (str, cell(index))
        return Planned(name, "VARCHAR", text, self._column(name, index, form, allowed))

    def _nested_column(self, index: int, name: str, counts: dict[str, int]) -> Planned:
        """Return the plan for a column of objects, of lists, or of both."""
        nested, lists = self._options.nested, self._options.lists
        unopened = (
            nested == "columns" and counts["object"] > 0
        )  # `jsonfields` could not make columns of it
        if nested == "text" or unopened or (lists == "text" and counts["array"]):
            return Planned(name, "VARCHAR", cell(index))
        return Planned(name, *plan_nested(self._connection, self._cells, index, name))

    def _strict(self, source: str) -> str:
        """Return SQL for a column of strings and other types: a string matches no rule.

        `"1"` stays text. Only words for a missing value are accepted.
        """
        missing = ", ".join(map(sql_text, ("", *self._missing_texts)))
        string = f"left({source}, 1) = '\"' AND lower(trim(substr({source}, 2))) NOT IN ({missing})"
        return f"CASE WHEN {string} THEN {source} || '\"' ELSE {_untagged(source)} END"

    def _rules_of(self, present: list[str]) -> list[rules.Rule] | None:
        """Return the rules for values of these types; None if they do not mix."""
        others = [kind for kind in present if kind != "string"]
        if not others:
            return string_rules(self._options)
        if others == ["number"]:
            return list(rules.NUMBER_RULES)
        if others == ["boolean"]:
            return [rules.BOOLEAN]
        return list(rules.ISO_RULES) if others == ["instant"] else None

    def _kinds(self) -> list[dict[str, int]]:
        """Count the cells of each column by type."""
        found: list[dict[str, int]] = [dict.fromkeys(_KINDS, 0) for _ in self._cells.names]
        for start in range(0, len(found), KIND_QUERY_COLUMNS):
            group = ", ".join(
                cell(index) for index in range(start, min(start + KIND_QUERY_COLUMNS, len(found)))
            )
            tagged = (
                f"SELECT generate_subscripts([{group}], 1) - 1 AS place, unnest([{group}]) AS "
                f"cell FROM {self._cells.relation}"
            )
            counted = (
                f"SELECT place, left(cell, 1), count(*) FROM ({tagged}) WHERE cell IS NOT NULL "
                "GROUP BY 1, 2"
            )
            for place, tag, count in run_sql(self._connection, counted):
                found[start + place][_KIND_OF.get(tag, "number")] += count
        return found


def _trimmed(source: str) -> str:
    return f"nullif(trim({source}), '')"


def _untagged(source: str) -> str:
    return _trimmed(tagged_text(source))


def tagged_text(column: str) -> str:
    """Return SQL for the text of a tagged cell, without the tag of a string or time."""
    return f"CASE WHEN left({column}, 1) IN ('\"', '@') THEN substr({column}, 2) ELSE {column} END"
