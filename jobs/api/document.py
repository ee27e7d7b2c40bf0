"""The OpenAPI document's request of a job: one shape for each type, made from the schemas that judge its parameters.

The schemas are JSON Schema 2020-12; OpenAPI 3.0 speaks an older dialect. What it cannot say (`x-…`, our own formats) stays as what it is:
extensions and formats that a reader may ignore.
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
        mapping = {kind.value: self._request(auto_schema.registry, kind, common) for kind in JobType}
        return {
            "oneOf": [{"$ref": reference} for reference in mapping.values()],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        }

    def _request(self, registry: Any, kind: JobType, common: Mapping[str, Any]) -> str:
        """Registers it; its reference."""
        parameters = in_openapi(PARAMETERS[kind.value])
        if "hyperparameters" in parameters["properties"]:
            of_each = [{"title": name, **in_openapi(schema)} for name, schema in HYPERPARAMETERS.items()]
            parameters["properties"]["hyperparameters"]["anyOf"] = of_each  # `algorithm` says which
        name = _name(kind.value)
        properties = {
            **common["properties"],
            "type": {"type": "string", "enum": [kind.value]},
            "parameters": {"$ref": _registered(registry, f"{name}Parameters", parameters)},
        }
        return _registered(registry, f"{name}Request", {**common, "properties": properties})


def in_openapi(schema: Any) -> Any:
    """A JSON Schema 2020-12 as OpenAPI 3.0 writes it."""
    if isinstance(schema, list):
        return [in_openapi(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: in_openapi(value) for key, value in schema.items()}
    if {"type": "null"} in schema.get("anyOf", ()):
        made |= {"nullable": True, "anyOf": [part for part in made["anyOf"] if part != {"type": "null"}]}
    kinds = schema.get("type")
    if isinstance(kinds, list):
        named = [kind for kind in kinds if kind != "null"]
        made |= {"nullable": True} if "null" in kinds else {}
        made.pop("type")
        made |= {"type": named[0]} if len(named) == 1 else {"anyOf": [{"type": kind} for kind in named]}
    if isinstance(schema.get("pattern"), str):
        made["pattern"] = schema["pattern"].replace(r"\Z", "$")  # `\Z` is Python's alone
    return made


def _name(word: str) -> str:
    return "".join(part.capitalize() for part in word.split("_"))


def _registered(registry: Any, name: str, schema: Mapping[str, Any]) -> str:
    component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, object=name, schema=dict(schema))  # type: ignore[no-untyped-call]
    registry.register_on_missing(component)
    reference: str = component.ref["$ref"]
    return reference
