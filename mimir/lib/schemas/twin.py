"""Definitions of twins, and the values of their properties.

    {"types": [{"name": "station", "title"?: "Station", "key": {"name": "station_id", "title"?},
                "properties": [{"name": "temperature", "type": "number", "unit"?: "°C", "title"?}],
                "relations"?: [{"name": "city", "to": "city", "title"?}]}]}

A relation's value is the key of an entity of its type; that entity need not exist yet. Keys are
text: a whole number is written without a point.
"""

import datetime as dt
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from mimir.lib.json_values import is_storable
from mimir.lib.schemas import jsonschema
from mimir.lib.schemas.field_errors import FieldError
from mimir.lib.schemas.schema_types import JsonSchema
from mimir.lib.schemas.twin_types import CheckedTwinDefinition, EntityType

TYPES_MAX, FIELDS_MAX = 100, 500
TEXT_CHARACTERS_MAX = 10_000  # characters of one value
KEY_CHARACTERS_MAX = 500
_NAME: JsonSchema = {
    "type": "string",
    "pattern": r"^[A-Za-z_][A-Za-z0-9_]{0,99}\Z",
    "x-rule": "a name of 1 to 100 letters, digits and underscores, not beginning with a digit",
}
_TITLE: JsonSchema = {
    "type": "string",
    "pattern": r"^[^\x00]{0,200}\Z",
    "x-rule": "text of at most 200 characters",
}
VALUE_TYPES = ("number", "integer", "string", "boolean", "date", "datetime")

DEFINITION: JsonSchema = {
    "type": "object",
    "required": ["types"],
    "additionalProperties": False,
    "properties": {
        "types": {
            "type": "array",
            "minItems": 1,
            "maxItems": TYPES_MAX,
            "title": "Entity types",
            "items": {
                "type": "object",
                "required": ["name", "key", "properties"],
                "additionalProperties": False,
                "properties": {
                    "name": _NAME,
                    "title": _TITLE,
                    "key": {
                        "type": "object",
                        "required": ["name"],
                        "additionalProperties": False,
                        "properties": {"name": _NAME, "title": _TITLE},
                        "description": "The name of an entity for users. An update says which"
                        " column has the keys.",
                    },
                    "properties": {
                        "type": "array",
                        "maxItems": FIELDS_MAX,
                        "items": {
                            "type": "object",
                            "required": ["name", "type"],
                            "additionalProperties": False,
                            "properties": {
                                "name": _NAME,
                                "title": _TITLE,
                                "type": {"type": "string", "enum": list(VALUE_TYPES)},
                                "unit": {
                                    "type": "string",
                                    "pattern": r"^[^\x00]{0,50}\Z",
                                    "x-rule": "text of at most 50 characters",
                                },
                            },
                        },
                    },
                    "relations": {
                        "type": "array",
                        "maxItems": FIELDS_MAX,
                        "items": {
                            "type": "object",
                            "required": ["name", "to"],
                            "additionalProperties": False,
                            "properties": {"name": _NAME, "title": _TITLE, "to": _NAME},
                        },
                    },
                },
            },
        }
    },
}


@dataclass(frozen=True, slots=True)
class Field:
    """A property or relation of an entity type.

    `type`: one of VALUE_TYPES, or `relation`; then `to` names a type.
    """

    name: str
    type: str
    unit: str = ""
    title: str = ""
    to: str = ""


class BadValue(ValueError):
    """A value that its field cannot hold. The message says which values are allowed."""


def check_twin_definition(definition: object, path: str = "definition") -> list[FieldError]:
    """Return the faults of a definition, in order; empty for a valid one."""
    faults = jsonschema.check(DEFINITION, definition, path)
    return faults or _references(cast("CheckedTwinDefinition", definition), path)


