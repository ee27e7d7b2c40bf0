"""Notations in text columns: numbers with exceptions, numbers in local notation, dates.

Training and inference use them to decide how a text column is read, and to report why it is not a
number or a date. Rows are counted from 1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jobs.worker.pipelines.tables import Table, Tables
from mimir.lib.tables import identifier, quoted

# Minimum share of numbers, not counting words for a missing value, from which a text column is used
# as a number.
NUMBERS_SHARE_MIN = 0.9
# Words for a missing value in a column of numbers, dates or booleans. Case does not matter.
MISSING_TEXTS = (
    "na",
    "n/a",
    "#n/a",
    "n.a.",
    "nan",
    "null",
    "none",
    "nil",
    "nat",
    "-",
    "--",
    "?",
    ".",
    "missing",
    "unknown",
)
# Strict: a code such as 007 is not a number.
NUMBER = r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_MONTH = (
    r"(?i:jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|"
    r"aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?)"
)
_COLUMNS_A_QUERY = 20
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Form:
    """Notation that is not parsed automatically. `hint`: SQL that converts the column {0}."""

    name: str
    pattern: str
    description: str
    hint: str
    is_number: bool


FORMS = (
    Form(
        "thousands",
        r"[+-]?[0-9]{1,3}([,' \x{00A0}\x{202F}][0-9]{3})+(\.[0-9]+)?|"
        r"[+-]?[0-9]{1,3}(\.[0-9]{3}){2,}(,[0-9]+)?",
        "numbers with thousands separators",
        "CAST(regexp_replace({0}, '[^0-9.+-]', '', 'g') AS DOUBLE)",
        True,
    ),
    Form(
        "comma",
        r"[+-]?[0-9]+,[0-9]+",
        "numbers with a decimal comma",
        "CAST(replace({0}, ',', '.') AS DOUBLE)",
        True,
    ),
    Form(
        "percent",
        r"[+-]?[0-9]+([.,][0-9]+)? ?%",
        "percentages",
        "CAST(replace({0}, '%', '') AS DOUBLE) / 100",
        True,
    ),
    Form(
        "currency",
        r"[+-]?[$€£¥] ?[0-9][0-9., ]*|[+-]?[0-9][0-9., ]* ?[$€£¥]",
        "amounts with a currency sign",
        "CAST(regexp_replace({0}, '[^0-9.+-]', '', 'g') AS DOUBLE)",
        True,
    ),
    Form(
        "month",
        rf"([0-9]{{1,2}}[ .-]*)?{_MONTH}[ ,.-]*[0-9]{{1,4}}"
        r"([ ,.-]+[0-9]{2,4})?([ T,]+[0-9]{1,2}:.*)?",
        "dates with month names",
        "strptime({0}, '%b %d %Y')",
        False,
    ),
    Form(
        "date",
        r"[0-9]{4}[/.-][0-9]{1,2}[/.-][0-9]{1,2}([ T].*)?|"
        r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{2,4}([ T].*)?",
        "dates",
        "strptime({0}, '%d/%m/%Y')",
        False,
    ),
)


@dataclass(frozen=True, slots=True)
class Example:
    """Number of cells with a property, and the first one."""

    count: int
    row: int
    cell: str

    def shown(self) -> str:
        """Return for example `'n/a' in row 12`."""
        return f"{self.cell[:_SHOWN]!r} in row {self.row:,}"


@dataclass(frozen=True, slots=True)
class TextFacts:
    """Counts of a text column's cells. `values`: not empty; `others`: not numbers."""

    values: int
    missing: int
    numbers: int
    distinct: int
    others: Example
    forms: dict[str, Example] = field(default_factory=dict)

    @property
    def is_number(self) -> bool:
        """Whether the column is text because of a few cells only, and is used as a number.

        False if all cells are numbers: such a column was declared as text.
        """
        return (
            self.others.count > 0
            and self.numbers >= 2
            and self.numbers >= NUMBERS_SHARE_MIN * (self.values - self.missing)
        )

    @property
    def is_all_numbers(self) -> bool:
        """Whether every value is a number although the column's declared type is text."""
        return self.numbers > 0 and self.others.count == 0

    def form(self) -> tuple[Form, Example] | None:
        """Return the notation of nearly all cells and an example; None if there is none.

        Plain numbers count as cells of each numeric notation.
        """
        for form in FORMS:
            found = self.forms[form.name]
            alike = found.count + (self.numbers if form.is_number else 0)
            if found.count and alike >= NUMBERS_SHARE_MIN * (self.values - self.missing):
                return form, found
        return None


