"""`JsonSchema`: the type of the JSON Schema documents that this project writes.

It has the keywords of JSON Schema 2020-12 that are used, those for forms (see `parameters.py`), and
`x-access` (see `steptype.py`).
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from mimir.lib.json_types import Json

JsonSchema = TypedDict(
    "JsonSchema",
    {
        "type": str | list[str],
        "title": str,
        "description": str,
        "format": str,
        "default": Json,
        "enum": Sequence[Json],
        "anyOf": "list[JsonSchema]",
        "required": list[str],
        "properties": "dict[str, JsonSchema]",
        "minProperties": int,
        "maxProperties": int,
        "additionalProperties": "bool | JsonSchema",
        "items": "JsonSchema",
        "minItems": int,
        "maxItems": int,
        "uniqueItems": bool,
        "pattern": str,
        "minLength": int,
        "maxLength": int,
        "minimum": float,
        "maximum": float,
        "exclusiveMinimum": float,
        "exclusiveMaximum": float,
        "x-access": str,
        "x-advanced": bool,
        "x-choices": Sequence[Json],
        "x-example": str,
        "x-none": str,
        "x-null": str,
        "x-of": str,
        "x-rule": str,
        "x-unit": str,
        "x-variants": "Mapping[str, JsonSchema]",
    },
    total=False,
)
