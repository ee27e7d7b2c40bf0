"""Unix times. Numbers become times only in columns with a chosen time type."""

import re
from collections.abc import Sequence

from mimir.lib.reading.options import UNIX_FORMATS
from mimir.lib.reading.rules import Rule

_NUMBER = r"[+-]?[0-9]{1,20}([.][0-9]+)?"
_YEARS = (-62_135_596_800, 253_402_300_800)  # 0001-01-01 to 9999-12-31, in seconds
_YEARS_NS = (-9_223_372_036, 9_223_372_036)  # range of 64-bit nanoseconds
PLAUSIBLE = (1_000_000_000, 4_102_444_800)  # 2001-09-09 to 2100-01-01, in seconds
SUGGESTED = ("unix-seconds", "unix-milliseconds")
_MICROS_A_DAY = 86_400_000_000
_TIME_SUFFIXES = {
    "at", "time", "times", "timestamp", "date", "datetime", "ts", "created", "updated", "modified", "changed", "deleted", "started", "ended",  # noqa: E501
    "finished", "expires", "expired", "since", "until", "epoch", "unix", "mtime", "ctime", "atime",
}  # fmt: skip
_UNIT_SUFFIXES = {
    "s",
    "sec",
    "secs",
    "second",
    "seconds",
    "ms",
    "msec",
    "millis",
    "millisecond",
    "milliseconds",
    "utc",
    "gmt",
    "unix",
    "epoch",
}
UNIX_TYPES = {
    "TIMESTAMP": "make_timestamp({ticks})",
    "TIMESTAMP_NS": "make_timestamp_ns({ticks})",
    "TIMESTAMP WITH TIME ZONE": "CAST(make_timestamp({ticks}) AS TIMESTAMP WITH TIME ZONE)",
    "DATE": "CAST(make_timestamp({ticks}) AS DATE)",
}


def unix_rules(formats: Sequence[str], type_name: str) -> list[Rule]:
    """Return the rules that read numbers as a time type, largest unit first.

    A current time in milliseconds, read as seconds, is after the year 9999 and does not match.
    """
    return [
        _rule(name, digits, type_name)
        for name, digits in UNIX_FORMATS.items()
        if name in formats and type_name in UNIX_TYPES
    ]


def is_unix(rule: Rule | None) -> bool:
    """Whether the rule reads Unix times."""
    return rule is not None and rule.kind == "unix"


def is_rounded(rule: Rule, text: str) -> str:
    """Return the SQL condition that a number has more digits than the type can store.

    `text`: SQL for its text.
    """
    shift = _shift(UNIX_FORMATS[rule.name], rule.type)
    return f"TRY_CAST({text} || 'e{shift}' AS DECIMAL(38, 12)) <> {_ticks(text, shift)}"


def names_a_time(name: str) -> bool:
    """Whether the last word of a column's name means a time, before an optional unit.

    For example `created_at`, `eventTime`, `ts_ms`.
    """
    parts = [part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
    last = (
        parts[-1:]
        if parts[-1:] and parts[-1] in _TIME_SUFFIXES
        else parts[-2:-1]
        if parts and parts[-1] in _UNIT_SUFFIXES
        else []
    )
    return bool(last) and last[0] in _TIME_SUFFIXES


def is_plausible(text: str, name: str) -> str:
    """Return the SQL condition that a whole number is a time from 2001-09-09 to 2100-01-01.

    `name`: the Unix format, which says the unit.
    """
    low, high = (bound * 10 ** UNIX_FORMATS[name] for bound in PLAUSIBLE)
    return f"(TRY_CAST({text} AS BIGINT) >= {low} AND TRY_CAST({text} AS BIGINT) < {high})"


def likely_format(text: str) -> str:
    """Return the Unix format of a number with the digits of a current time; "" for other text."""
    digits = len(text) if text.isascii() and text.isdigit() else 0
    return {
        10: "unix-seconds",
        13: "unix-milliseconds",
        16: "unix-microseconds",
        19: "unix-nanoseconds",
    }.get(digits, "")


def _shift(digits: int, type_name: str) -> int:
    """Return the power of ten from a unit (10 ** -digits seconds) to the type's unit."""
    return (9 if type_name == "TIMESTAMP_NS" else 6) - digits


def _ticks(text: str, shift: int) -> str:
    return f"TRY_CAST({text} || 'e{shift}' AS DECIMAL(38, 0))"


def _rule(name: str, digits: int, type_name: str) -> Rule:
    ticks = _ticks("{t}", _shift(digits, type_name))
    low, high = _YEARS_NS if type_name == "TIMESTAMP_NS" else _YEARS
    unit = 10 ** (9 if type_name == "TIMESTAMP_NS" else 6)
    pattern = _NUMBER.replace("{", "{{").replace("}", "}}")
    match = (
        f"regexp_full_match({{t}}, '{pattern}') AND {ticks} >= {low * unit} AND {ticks} < "
        f"{high * unit}"
    )
    if type_name == "DATE":
        match += f" AND {ticks} % {_MICROS_A_DAY} = 0"
    return Rule(
        name,
        type_name,
        match,
        UNIX_TYPES[type_name].format(ticks=f"CAST({ticks} AS BIGINT)"),
        "unix",
        pattern=_NUMBER,
    )
