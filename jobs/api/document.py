"""The OpenAPI document's request of a job: one shape for each type, made from the schemas that judge its parameters.

What JSON Schema does not define (`x-…`, our own formats) stays in the document: a reader may ignore it.
"""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent

from jobs.contract import JobType
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS
from mimir.lib.schemas.parameters import PARAMETERS


class JobRequestDocument(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """`type` tells which parameters belong to a request."""

    target_class = "jobs.api.serializers.JobRequest"

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """One component for each type, with the fields that all have."""
        common = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        mapping = {
            kind.value: self._request(auto_schema.registry, kind, common) for kind in JobType
        }
        return {
            "oneOf": [{"$ref": reference} for reference in mapping.values()],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        }

    def _request(self, registry: Any, kind: JobType, common: Mapping[str, Any]) -> str:
        """Registers it; its reference."""
        parameters = in_openapi(PARAMETERS[kind.value])
        if "hyperparameters" in parameters["properties"]:
            parameters["properties"]["hyperparameters"] |= hyperparameters_of_all()
        name = _name(kind.value)
        properties = {
            **common["properties"],
            "type": {"type": "string", "enum": [kind.value]},
            "parameters": {"$ref": _registered(registry, f"{name}Parameters", parameters)},
        }
        return _registered(registry, f"{name}Request", {**common, "properties": properties})


def hyperparameters_of_all() -> dict[str, Any]:
    """One object with the hyperparameters of all algorithms, each saying whose it is.

    A generated client cannot tell which member of a union a plain object is: it takes the first, and drops the fields of the others.
    Without defaults, which generated clients would send for every algorithm.
    """
    variants: dict[str, dict[str, dict[str, Any]]] = {}
    for algorithm, schema in HYPERPARAMETERS.items():
        for name, part in in_openapi(schema)["properties"].items():
            variants.setdefault(name, {})[algorithm] = {
                key: value for key, value in part.items() if key != "default"
            }
    return {
        "type": "object",
        "properties": {name: _one_of(of) for name, of in variants.items()},
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
