"""Rules that turn the text of a column into numbers, booleans, dates or times.

docs/reference/data.md has the same table. A rule applies to a column if every filled cell matches.
`match` and `cast` are SQL over `{t}`, the trimmed text of a cell. A rule with `proof` also needs
one cell that matches it: otherwise the text is ambiguous, and the column stays text. The rules are
stricter than DuckDB's casts, which accept `01` as a number (a postcode would lose its zero), `1` as
a boolean, and 01/02/2020 as a date of either order.
"""

import functools
import re
from dataclasses import dataclass

_DAY = r"[0-9]{4}(-[0-9]{2}-[0-9]{2}|/[0-9]{1,2}/[0-9]{1,2}|\.[0-9]{2}\.[0-9]{2})"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
_CLOCK_NS = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_ZONE = r" ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_INTEGER = r"[+-]?(0|[1-9][0-9]*)"
_MONTH = r"(?i:jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sep(tember)?|oct(ober)?|nov(ember)?|dec(ember)?)"
_SPACES = "[ '\u00a0\u202f\u2009\u2019]"
_SYMBOLS = "(?:[$€£¥₹₽₩]|US\\$|R\\$|CHF|EUR|USD|GBP|kr|zł|Kč)"

INTEGERS_EXACT = (
    "(length({t}) < 16 OR NOT regexp_full_match({t}, '[+-]?[0-9]+') "
    "OR TRY_CAST(TRY_CAST({t} AS DOUBLE) AS HUGEINT) = TRY_CAST({t} AS HUGEINT))"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to read text. `kind` groups rules for messages."""

    name: str
    type: str
    match: str
    cast: str
    kind: str
    proof: str = ""
    pattern: str = ""  # pattern for the first cells; empty: anything

    def may_match(self, text: str) -> bool:
        """Whether the pattern allows `text`; `match` decides."""
        return not self.pattern or _compiled(self.pattern).fullmatch(text) is not None


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def sql_text(text: str) -> str:
    """Return `text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _full(pattern: str) -> str:
    return f"regexp_full_match({{t}}, {sql_text(pattern.replace('{', '{{').replace('}', '}}'))})"


def _plain(name: str, type_name: str, pattern: str, kind: str, *, cast: str = "") -> Rule:
    cast = cast or f"TRY_CAST({{t}} AS {type_name})"
    return Rule(
        name, type_name, f"{_full(pattern)} AND {cast} IS NOT NULL", cast, kind, pattern=pattern
    )


_DOTS = "regexp_replace({t}, '^([0-9]{{4}})\\.([0-9]{{2}})\\.([0-9]{{2}})', '\\1-\\2-\\3')"


def _grouped(name: str, mark: str, decimal: str, proof: str) -> Rule:
    """Return the rule for numbers with a thousands separator."""
    pattern = rf"[+-]?([0-9]{{1,3}}({mark}[0-9]{{3}})+|0|[1-9][0-9]*)({decimal}[0-9]+)?([eE][+-]?[0-9]{{1,3}})?"
    bare = f"regexp_replace({{t}}, {sql_text(mark)}, '', 'g')"
    return _number(name, pattern, bare, decimal, proof)


def _number(
    name: str, pattern: str, bare: str, decimal: str, proof: str, kind: str = "number"
) -> Rule:
    if decimal == ",":
        bare = f"replace({bare}, ',', '.')"
    cast = f"TRY_CAST({bare} AS DOUBLE)"
    # Digits after a leading zero are a code. A 64-bit float holds 15 digits exactly.
    digits = f"length(regexp_replace({bare}, '[^0-9]', '', 'g')) <= 15"
    return Rule(
        name,
        "DOUBLE",
        f"{_full(pattern)} AND {digits} AND {cast} IS NOT NULL",
        cast,
        kind,
        _full(proof) if proof else "",
        pattern,
    )


BIGINT = _plain("integer", "BIGINT", r"[+-]?(0|[1-9][0-9]{0,18})", "number")
_DECIMAL = r"[+-]?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_NOT_FINITE = r"(?i:nan|[+-]?inf(inity)?)"
DOUBLE = Rule(
    "decimal",
    "DOUBLE",
    f"({_full(_DECIMAL)} AND isfinite(TRY_CAST({{t}} AS DOUBLE)) AND {INTEGERS_EXACT} OR "
    f"{_full(_NOT_FINITE)})",
    "TRY_CAST({t} AS DOUBLE)",
    "number",
    pattern=f"{_DECIMAL}|{_NOT_FINITE}",
)
BOOLEAN = _plain("boolean", "BOOLEAN", r"(?i:true|false)", "boolean")
DATE = _plain("date", "DATE", _DAY, "time", cast=f"TRY_CAST({_DOTS} AS DATE)")
TIMESTAMP = _plain(
    "datetime",
    "TIMESTAMP",
    rf"{_DAY}([ T]{_CLOCK})?",
    "time",
    cast=f"TRY_CAST({_DOTS} AS TIMESTAMP)",
)
TIMESTAMPTZ = _plain(
    "datetime with zone", "TIMESTAMP WITH TIME ZONE", rf"{_DAY}[ T]{_CLOCK}{_ZONE}", "time"
)
TIMESTAMP_NS = _plain(
    "datetime with nanoseconds",
    "TIMESTAMP_NS",
    rf"{_DAY}([ T]{_CLOCK_NS})?",
    "time",
    cast=f"TRY_CAST({_DOTS} AS TIMESTAMP_NS)",
)
TIME = _plain("time of day", "TIME", r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?", "time")

GROUPED_POINT = _grouped(
    "comma thousands",
    ",",
    r"\.",
    r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3}){2,}(\.[0-9]+)?|[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+\.[0-9]+",
)
GROUPED_COMMA = _grouped(
    "decimal comma",
    r"\.",
    ",",
    r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3}){2,}(,[0-9]+)?|[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+,[0-9]+|"
    r"[+-]?(0|[1-9][0-9]*),([0-9]{1,2}|[0-9]{4,})|[+-]?(0|[0-9]{4,}),[0-9]{3}",
)
GROUPED_SPACE = _grouped(
    "space thousands", _SPACES, r"\.", rf"[+-]?[1-9][0-9]{{0,2}}({_SPACES}[0-9]{{3}})+(\.[0-9]+)?"
)
GROUPED_SPACE_COMMA = _grouped(
    "space thousands, decimal comma",
    _SPACES,
    ",",
    rf"[+-]?[1-9][0-9]{{0,2}}({_SPACES}[0-9]{{3}})+(,[0-9]+)?",
)
SURE_GROUPED_POINT = _grouped(
    "comma thousands", ",", r"\.", r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?"
)

_POINT_NUMBER = r"([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?"
_BARE_PERCENT = "regexp_replace({t}, '[%, ]', '', 'g')"
PERCENT = _number(
    "percent", rf"[+-]?({_POINT_NUMBER}|\.[0-9]+) ?%", _BARE_PERCENT, ".", "", "number"
)
PERCENT_COMMA = _number(
    "percent, decimal comma",
    r"[+-]?[0-9]+(,[0-9]+)? ?%",
    "regexp_replace({t}, '[% ]', '', 'g')",
    ",",
    r"[+-]?[0-9]+,([0-9]{1,2}|[0-9]{4,}) ?%",
)
_BARE_CURRENCY = f"regexp_replace({{t}}, {sql_text(_SYMBOLS + '|[, ]')}, '', 'g')"
CURRENCY = _number(
    "currency",
    rf"[+-]?{_SYMBOLS} ?[+-]?{_POINT_NUMBER}|[+-]?{_POINT_NUMBER} ?{_SYMBOLS}",
    _BARE_CURRENCY,
    ".",
    rf"[+-]?{_SYMBOLS}? ?[+-]?([0-9]+|[0-9]{{1,3}}(,[0-9]{{3}})*)(\.[0-9]{{1,2}})? ?{_SYMBOLS}?",
)


def _dates(
    name: str, pattern: str, formats: tuple[str, ...], proof: str, type_name: str = "DATE"
) -> Rule:
    listed = "[" + ", ".join(sql_text(text) for text in formats) + "]"
    cast = f"CAST(try_strptime({{t}}, {listed}) AS {type_name})"
    return Rule(
        name,
        type_name,
        f"{_full(pattern)} AND {cast} IS NOT NULL",
        cast,
        "time",
        _full(proof) if proof else "",
        pattern,
    )


def _clocked(formats: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"{text}{clock}"
        for text in formats
        for clock in ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")
    )


def _ordered(order: str, separator: str, proof: str) -> tuple[Rule, Rule]:
    day_month = "%d{0}%m{0}%Y" if order == "day-month-year" else "%m{0}%d{0}%Y"
    formats = (day_month.format(separator),)
    escaped = separator.replace(".", r"\.")
    day = rf"[0-9]{{1,2}}{escaped}[0-9]{{1,2}}{escaped}[0-9]{{4}}"
    found = proof.format(s=escaped)
    return (
        _dates(f"{order} with {separator}", day, formats, found),
        _dates(
            f"{order} with {separator} and time",
            rf"{day}( {_CLOCK})?",
            _clocked(formats),
            f"{found}( .*)?" if found else "",
            "TIMESTAMP",
        ),
    )


_DAY_FIRST = r"(1[3-9]|2[0-9]|3[01]){s}[0-9]{{1,2}}{s}[0-9]{{4}}"
_MONTH_FIRST = r"[0-9]{{1,2}}{s}(1[3-9]|2[0-9]|3[01]){s}[0-9]{{4}}"
DAY_FIRST = (
    *_ordered("day-month-year", "/", _DAY_FIRST),
    *_ordered("day-month-year", "-", _DAY_FIRST),
    *_ordered("day-month-year", ".", ""),
)
MONTH_FIRST = (
    *_ordered("month-day-year", "/", _MONTH_FIRST),
    *_ordered("month-day-year", "-", _MONTH_FIRST),
)

_NAMED = (
    "%b %d %Y",
    "%B %d %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %b %Y",
    "%d %B %Y",
    "%d-%b-%Y",
    "%d-%B-%Y",
    "%b-%d-%Y",
    "%Y-%b-%d",
    "%Y %b %d",
    "%d/%b/%Y",
    "%d. %B %Y",
    "%d. %b %Y",
)
_NAMED_DAY = (
    rf"{_MONTH}\.?[ -][0-9]{{1,2}},?[ -][0-9]{{4}}|[0-9]{{1,2}}\.?[ /-]{_MONTH}[ "
    rf"/-][0-9]{{4}}|[0-9]{{4}}[ -]{_MONTH}[ -][0-9]{{1,2}}"
)
MONTH_NAME = _dates("month name", _NAMED_DAY, _NAMED, "")
MONTH_NAME_TIME = _dates(
    "month name and time", rf"({_NAMED_DAY})( {_CLOCK})?", _clocked(_NAMED), "", "TIMESTAMP"
)

ISO_RULES = (DATE, TIMESTAMP, TIMESTAMPTZ, TIMESTAMP_NS, TIME)
NUMBER_RULES = (BIGINT, DOUBLE)
TEXT_RULES: tuple[Rule, ...] = (
    BIGINT,
    DOUBLE,
    BOOLEAN,
    *ISO_RULES,
    GROUPED_POINT,
    GROUPED_COMMA,
    GROUPED_SPACE,
    GROUPED_SPACE_COMMA,
    PERCENT,
    PERCENT_COMMA,
    CURRENCY,
    *DAY_FIRST,
    *MONTH_FIRST,
    MONTH_NAME,
    MONTH_NAME_TIME,
)

MISSING_TEXTS = (
    "n/a",
    "#n/a",
    "#n/a n/a",
    "na",
    "n.a.",
    "<na>",
    "null",
    "none",
    "nil",
    "nan",
    "missing",
    "-",
    "--",
    "---",
    "–",
    "—",
    ".",
    "..",
    "...",
    "?",
    "#div/0!",
    "#value!",
    "#ref!",
    "#name?",
    "#num!",
    "#null!",
)
