"""The form of an import: which reading options it shows for a format, and what its fields say. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mimir.frontend import formatting
from mimir.frontend.pages.datasets import present
from mimir.frontend.pages.imports.column_facts import fact_line
from mimir.lib.reading.options import UNIX_FORMATS

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
    ("refuse", "refuse the file and name them"),
    ("missing", "make them missing and count them"),
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
TYPES = (
    ("text", "text"),
    ("integer", "integer"),
    ("decimal", "decimal"),
    ("boolean", "true/false"),
    ("date", "date"),
    ("datetime", "date and time"),
    ("timestamptz", "date, time and zone"),
    ("time", "time"),
    ("skip", "skip column"),
)
_TYPE_NAMES = {
    "VARCHAR": "text",
    "BIGINT": "integer",
    "DOUBLE": "decimal",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "datetime",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "TIME": "time",
    "SKIP": "skip",
}
_TABLE = ("date_formats", "missing_values", "bad_cells")
_FIELDS: dict[str, tuple[str, ...]] = {
    "csv": (
        "delimiter",
        "quote",
        "encoding",
        "header_row",
        "skip_rows",
        "decimal_mark",
        "thousands_mark",
        *_TABLE,
    ),
    "json": ("records_path", "nested", "lists", "encoding", *_TABLE),
    "jsonl": ("records_path", "nested", "lists", "encoding", *_TABLE),
    "excel": ("sheet", "sheets", "header_row", "range", "skip_rows", *_TABLE),
    "parquet": (),
    "arrow": (),
}
# Options that may change which columns there are: types chosen for the columns before do not apply after.
_STRUCTURE = (
    "format",
    "delimiter",
    "quote",
    "encoding",
    "header_row",
    "skip_rows",
    "sheet",
    "sheets",
    "range",
    "records_path",
    "nested",
    "lists",
    "list_column",
)
_LISTS = ("date_formats", "missing_values")
# A change that a warning's code suggests: (label, option, value). `{column}` in an option stands for the warning's column.
_FIXES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "header_looks_like_data": (("No header row", "header_row", "none"),),
    "ambiguous_dates": (
        ("Day first", "date_formats", "day-first"),
        ("Month first", "date_formats", "month-first"),
    ),
    "possible_dates": (
        ("Day first", "date_formats", "day-first"),
        ("Month first", "date_formats", "month-first"),
    ),
    "ambiguous_numbers": (
        ("Decimal comma", "decimal_mark", ","),
        ("Decimal point", "decimal_mark", "."),
    ),
    "nearly_numbers": (("Read as decimal, other cells missing", "types", "decimal"),),
}


@dataclass(frozen=True, slots=True)
class Select:
    """A choice: (value, label, selected) of each option. An empty value leaves the choice to detection."""

    name: str
    label: str
    options: list[tuple[str, str, bool]]
    hint: str = ""
    error: str = ""

    @property
    def wide(self) -> bool:
        """Whether it takes a whole line of the form."""
        return self.name in ("bad_cells", "records_path", "nested", "lists")

    @property
    def detected(self) -> bool:
        """Whether the first choice, the automatic one, shows what was detected."""
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
        """Whether it takes a whole line of the form."""
        return self.name in _LISTS


@dataclass(slots=True)
class ImportForm:
    """What the page shows: fields of options, warnings with suggested changes, and the preview."""

    format: Select
    fields: list[Select | Entry]
    warnings: list[dict[str, Any]]  # those with a suggested change
    notes: list[str] = field(default_factory=list)  # the other ones
    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[dict[str, Any]]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    fault: str = ""
    kind: str = ""  # the format whose options are shown


def options_of(
    posted: Mapping[str, Any], names: Sequence[str], kinds: Sequence[str], before: Mapping[str, Any]
) -> dict[str, Any]:
    """The options that the form's fields say, as the API takes them.

    `names` and `kinds` are the columns and their chosen types; `before` are the options of the last reading. Fields that do not apply to
    the format are left out, and so are chosen types when the columns may have changed.
    """
    kind = str(posted.get("format") or posted.get("detected_format") or "csv")
    given: dict[str, Any] = {"format": posted["format"]} if posted.get("format") else {}
    for name in _FIELDS.get(kind, ()):
        value = str(posted.get(name, ""))
        if name in _LISTS:
            items = [word.strip() for word in value.split(",") if word.strip()]
            given |= {name: items} if items else {}
        elif name == "lists":
            given |= _list_options(value)
        elif name == "sheets":
            given |= {name: posted[name]} if posted.get(name) else {}
        elif value.strip():
            given[name] = _whole(value) if name == "skip_rows" else value
    types = {name: kind_ for name, kind_ in zip(names, kinds, strict=False) if kind_}
    if types and kind in ("csv", "excel", "json", "jsonl") and not _restructured(given, before):
        given["types"] = types
    return _fixed(given, str(posted.get("fix", "")))


def _list_options(value: str) -> dict[str, str]:
    """The options of one choice: `rows=tags` names the column, too."""
    how, _, column = value.partition("=")
    return (
        {"lists": how, **({"list_column": column} if column else {})}
        if how not in ("", "keep")
        else {}
    )


def _whole(value: str) -> Any:
    return int(value) if value.strip().isascii() and value.strip().isdigit() else value


def _restructured(given: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    return any(
        shown_value(given.get(name, "")) != shown_value(before.get(name, "")) for name in _STRUCTURE
    )


def _fixed(given: dict[str, Any], fix: str) -> dict[str, Any]:
    """With the change of a pressed button: `option=value`, `types=kind=column`, or `unix-seconds=kind=column`."""
    name, _, value = fix.partition("=")
    if name in UNIX_FORMATS:
        kind, _, column = value.partition("=")
        return {
            **given,
            "types": {**given.get("types", {}), column: kind},
            "date_formats": [*given.get("date_formats", []), name],
        }
    if name == "types":
        kind, _, column = value.partition("=")
        return {**given, "types": {**given.get("types", {}), column: kind}, "bad_cells": "missing"}
    if name in _LISTS:
        return {**given, name: [value]}
    return {**given, name: value} if name in ("header_row", "decimal_mark") and value else given


def form_of(
    upload: Mapping[str, Any], errors: Mapping[str, str], typed: Mapping[str, Any] | None = None
) -> ImportForm:
    """The form of a staged upload as the API answers it; `errors` by option, whose fields keep what was `typed`."""
    given, reading = upload["options"], upload["reading"] or {}
    found = reading.get("options", {})
    known = "excel" if upload.get("sheets") else _kind_by_name(str(upload.get("file_name", "")))
    kind = str(given.get("format") or reading.get("format") or known)
    shown = Select(
        "format",
        "Format",
        _choices(FORMATS, given.get("format", ""), reading.get("format", "")),
        error=errors.get("format", ""),
    )
    if shown.detected:
        shown = replace(shown, hint="Recognised from the content")
    needs = {
        "records_path": "lists",
        "lists": "list_columns",
    }  # fields that are shown where the file has such lists
    names = [
        name
        for name in _FIELDS.get(kind, ())
        if name not in needs or reading.get(needs[name]) or given.get(name)
    ]
    names = [name for name in names if name not in ("sheet", "sheets")]  # of `importsheets.py`
    fields = [_field(name, given, found, reading, errors.get(name, "")) for name in names]
    fields = [_as_typed(one, typed) if typed and one.error else one for one in fields]
    types = {
        name: _TYPE_NAMES.get(str(value), str(value))
        for name, value in given.get("types", {}).items()
    }
    warnings = [_warning(one) for one in reading.get("warnings", [])]
    form = ImportForm(
        shown,
        fields,
        [one for one in warnings if one["fixes"]],
        [one["message"] for one in warnings if not one["fixes"]],
    )
    form.kind = kind
    form.fault = with_labels(upload["fault"])
    form.skipped = [name for name, value in types.items() if value == "skip"]
    form.columns = [
        {
            **_column(one, types.get(one["name"], ""), kind),
            "facts": fact_line(one, reading["row_count"]),
        }
        for one in reading.get("columns", [])
    ]
    form.rows = _rows(reading)
    return form


def _as_typed(one: Select | Entry, typed: Mapping[str, Any]) -> Select | Entry:
    value = str(typed.get(one.name, ""))
    if isinstance(one, Entry):
        return replace(one, value=value)
    return replace(
        one, options=[(option, label, option == value) for option, label, _ in one.options]
    )


def _kind_by_name(name: str) -> str:
    """The format whose options are shown for a file that cannot be read."""
    endings = {"json": "json", "geojson": "json", "jsonl": "jsonl", "ndjson": "jsonl"}
    endings |= dict.fromkeys(("xlsx", "xlsb", "xls", "ods"), "excel")
    return endings.get(name.rpartition(".")[2].lower(), "csv")


def shown_value(value: Any) -> str:
    """An option's value as a select names it."""
    word = "" if value is None else str(value)
    return _ALIASES.get(word, word)


