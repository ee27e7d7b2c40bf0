"""Convert between typed texts and JSON values by a schema. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mimir.frontend.schema_form.shapes import (
    LINES,
    Schema,
    Texts,
    ValueKind,
    join,
    json_types,
    value_kind,
)

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]{1,3})?", re.IGNORECASE)
_COMMA = re.compile(r"[-+]?[0-9]{1,18},[0-9]{1,18}")


class _Omitted:
    """Marker of a value that is not in the JSON."""


OMITTED: Final = _Omitted()


def typed(value: object) -> str:
    """Format a value for a form field."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def given(texts: Texts, path: str) -> str:
    """Text typed at a path, without surrounding spaces."""
    return texts[path][-1].strip() if texts.get(path) else ""


def texts_of(schema: Schema, value: object, path: str = "") -> dict[str, list[str]]:
    """Texts that a user would type for `value`."""
    shape = value_kind(schema)
    if shape is ValueKind.LIST:
        return (
            {path: [typed(item) for item in value] or [""]}
            if isinstance(value, list)
            else {path: [typed(value)]}
        )
    if shape is ValueKind.ONE or not isinstance(value, Mapping):
        return {path: [typed(value)]}
    if shape is ValueKind.PAIRS:
        return {path: ["\n".join(f"{key}={text}" for key, text in sorted(value.items()))]}
    if shape is ValueKind.MAP:
        return {join(path, str(key)): [typed(text)] for key, text in value.items()}
    found: dict[str, list[str]] = {}
    for name, inner in schema["properties"].items():
        if name in value:
            found |= texts_of(inner, value[name], join(path, name))
    return found


def read(schema: Schema, texts: Texts, path: str = "") -> Any:
    """Convert typed texts to JSON; OMITTED if nothing was typed, or only the default."""
    shape = value_kind(schema)
    if shape is ValueKind.GROUP:
        inner = {
            name: read(one, texts, join(path, name)) for name, one in schema["properties"].items()
        }
        return {name: value for name, value in inner.items() if value is not OMITTED} or OMITTED
    if shape is ValueKind.MAP:
        entries = {
            name.removeprefix(f"{path}."): values[-1]
            for name, values in texts.items()
            if name.startswith(f"{path}.") and values
        }
        return {name: value for name, value in entries.items() if value} or OMITTED
    if shape is ValueKind.LIST:
        return _list(texts, path)
    text = texts[path][-1] if texts.get(path) else None
    if text is None:
        return OMITTED
    return _pairs(text) if shape is ValueKind.PAIRS else _one(schema, text)


def _list(texts: Texts, path: str) -> Any:
    """Read a list. An empty text among the ticked ones marks a list that is present but empty."""
    if texts.get(path + LINES):
        lines = [line.strip() for line in texts[path + LINES][-1].splitlines()]
        return [line for line in lines if line] or OMITTED
    values = texts.get(path)
    return [value for value in values if value] if values else OMITTED


def _pairs(text: str) -> Any:
    """Read `name=value` lines.

    A line without a name becomes a name, and the API refuses it.
    """
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if line.strip():
            found[key.strip() if key.strip() else line.strip()] = (
                value.strip() if key.strip() and equals else ""
            )
    return found or OMITTED


def _one(schema: Schema, given: str) -> Any:
    """Read a value of a simple schema."""
    text = given if schema.get("format") == "column" else given.strip()
    if not text:
        value: object = None if "null" in json_types(schema) else OMITTED
    elif options := schema.get("enum") or schema.get("x-choices"):
        value = {typed(option): option for option in options}.get(text, text)
        value = (
            _numeric(json_types(schema), text) if value == text and "enum" not in schema else value
        )
    elif "boolean" in json_types(schema):
        value = {"true": True, "false": False}.get(text, text)
    else:
        value = _numeric(json_types(schema), text)
    default = schema.get("default", OMITTED)
    return OMITTED if type(value) is type(default) and value == default else value


def _numeric(types: Sequence[str], text: str) -> Any:
    """Convert the text to a number if it is one and the schema accepts numbers."""
    if ("integer" in types or "number" in types) and _WHOLE.fullmatch(text):
        return float(text) if "integer" not in types else int(text)
    return float(text) if "number" in types and _NUMBER.fullmatch(text) else text


def number_errors(schema: Schema, texts: Texts, path: str = "") -> dict[str, str]:
    """Messages by path for texts that should be numbers; the hint is the schema's `x-rule`."""
    if value_kind(schema) is ValueKind.GROUP:
        found: dict[str, str] = {}
        for name, inner in schema["properties"].items():
            found |= number_errors(inner, texts, join(path, name))
        return found
    wants = (
        {"integer", "number"} & set(json_types(schema))
        and "enum" not in schema
        and "x-choices" not in schema
    )
    value = read(schema, texts, path) if wants else OMITTED
    if isinstance(value, str) and _COMMA.fullmatch(value):
        return {path: f"Use a point: {value.replace(',', '.')}"}
    return (
        {path: f'"{value[:40]}" is not valid. Enter {schema["x-rule"]}.'}
        if isinstance(value, str) and "x-rule" in schema
        else {}
    )
