"""Job requests in the OpenAPI document: one schema per type, from the validating schemas.

Keywords outside JSON Schema (`x-…`, custom formats) stay in the document: readers ignore them.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent

from jobs.types.registry import SPECS
from mimir.lib.json_types import JsonObject


class ObjectSchema(TypedDict):
    """JSON Schema of an object."""

    type: str
    properties: dict[str, JsonObject]
    additionalProperties: bool


class JobRequestDocument(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Schema of `JobRequest`, with `type` as the discriminator of `parameters`."""

    target_class = "jobs.api.serializers.JobRequest"

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, object]:
        """Return one component per type, each with the common fields."""
        common = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        mapping = {name: self._request(auto_schema.registry, name, common) for name in SPECS}
        return {
            "oneOf": [{"$ref": reference} for reference in mapping.values()],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        }

    def _request(self, registry: Any, job_type: str, common: Mapping[str, Any]) -> str:
        """Register the component of one type; return its reference."""
        parameters = in_openapi(SPECS[job_type].parameters)
        for name, schema in parameters["properties"].items():
            if variants := schema.pop("x-variants", None):
                parameters["properties"][name] = schema | union_of_variants(variants)
        name = _name(job_type)
        properties = {
            **common["properties"],
            "type": {"type": "string", "enum": [job_type]},
            "parameters": {"$ref": _registered(registry, f"{name}Parameters", parameters)},
        }
        return _registered(registry, f"{name}Request", {**common, "properties": properties})


def union_of_variants(variants: Mapping[str, ObjectSchema]) -> ObjectSchema:
    """Return one object schema with the properties of all variants. Descriptions name the variant.

    Generated clients cannot tell which member of a union a plain object is: they take the first
    one and drop the fields of the others. Defaults are removed, because generated clients would
    send them for every variant.
    """
    properties: dict[str, dict[str, JsonObject]] = {}
    for variant, schema in variants.items():
        for name, part in schema["properties"].items():
            properties.setdefault(name, {})[variant] = {
                key: value for key, value in part.items() if key != "default"
            }
    return {
        "type": "object",
        "properties": {name: _one_of(parts) for name, parts in properties.items()},
        "additionalProperties": False,
    }


def _one_of(variants: Mapping[str, JsonObject]) -> JsonObject:
    rules = [
        {key: value for key, value in part.items() if key not in ("title", "description")}
        for part in variants.values()
    ]
    distinct: list[JsonObject] = [
        rule for index, rule in enumerate(rules) if rule not in rules[:index]
    ]
    descriptions = [f"{algorithm}: {part['description']}" for algorithm, part in variants.items()]
    return {
        "title": next(iter(variants.values()))["title"],
        "description": " ".join(descriptions),
        **(distinct[0] if len(distinct) == 1 else {"anyOf": [*distinct]}),
    }


def in_openapi(schema: Any) -> Any:
    """Return a schema in the form that OpenAPI tools outside Python accept.

    OpenAPI 3.1 uses JSON Schema 2020-12. Two things differ: `\\Z` exists in Python only, and client
    generators cannot create a type for an `enum` with values of several types. Such an enum becomes
    one schema per type.
    """
    if isinstance(schema, list):
        return [in_openapi(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    described = {key: in_openapi(value) for key, value in schema.items()}
    if isinstance(schema.get("pattern"), str):
        described["pattern"] = schema["pattern"].replace(r"\Z", "$")
    values = schema.get("enum")
    if isinstance(values, list) and len({_type(value) for value in values}) > 1:
        kinds = dict.fromkeys(_type(value) for value in values)
        described.pop("enum")
        described.pop("type", None)
        described["anyOf"] = [
            _one_type(kind, [value for value in values if _type(value) == kind]) for kind in kinds
        ]
    return described


def in_ecma_patterns(schema: Any) -> Any:
    r"""Return a schema whose patterns end with `$`, as in JSON Schema, instead of Python's `\Z`."""
    if isinstance(schema, list):
        return [in_ecma_patterns(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {key: in_ecma_patterns(value) for key, value in schema.items()}
    if isinstance(schema.get("pattern"), str):
        converted["pattern"] = schema["pattern"].replace(r"\Z", "$")
    return converted


def _type(value: object) -> str:
    """Return the JSON name of a value's type."""
    names: dict[type, str] = {
        str: "string",
        bool: "boolean",
        int: "number",
        float: "number",
        type(None): "null",
    }
    return names[type(value)]


def _one_type(kind: str, values: list[Any]) -> JsonObject:
    """Return a schema of `values`, which all have the JSON type `kind`.

    Generators cannot create an enum of fractional numbers. Such values are described by
    their range, and the service validates them.
    """
    if kind == "null":
        return {"type": "null"}
    if kind == "number" and not all(isinstance(value, int) for value in values):
        return {"type": "number", "minimum": min(values), "maximum": max(values)}
    return {"type": kind, "enum": values}


def _name(word: str) -> str:
    return "".join(part.capitalize() for part in word.split("_"))


def _registered(registry: Any, name: str, schema: Mapping[str, Any]) -> str:
    component = ResolvedComponent(
        name=name, type=ResolvedComponent.SCHEMA, object=name, schema=dict(schema)
    )  # type: ignore[no-untyped-call]
    registry.register_on_missing(component)
    reference: str = component.ref["$ref"]
    return reference