def describe_form(name: str, form: Form, example: Example) -> str:
    """Return text that describes the notation of a column's cells and how to convert them."""
    how = (
        "import the file again with that notation, or convert it in a pipeline, "
        f"for example {form.hint.format(identifier(name))}"
    )
    return f"{name} holds {form.description} ({example.shown()}) as text: {how}"


def text_facts(tables: Tables, table: Table, names: Sequence[str]) -> dict[str, TextFacts]:
    """Count the cells of the text columns `names`; return the counts by column."""
    found: dict[str, TextFacts] = {}
    connection = tables.connect(readable=[table.path])
    source = f"read_parquet({quoted(str(table.path))}, file_row_number = true)"
    for start in range(0, len(names), _COLUMNS_A_QUERY):
        part = names[start : start + _COLUMNS_A_QUERY]
        selected = ", ".join(sql for name in part for sql in _counted(name))
        cells = iter(connection.execute(f"SELECT {selected} FROM {source}").fetchone())
        for name in part:
            found[name] = _facts(cells)
    connection.close()
    return found


def missing_texts_sql() -> str:
    """Return the words for a missing value as an SQL list."""
    return f"({', '.join(quoted(word) for word in MISSING_TEXTS)})"


def text_sql(name: str) -> str:
    """Return the SQL of a cell as text without surrounding spaces."""
    return f"trim(CAST({identifier(name)} AS VARCHAR))"


def number_sql(name: str) -> str:
    """Return the SQL of a text cell as a number; NULL if it is not one."""
    text = text_sql(name)
    return (
        f"CASE WHEN regexp_full_match({text}, {quoted(NUMBER)}) THEN TRY_CAST({text} AS DOUBLE) END"
    )


def _counted(name: str) -> list[str]:
    text = text_sql(name)
    there = f"{text} <> ''"  # NULL counts as empty
    number = f"regexp_full_match({text}, {quoted(NUMBER)})"
    counted = [
        f"count(*) FILTER (WHERE {there})",
        f"count(*) FILTER (WHERE lower({text}) IN {missing_texts_sql()})",
    ]
    counted += [f"count(*) FILTER (WHERE {number})", f"count(DISTINCT {text})"]
    for condition in (
        f"{there} AND NOT {number}",
        *(f"regexp_full_match({text}, {quoted(form.pattern)})" for form in FORMS),
    ):
        only = f"FILTER (WHERE {condition})"
        counted += [
            f"count(*) {only}",
            f"min(file_row_number) {only}",
            f"arg_min({text}, file_row_number) {only}",
        ]
    return counted


def _facts(cells: Iterator[object]) -> TextFacts:
    values, missing, numbers, distinct = (int(str(next(cells))) for _ in range(4))
    others, *forms = [
        _example(next(cells), next(cells), next(cells)) for _ in range(1 + len(FORMS))
    ]
    return TextFacts(
        values,
        missing,
        numbers,
        distinct,
        others,
        {form.name: example for form, example in zip(FORMS, forms, strict=True)},
    )


def _example(count: object, row: object, cell: object) -> Example:
    return Example(
        int(str(count)), 0 if row is None else int(str(row)) + 1, "" if cell is None else str(cell)
    )