def _references(definition: CheckedTwinDefinition, path: str) -> list[FieldError]:
    faults: list[FieldError] = []
    names = [kind["name"] for kind in definition["types"]]
    for index, kind in enumerate(definition["types"]):
        here = f"{path}.types[{index}]"
        if names.index(kind["name"]) != index:
            faults.append(
                FieldError(f"{here}.name", f"is already the name of another type: {kind['name']}")
            )
        fields: list[str] = []
        for part, name, to in _named_parts(kind):
            if name in fields:
                faults.append(
                    FieldError(
                        f"{here}.{part}.name",
                        f"is already the name of another property or relation: {name}",
                    )
                )
            fields.append(name)
            if to is not None and to not in names:
                faults.append(
                    FieldError(f"{here}.{part}.to", f"must be one of the types {', '.join(names)}")
                )
    return faults


def _named_parts(kind: EntityType) -> list[tuple[str, str, str | None]]:
    """Return (path, name, type of a relation's target) of each property and relation, in order."""
    properties = [
        (f"properties[{position}]", item["name"], None)
        for position, item in enumerate(kind["properties"])
    ]
    relations = [
        (f"relations[{position}]", item["name"], item["to"])
        for position, item in enumerate(kind.get("relations", []))
    ]
    return [*properties, *relations]


def entity_type(definition: CheckedTwinDefinition, name: str) -> EntityType | None:
    """Return the entity type with this name in a checked definition."""
    return next((kind for kind in definition["types"] if kind["name"] == name), None)


def fields_of(kind: EntityType) -> dict[str, Field]:
    """Return the properties and relations of an entity type by name, in order."""
    fields = [
        Field(item["name"], item["type"], unit=item.get("unit", ""), title=item.get("title", ""))
        for item in kind["properties"]
    ]
    fields += [
        Field(item["name"], "relation", title=item.get("title", ""), to=item["to"])
        for item in kind.get("relations", [])
    ]
    return {field.name: field for field in fields}


def checked_value(field: Field, value: Any) -> Any:
    """Return `value` as the twin stores it, as a JSON type.

    Dates and times become ISO 8601 text; times are converted to UTC, and a time without a zone is
    taken as UTC. Raises: BadValue.
    """
    match field.type:
        case "number":
            return _number(value)
        case "integer":
            return _integer(value)
        case "boolean":
            if not isinstance(value, bool):
                raise BadValue("must be true or false")
            return value
        case "date":
            return _date(value)
        case "datetime":
            return _datetime(value)
        case "relation":
            return checked_key(value)
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX or not is_storable(value):
        raise BadValue(f"must be text of at most {TEXT_CHARACTERS_MAX} characters")
    return value


def checked_key(value: Any) -> str:
    """Return the key of an entity as text. Raises: BadValue."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadValue("must be text or a whole number: it names an entity")
    text = str(value)
    if not 1 <= len(text) <= KEY_CHARACTERS_MAX or not is_storable(text):
        raise BadValue(f"must have 1 to {KEY_CHARACTERS_MAX} characters: it names an entity")
    return text


def _point(value: Any) -> str:
    """Return the hint for a number with a decimal comma."""
    is_comma = isinstance(value, str) and re.fullmatch(r"\s*[-+]?[0-9]{1,18},[0-9]{1,18}\s*", value)
    return f". Use a point: {value.strip().replace(',', '.')}" if is_comma else ""


def _number(value: Any) -> float | int:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not -sys.float_info.max <= value <= sys.float_info.max
    ):
        raise BadValue(f"must be a number{_point(value)}")
    if isinstance(value, float) and abs(value) >= 2**53:
        return int(
            Decimal(repr(value))
        )  # the number that PostgreSQL stores for these digits; a float could print differently
    return value


def _integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise BadValue(f"must be a whole number{_point(value)}")
    return value


def _date(value: Any) -> str:
    try:
        return dt.date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise BadValue("must be a date such as 2026-03-31") from None


def _datetime(value: Any) -> str:
    try:
        at = dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise BadValue("must be a time such as 2026-03-31T14:05:00+00:00") from None
    try:
        return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).isoformat()
    except OverflowError:
        raise BadValue("must be a time between the years 1 and 9999") from None