def _choices(
    known: Sequence[tuple[str, str]], given: Any, found: Any
) -> list[tuple[str, str, bool]]:
    """Automatic first, with what was detected; then each known value, and the present one where it is another."""
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


def _field(
    name: str,
    given: Mapping[str, Any],
    found: Mapping[str, Any],
    reading: Mapping[str, Any],
    error: str,
) -> Select | Entry:
    if name in _LISTS:
        value = ", ".join(str(word) for word in given.get(name, []))
        label, placeholder, hint = _TEXTS[name]
        return Entry(name, label, value, placeholder, hint, error)
    if name == "skip_rows":
        return Entry(
            name,
            _LABELS[name],
            str(given.get(name, "")),
            "Automatic",
            "Before the header row; 0 skips none",
            error,
        )
    if name == "range":
        return Entry(
            name,
            _LABELS[name],
            str(given.get(name, "")),
            "All cells",
            "Such as A4:I3048; empty = all cells",
            error,
        )
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
        name, _LABELS[name], _choices(known, given.get(name, ""), found.get(name)), "", error
    )


def _list_choices(
    given: Mapping[str, Any], reading: Mapping[str, Any]
) -> list[tuple[str, str, bool]]:
    """One choice of rows for each column that has lists, where there are several."""
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


_LABELS = {
    "delimiter": "Delimiter",
    "quote": "Quote",
    "encoding": "Encoding",
    "header_row": "Header row",
    "decimal_mark": "Decimal mark",
    "thousands_mark": "Thousands mark",
    "sheet": "Sheets",
    "sheets": "Sheets",
    "range": "Range",
    "records_path": "Rows are at",
    "nested": "Nested objects",
    "lists": "Lists in a row",
    "list_column": "Lists in a row",
    "skip_rows": "Rows to skip",
    "bad_cells": "Cells that do not fit",
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


_NAMES = {**_LABELS, **{name: row[0] for name, row in _TEXTS.items()}}
_OPTION = re.compile(
    r"(?<![\w\"])(" + "|".join(sorted(name for name in _NAMES if "_" in name)) + r")(?![\w\"])"
)


def with_labels(sentence: str) -> str:
    """A sentence of the API with each option named as its field on the page: `Choose date_formats.` becomes `Choose “Dates”.`"""
    return _OPTION.sub(lambda match: f"“{_NAMES[match[1]]}”", sentence)


def _warning(one: Mapping[str, Any]) -> dict[str, Any]:
    column = one["params"].get("column", "")
    fixes = [
        (label, f"{option}={value}={column}" if option == "types" else f"{option}={value}")
        for label, option, value in _FIXES.get(one["code"], ())
    ]
    if one["code"] == "possible_unix_times":
        fixes = [("Read as date and time", f"{one['params']['format']}=datetime={column}")]
    return {"message": with_labels(one["message"]), "fixes": fixes}


def _column(one: Mapping[str, Any], chosen: str, kind: str) -> dict[str, Any]:
    name = _TYPE_NAMES.get(str(one["type"]))
    detected = (
        dict(TYPES).get(name, str(one["type"]).lower()) if name else _nested_type(str(one["type"]))
    )
    options = [
        ("", detected if not chosen else AUTOMATIC, not chosen),
        *((value, label, value == chosen) for value, label in TYPES),
    ]
    return {
        "name": formatting.visible(one["name"]),
        "raw_name": one["name"],
        "type": detected,
        "empty": bool(one.get("empty")),
        "options": [row for row in options if row[0] != name or row[0] == chosen]
        if not chosen
        else options,
        "fixed": kind in ("parquet", "arrow"),
        "right": present.is_number(str(one["type"])),
    }


def _nested_type(name: str) -> str:
    """A short word for a type that a file of columns or of objects has."""
    return (
        "list"
        if name.endswith("]")
        else "object"
        if name.startswith(("STRUCT", "MAP"))
        else formatting.visible(name.lower())
    )


def _rows(reading: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """Cells as they will be stored; one that became missing shows its text too. `raw`: the text in the file, None where it is the same."""
    rights = [present.is_number(str(column["type"])) for column in reading.get("columns", [])]
    texts = reading.get("cells") or []
    rows = []
    for place, row in enumerate(reading.get("rows", [])):
        raw = (
            texts[place]
            if place < len(texts) and len(texts[place]) == len(row)
            else [None] * len(row)
        )
        rows.append(
            [_cell(value, right, was) for value, right, was in zip(row, rights, raw, strict=False)]
        )
    return rows


def _cell(value: Any, right: bool, was: Any) -> dict[str, Any]:
    cell = present.cell(value, right)
    lost = formatting.visible(str(was))[:40] if value is None and was not in (None, "") else ""
    filed = "" if was is None else formatting.visible(str(was))[: present.CELL_CHARS_MAX]
    return {
        **cell,
        "lost": lost,
        "raw": None if filed == ("" if cell["null"] else cell["text"]) else filed,
    }
