"""The OpenAPI document's request of a job: one shape for each type, made from the schemas that judge its parameters.

What JSON Schema does not define (`x-…`, our own formats) stays in the document: a reader may ignore it.
"""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent

from jobs.types.registry import SPECS


class JobRequestDocument(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """`type` tells which parameters belong to a request."""

    target_class = "jobs.api.serializers.JobRequest"

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """One component for each type, with the fields that all have."""
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


def union_of_variants(variants: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return one object schema with the properties of all variants, each naming its variant.

    Generated clients cannot tell which member of a union a plain object is: they take the first
    one and drop the fields of the others. Defaults are removed, because generated clients would
    send them for every variant.
    """
    properties: dict[str, dict[str, dict[str, Any]]] = {}
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


def _one_of(variants: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    rules = [
        {key: value for key, value in part.items() if key not in ("title", "description")}
        for part in variants.values()
    ]
    distinct = [rule for index, rule in enumerate(rules) if rule not in rules[:index]]
    descriptions = [f"{algorithm}: {part['description']}" for algorithm, part in variants.items()]
    head = {"title": next(iter(variants.values()))["title"], "description": " ".join(descriptions)}
    return head | (distinct[0] if len(distinct) == 1 else {"anyOf": distinct})


def in_openapi(schema: Any) -> Any:
    """A schema of ours as a reader outside of Python takes it.

    OpenAPI 3.1 is JSON Schema 2020-12. Two things differ: `\\Z` is Python's alone, and generators of clients cannot make a type of an
    `enum` whose values are of several types, so that it is written as one schema for each.
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
    r"""Return a schema whose patterns end with `$`, as JSON Schema has it, not with Python's `\Z`."""
    if isinstance(schema, list):
        return [in_ecma_patterns(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {key: in_ecma_patterns(value) for key, value in schema.items()}
    if isinstance(schema.get("pattern"), str):
        converted["pattern"] = schema["pattern"].replace(r"\Z", "$")
    return converted


def _type(value: Any) -> str:
    """JSON's name of a value's type."""
    names: dict[type, str] = {
        str: "string",
        bool: "boolean",
        int: "number",
        float: "number",
        type(None): "null",
    }
    return names[type(value)]


def _one_type(kind: str, values: list[Any]) -> dict[str, Any]:
    """No generator makes a type of numbers with fractions: their range stands for them, and the service says which it takes."""
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
