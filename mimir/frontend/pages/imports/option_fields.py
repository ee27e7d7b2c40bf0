"""Fields of the reading options: labels, choices and current values. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mimir.frontend import formatting

FORMATS = (
    ("csv", "CSV"),
    ("excel", "Excel"),
    ("json", "JSON"),
    ("jsonl", "JSON Lines"),
    ("parquet", "Parquet"),
    ("arrow", "Arrow"),
)
_DELIMITERS = (
    (",", ", comma"),
    (";", "; semicolon"),
    ("tab", "tab"),
    ("|", "| pipe"),
    ("space", "space"),
)
_QUOTES = (('"', '"'), ("'", "'"), ("none", "none"))
_ENCODINGS = (
    ("utf-8", "UTF-8"),
    ("cp1252", "Windows-1252"),
    ("latin-1", "Latin-1"),
    ("utf-16", "UTF-16"),
    ("shift_jis", "Shift JIS"),
)
_HEADERS = (("none", "none"), *((str(number), f"row {number}") for number in range(1, 11)))
_DECIMALS = ((".", "point: 1,234.5"), (",", "comma: 1.234,5"))
_THOUSANDS = (
    ("none", "none"),
    (",", ", comma"),
    (".", ". point"),
    ("space", "space"),
    ("'", "' apostrophe"),
)
_NESTED = (
    ("keep", "keep as nested values"),
    ("columns", "one column for each field"),
    ("text", "JSON text"),
)
_LISTS_IN_ROW = (
    ("keep", "keep as lists"),
    ("text", "as JSON text"),
    ("first", "first item only"),
    ("rows", "one row for each item"),
)
_BAD_CELLS = (
    ("refuse", "refuse the file and list them"),
    ("missing", "replace by missing values and count them"),
)
LIST_COLUMNS_SHOWN, AUTOMATIC = 50, "Automatic"
_ALIASES = {
    "\t": "tab",
    " ": "space",
    "0": "none",
    "utf8": "utf-8",
    "utf-8-sig": "utf-8",
    "windows-1252": "cp1252",
}
LISTS = ("date_formats", "missing_values")
_LABELS = {
    "delimiter": "Delimiter",
    "quote": "Quote",
    "encoding": "Encoding",
    "header_row": "Header row",
    "decimal_mark": "Decimal separator",
    "thousands_mark": "Thousands separator",
    "sheet": "Sheets",
    "sheets": "Sheets",
    "range": "Range",
    "records_path": "Path to the rows",
    "nested": "Nested objects",
    "lists": "Lists in a row",
    "list_column": "Lists in a row",
    "skip_rows": "Rows to skip",
    "bad_cells": "Invalid cells",
}
_TEXTS = {
    "date_formats": (
        "Dates",
        "Automatic",
        "day-first, month-first, unix-seconds, or a pattern such as %d.%m.%Y",
    ),
    "missing_values": ("Missing values", "Automatic: n/a, null, -", "Separated by commas"),
}
_KNOWN = {
    "delimiter": _DELIMITERS,
    "quote": _QUOTES,
    "encoding": _ENCODINGS,
    "header_row": _HEADERS,
    "decimal_mark": _DECIMALS,
    "thousands_mark": _THOUSANDS,
    "nested": _NESTED,
}
_ENTRIES = {  # placeholder and hint of text fields
    "skip_rows": ("Automatic", "Before the header row; 0 skips none"),
    "range": ("All cells", "For example A4:I3048; empty = all cells"),
}
_NAMES = {**_LABELS, **{name: row[0] for name, row in _TEXTS.items()}}
_OPTION = re.compile(
    r"(?<![\w\"])(" + "|".join(sorted(name for name in _NAMES if "_" in name)) + r")(?![\w\"])"
)


@dataclass(frozen=True, slots=True)
class Select:
    """A choice with options (value, label, selected). An empty value means automatic detection."""

    name: str
    label: str
    options: list[tuple[str, str, bool]]
    hint: str = ""
    error: str = ""

    @property
    def wide(self) -> bool:
        """Whether the field takes a whole row."""
        return self.name in ("bad_cells", "records_path", "nested", "lists")

    @property
    def detected(self) -> bool:
        """Whether the automatic choice shows the detected value."""
        return (
            self.options[:1] != [] and self.options[0][0] == "" and self.options[0][1] != AUTOMATIC
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A text field."""

    name: str
    label: str
    value: str
    placeholder: str
    hint: str = ""
    error: str = ""

    @property
    def wide(self) -> bool:
        """Whether the field takes a whole row."""
        return self.name in LISTS


