"""Import form of a staged upload: option fields, warnings with fixes, preview. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mimir.frontend import formatting
from mimir.frontend.api_types.dataset_shapes import ReadWarning
from mimir.frontend.api_types.upload_shapes import ReadColumn, StagedUpload
from mimir.frontend.pages.datasets import present
from mimir.frontend.pages.imports.column_facts import fact_line
from mimir.frontend.pages.imports.option_fields import (
    AUTOMATIC,
    FORMATS,
    Entry,
    Select,
    choices_of,
    option_field,
    with_labels,
)
from mimir.frontend.pages.imports.posted_options import FIELDS, structure_of
from mimir.frontend.template_context import Context

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
# Fixes for a warning code: (label, option, value). The value of "types" gets the column appended.
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


@dataclass(slots=True)
class ImportForm:
    """Content of the form: option fields, warnings with fixes, and the preview."""

    format: Select
    fields: list[Select | Entry]
    warnings: list[Context]  # with a suggested fix
    notes: list[str] = field(default_factory=list)  # without a fix
    columns: list[Context] = field(default_factory=list)
    rows: list[list[Context]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    fault: str = ""
    kind: str = ""  # the format whose options are shown
    structure: str = ""  # the options that decide about the columns shown


def form_of(
    upload: StagedUpload, errors: Mapping[str, str], typed: Mapping[str, Any] | None = None
) -> ImportForm:
    """Build the form of a staged upload.

    `errors` by option; a field with an error keeps the `typed` value.
    """
    given: Mapping[str, Any] = upload["options"]
    reading: Mapping[str, Any] = upload["reading"] or {}
    found = reading.get("options", {})
    known = "excel" if upload.get("sheets") else _kind_by_name(str(upload.get("file_name", "")))
    kind = str(given.get("format") or reading.get("format") or known)
    shown = Select(
        "format",
        "Format",
        choices_of(FORMATS, given.get("format", ""), reading.get("format", "")),
        error=errors.get("format", ""),
    )
    if shown.detected:
        shown = replace(shown, hint="Detected from the content")
    names = _shown_options(kind, given, reading)
    fields = [option_field(name, given, found, reading, errors.get(name, "")) for name in names]
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
    form.structure = structure_of(given)
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


def _shown_options(kind: str, given: Mapping[str, Any], reading: Mapping[str, Any]) -> list[str]:
    """List the options of a format to show.

    `records_path` and `lists` are shown only if the file has such lists, or if they have a value.
    """
    needs = {"records_path": "lists", "lists": "list_columns"}
    return [
        name
        for name in FIELDS.get(kind, ())
        if name not in ("sheet", "sheets")  # shown by `sheet_fields`
        and (name not in needs or reading.get(needs[name]) or given.get(name))
    ]


def _as_typed(one: Select | Entry, typed: Mapping[str, Any]) -> Select | Entry:
    value = str(typed.get(one.name, ""))
    if isinstance(one, Entry):
        return replace(one, value=value)
    return replace(
        one, options=[(option, label, option == value) for option, label, _ in one.options]
    )


def _kind_by_name(name: str) -> str:
    """Guess the format from the file extension, for a file that could not be read."""
    endings = {"json": "json", "geojson": "json", "jsonl": "jsonl", "ndjson": "jsonl"}
    endings |= dict.fromkeys(("xlsx", "xlsb", "xls", "ods"), "excel")
    return endings.get(name.rpartition(".")[2].lower(), "csv")


def _warning(one: ReadWarning) -> Context:
    column = one["params"].get("column", "")
    fixes = [
        (label, f"{option}={value}={column}" if option == "types" else f"{option}={value}")
        for label, option, value in _FIXES.get(one["code"], ())
    ]
    if one["code"] == "possible_unix_times":
        fixes = [("Read as date and time", f"{one['params']['format']}=datetime={column}")]
    return {"message": with_labels(one["message"]), "fixes": fixes}


def _column(one: ReadColumn, chosen: str, kind: str) -> Context:
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
    """Short label of a nested type."""
    return (
        "list"
        if name.endswith("]")
        else "object"
        if name.startswith(("STRUCT", "MAP"))
        else formatting.visible(name.lower())
    )


def _rows(reading: Mapping[str, Any]) -> list[list[Context]]:
    """Present the cells as they will be stored.

    `lost`: text of a cell that is read as missing. `raw`: text in the file, None if it is the same.
    """
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


def _cell(value: object, right: bool, was: Any) -> Context:
    cell = present.cell(value, right)
    lost = formatting.visible(str(was))[:40] if value is None and was not in (None, "") else ""
    filed = "" if was is None else formatting.visible(str(was))[: present.CELL_CHARS_MAX]
    return {
        **cell,
        "lost": lost,
        "raw": None if filed == ("" if cell["null"] else cell["text"]) else filed,
    }
