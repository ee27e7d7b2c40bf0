"""Translation of DuckDB's binder errors to predicates with a place and a suggestion. Pure."""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches

_LINE = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)
_FIRST_LINE = 2  # the query starts on line 2, after `DESCRIBE SELECT * FROM (`
_NAME = r'"((?:[^"]|"")*)"'

Known = Mapping[str, list[str]]
_Phrase = Callable[["re.Match[str]", Known], str]


def bind_message(complaint: str, *, known: Known, query: str) -> str:
    """Translate an error. `known` has the column names of each table that the query reads."""
    text = complaint.split("\n\nLINE")[0]
    for pattern, phrase in _RULES:
        match = re.search(pattern, text)
        if match:
            return f"{phrase(match, known)}{_where(complaint, query)}"
    first = re.sub(r"^[\w ]*Error: ", "", text.splitlines()[0])[:300] if text.strip() else ""
    return f"does not match its tables{_where(complaint, query)}: {first}"


def _where(complaint: str, query: str) -> str:
    match = _LINE.search(complaint)
    if match is None or match[2].startswith("..."):
        return ""
    line = int(match[1]) - _FIRST_LINE + 1
    column = len(match[3]) - len(f"LINE {match[1]}: ") + 1
    if not 1 <= line <= query.count("\n") + 1 or column < 1:
        return ""
    return f" (line {line}, column {column})"


def _suggest(name: str, names: list[str]) -> str:
    folded = {other.casefold(): other for other in names}
    found = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.5)
    return f'. Did you mean "{folded[found[0]]}"?' if found else ""


def _column(match: "re.Match[str]", known: Known) -> str:
    name = match[1]
    columns = list(dict.fromkeys(column for names in known.values() for column in names))
    tables = ", ".join(list(known)[:5])
    having = (
        f"which {tables} {'does' if len(known) == 1 else 'do'} not have"
        if known
        else "and reads no table"
    )
    return f'names column "{name}", {having}{_suggest(name, columns)}'


def _column_of(match: "re.Match[str]", known: Known) -> str:
    columns = next(
        (names for table, names in known.items() if table.casefold() == match[1].casefold()), []
    )
    columns = columns or [column for names in known.values() for column in names]
    return (
        f'names column "{match[2]}", which "{match[1]}" does not have{_suggest(match[2], columns)}'
    )


def _engine_suggestion(text: str) -> str:
    found = re.search(rf"Did you mean {_NAME}", text)
    return f'. Did you mean "{found[1]}"?' if found else ""


def _call(match: "re.Match[str]", _known: Known) -> str:
    """Describe a call such as `sum(VARCHAR)` or `+(BIGINT, DATE)`."""
    name, types = match[1].strip('"'), match[2].replace("_LITERAL", "")
    if not re.match(r"\w", name):
        parts = [part.strip() for part in types.split(",")]
        return (
            f"uses {name} on {' and '.join(parts)}, which is not possible."
            " Convert the values with CAST"
        )
    return (
        f"calls {name}({types}), and {name}() does not accept these types."
        " Convert the values with CAST"
    )


def _no_table(match: "re.Match[str]", known: Known) -> str:
    return (
        f'reads "{match[1]}", which is not a table of this query{_suggest(match[1], list(known))}'
    )


def _missing_function(match: "re.Match[str]", _known: Known) -> str:
    return f"calls {match[1]}(), which is not a function{_engine_suggestion(match.string)}"


def _grouping(match: "re.Match[str]", _known: Known) -> str:
    return (
        f'selects column "{match[1]}" next to an aggregate: add it to GROUP BY,'
        f' or use any_value("{match[1]}")'
    )


def _phrase(template: str) -> _Phrase:
    """Return a phrase; `{1}`, `{2}`… stand for the groups of the match."""
    return lambda match, _known: template.format(match[0], *match.groups())


_RULES: tuple[tuple[str, _Phrase], ...] = (
    (rf"Referenced column {_NAME} not found in FROM", _column),
    (
        rf"Referenced column {_NAME} was not found because the FROM clause is missing",
        _phrase('names column "{1}" where no table is read'),
    ),
    (rf"Table {_NAME} does not have a column named {_NAME}", _column_of),
    (rf"Column {_NAME} in (?:EXCLUDE|REPLACE|RENAME) list not found", _column),
    (rf"Column {_NAME} does not exist on (?:left|right) side of join", _column),
    (rf"Referenced table {_NAME} not found", _no_table),
    (r"Table with name (.+?) does not exist", _no_table),
    (r"Function with name (.+?) does not exist", _missing_function),
    (r"Type with name (.+?) does not exist", _phrase("names {1}, which is not a type")),
    (r"No function matches the given name and argument types '(.+?)\((.*)\)'", _call),
    (r'Could not choose a best candidate function for the function call "(.+?)\((.*)\)"', _call),
    (
        r'Macro "(.+?)"\(\) does not support the supplied arguments',
        _phrase("calls {1}() with arguments that it does not accept"),
    ),
    (rf"column {_NAME} must appear in the GROUP BY", _grouping),
    (
        rf"Ambiguous reference to column name {_NAME} \(use: (.*)\)",
        _phrase('names column "{1}", which several tables have: write {2}'),
    ),
    (
        r"Set operations can only apply",
        _phrase("combines queries with different numbers of columns by UNION, INTERSECT or EXCEPT"),
    ),
    (
        r"Subquery returns (\d+) columns",
        _phrase("uses a subquery with {1} columns as one value: select one column in it"),
    ),
    (
        r"(WHERE|GROUP BY|JOIN) clause cannot contain ([a-z ]+)",
        _phrase("uses {2} in {1}: use HAVING or QUALIFY, or a subquery"),
    ),
    (
        r"Values were not provided for the following",
        _phrase("has a parameter (?, $1 or $name): a step has no parameters"),
    ),
    (
        r'No matching columns found that match regex "(.*)"',
        _phrase("selects COLUMNS('{1}'), which no column matches"),
    ),
    (
        r"UNNEST\(\) can only be applied to",
        _phrase("uses unnest() on a value that is not a list or a struct"),
    ),
)