def shown_value(value: object) -> str:
    """Return the value of an option as it is named in its select; empty for None."""
    word = "" if value is None else str(value)
    return _ALIASES.get(word, word)


def choices_of(
    known: Sequence[tuple[str, str]], given: object, found: Any
) -> list[tuple[str, str, bool]]:
    """List the options of a select: automatic (with the detected value), then the known values.

    A current value that is not known is added at the end.
    """
    chosen = shown_value(given)
    labels = dict(known)
    detected = "none" if found == "" and "none" in labels else shown_value(found)
    automatic = (
        labels.get(detected, formatting.visible(detected)) if detected and not chosen else AUTOMATIC
    )
    rows = [
        ("", automatic, not chosen),
        *((value, label, value == chosen) for value, label in known),
    ]
    return (
        rows
        if not chosen or chosen in labels
        else [*rows, (chosen, formatting.visible(chosen), True)]
    )


def option_field(
    name: str,
    given: Mapping[str, Any],
    found: Mapping[str, Any],
    reading: Mapping[str, Any],
    error: str,
) -> Select | Entry:
    """Build the field of one option from given, detected and possible values."""
    if name in LISTS:
        value = ", ".join(str(word) for word in given.get(name, []))
        label, placeholder, hint = _TEXTS[name]
        return Entry(name, label, value, placeholder, hint, error)
    if name in _ENTRIES:
        return Entry(name, _LABELS[name], str(given.get(name, "")), *_ENTRIES[name], error)
    if name == "bad_cells":
        chosen = given.get(name, "refuse")
        return Select(
            name,
            _LABELS[name],
            [(value, label, value == chosen) for value, label in _BAD_CELLS],
            "",
            error,
        )
    if name == "lists":
        return Select(name, _LABELS[name], _list_choices(given, reading), "", error)
    known: Sequence[tuple[str, str]] = _KNOWN.get(name, ())
    if name == "records_path":
        known = [
            (
                one["path"],
                f"{formatting.visible(one['path'])}, {formatting.number(one['count'])} rows",
            )
            for one in reading.get("lists", [])
        ]
    return Select(
        name, _LABELS[name], choices_of(known, given.get(name, ""), found.get(name)), "", error
    )


def _list_choices(
    given: Mapping[str, Any], reading: Mapping[str, Any]
) -> list[tuple[str, str, bool]]:
    """List the choices for lists in a row; several list columns have one "rows" choice each."""
    columns = [one["name"] for one in reading.get("list_columns", [])][:LIST_COLUMNS_SHOWN]
    column = given.get("list_column", "")
    columns += [column] if column and column not in columns else []
    chosen = given.get("lists", "keep") + (f"={column}" if column and len(columns) > 1 else "")
    known = list(_LISTS_IN_ROW)
    if len(columns) > 1:
        known[-1:] = [
            (f"rows={name}", f"one row for each item of {formatting.visible(name)}")
            for name in columns
        ]
        known += [_LISTS_IN_ROW[-1]] if chosen == "rows" else []
    return [(value, label, value == chosen) for value, label in known]


def with_labels(sentence: str) -> str:
    """Replace option names of an API message by field labels: `date_formats` becomes `“Dates”`."""
    return _OPTION.sub(lambda match: f"“{_NAMES[match[1]]}”", sentence)
