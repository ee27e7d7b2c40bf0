"""Convert the posted import form to the API's reading options. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mimir.frontend.pages.imports.option_fields import LISTS, shown_value
from mimir.frontend.template_context import Context
from mimir.lib.reading.options import UNIX_FORMATS

_TABLE = ("date_formats", "missing_values", "bad_cells")
FIELDS: dict[str, tuple[str, ...]] = {
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
# Options that can change the columns. Types chosen for the old columns do not apply afterwards.
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


def options_of(
    posted: Mapping[str, object],
    names: Sequence[str],
    kinds: Sequence[str],
    before: Mapping[str, object],
) -> Context:
    """Convert the posted form to the API's reading options.

    `names` and `kinds` are the columns and their chosen types; `before` are the options of the last
    reading. Fields of other formats are omitted, and so are chosen types if the columns can differ
    from those that the form showed. The hidden field `structure` has the options of those columns:
    `before` can be newer, because a slower reading with earlier options can be stored meanwhile.
    """
    kind = str(posted.get("format") or posted.get("detected_format") or "csv")
    given: Context = {"format": posted["format"]} if posted.get("format") else {}
    for name in FIELDS.get(kind, ()):
        value = str(posted.get(name, ""))
        if name in LISTS:
            items = [word.strip() for word in value.split(",") if word.strip()]
            given |= {name: items} if items else {}
        elif name == "lists":
            given |= _list_options(value)
        elif name == "sheets":
            given |= {name: posted[name]} if posted.get(name) else {}
        elif value.strip():
            given[name] = _whole(value) if name == "skip_rows" else value
    types = {name: kind_ for name, kind_ in zip(names, kinds, strict=False) if kind_}
    if (
        types
        and kind in ("csv", "excel", "json", "jsonl")
        and structure_of(given) == (posted.get("structure") or structure_of(before))
    ):
        given["types"] = types
    return _fixed(given, str(posted.get("fix", "")))


def _list_options(value: str) -> dict[str, str]:
    """Return the options of one choice; `rows=tags` also names the column."""
    how, _, column = value.partition("=")
    return (
        {"lists": how, **({"list_column": column} if column else {})}
        if how not in ("", "keep")
        else {}
    )


def _whole(value: str) -> Any:
    return int(value) if value.strip().isascii() and value.strip().isdigit() else value


def structure_of(options: Mapping[str, object]) -> str:
    """Return the options that can change the columns, as the value of a hidden form field."""
    return json.dumps({name: shown_value(options.get(name, "")) for name in _STRUCTURE})


def _fixed(given: dict[str, Any], fix: str) -> Context:
    """Apply a pressed fix: `option=value`, `types=kind=column` or `unix-seconds=kind=column`."""
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
    if name in LISTS:
        return {**given, name: [value]}
    return {**given, name: value} if name in ("header_row", "decimal_mark") and value else given
