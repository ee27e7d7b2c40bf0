"""Describe JSON Schemas in Markdown: of job parameters, pipeline steps and request bodies."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from docs.tools.markdown import code, table, text

Schema = Mapping[str, Any]
Resolve = Callable[[Schema], Schema]


def fields_table(schema: Schema, resolve: Resolve = lambda found: found) -> str:
    """Return a table of the properties of an object schema."""
    required = set(schema.get("required", ()))
    rows = [
        (
            code(name),
            type_of(field, resolve),
            "yes" if name in required else "",
            default_of(resolve(field) | field),
            description_of(resolve(field) | field),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    return table(("field", "type", "required", "default", "description"), rows)


def type_of(schema: Schema, resolve: Resolve = lambda found: found) -> str:
    """Return the type with its choices, for one table cell."""
    found = resolve(schema)
    if found.get("enum"):
        return ", ".join(code(_json(each)) for each in found["enum"])
    for key in ("oneOf", "anyOf"):
        if key in found:
            return " or ".join(dict.fromkeys(type_of(each, resolve) for each in found[key]))
    if "allOf" in found:
        return type_of(found["allOf"][0], resolve)
    kind = found.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {type_of(found.get('items', {}), resolve)}"
    return str(kind)


def default_of(schema: Schema) -> str:
    """Return the default value as a code span."""
    return code(_json(schema["default"])) if schema.get("default") is not None else ""


def description_of(schema: Schema) -> str:
    """Return the description (else the title) and the limits, for one table cell."""
    said = str(schema.get("description") or schema.get("title") or "")
    parts = [said.partition("\n\n* `")[0].strip()]  # drf-spectacular appends the choices
    limits = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "minItems": "at least {} items",
        "maxItems": "at most {} items",
    }
    bounds = [template.format(schema[key]) for key, template in limits.items() if key in schema]
    if bounds:
        parts.append(f"({', '.join(bounds)})")
    return text(" ".join(part for part in parts if part))


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
