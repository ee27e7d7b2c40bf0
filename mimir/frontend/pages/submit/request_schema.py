"""The request that submits a job, as one schema for each type: what the form of `pages/submit.py` is made of. Pure.

The parameters are the schema that the API gives for the type; the fields of all jobs follow them.
"""

import json
from collections.abc import Mapping
from typing import Any

from mimir.frontend import schemaform, text
from mimir.frontend.job_types import parameter_schema
from mimir.frontend.schemaform import LEFT_OUT, Texts

PRIORITIES = ("critical", "high", "normal", "low")
_COMMON: dict[str, Any] = {
    "name": {
        "type": "string",
        "title": "Name",
        "description": "What the lists show. Without it: what the job does.",
    },
    "resources": {
        "type": "object",
        "title": "Resources",
        "properties": {
            "cpu": {
                "type": "string",
                "title": "CPU",
                "description": "At most, for example 2 or 500m.",
                "x-example": "as usual",
            },
            "memory": {
                "type": "string",
                "title": "Memory",
                "description": "At most, for example 4Gi or 512Mi.",
                "x-example": "as usual",
            },
            "gpu": {
                "type": "integer",
                "title": "GPU",
                "description": "Whole GPUs.",
                "x-example": "none",
                "x-rule": "a whole number of GPUs, or nothing",
            },
        },
    },
    "priority": {
        "type": "string",
        "title": "Priority",
        "enum": list(PRIORITIES),
        "x-advanced": True,
    },
    "timeout_seconds": {
        "type": "integer",
        "title": "Time limit",
        "description": "Of each attempt.",
        "x-unit": "seconds",
        "x-rule": "whole seconds, for example 1800 for half an hour",
        "x-advanced": True,
    },
    "max_attempts": {
        "type": "integer",
        "title": "Attempts",
        "description": "At most; another follows when one fails.",
        "x-example": "1",
        "x-rule": "a whole number, for example 3",
        "x-advanced": True,
    },
    "cluster": {
        "type": "string",
        "title": "Cluster",
        "description": "It waits for this one, however much room others have.",
        "format": "cluster",
        "x-none": "any with room",
        "x-advanced": True,
    },
    "region": {
        "type": "string",
        "title": "Region",
        "description": "It runs on a cluster of it.",
        "format": "region",
        "x-none": "anywhere",
        "x-advanced": True,
    },
    "labels": {
        "type": "object",
        "title": "Labels",
        "format": "pairs",
        "description": "key=value, one on a line. Lists can be filtered by them.",
        "x-example": "team=bikes",
        "x-advanced": True,
    },
}


def request_schema(job_type: str, texts: Texts) -> dict[str, Any]:
    """Return the schema of a request of this type.

    A field with variants (hyperparameters) has those of the present choice (the algorithm).
    """
    parameters = parameter_schema(job_type)
    properties = {
        name: {**schema, **_variant(schema, parameters["properties"], texts)}
        for name, schema in parameters["properties"].items()
    }
    return {
        "type": "object",
        "properties": {"parameters": {**parameters, "properties": properties}, **_COMMON},
    }


def _variant(
    schema: Mapping[str, Any], properties: Mapping[str, Any], texts: Texts
) -> Mapping[str, Any]:
    variants = schema.get("x-variants")
    if variants is None:
        return {}
    selector = schema["x-of"]
    chosen = texts.get(f"parameters.{selector}") or [properties[selector]["default"]]
    none: Mapping[str, Any] = {"type": "object", "properties": {}}
    return variants.get(chosen[-1], none)  # type: ignore[no-any-return]


def settled(job_type: str, texts: Texts, shown: str) -> dict[str, list[str]]:
    """Return the form without the defaults of a variant that is no longer chosen.

    `shown`: the choice for which the form was made, the algorithm of a training.
    """
    kept = {name: list(values) for name, values in texts.items()}
    for field, schema in parameter_schema(job_type)["properties"].items():
        variants = schema.get("x-variants")
        if variants is None or shown == schemaform.given(texts, f"parameters.{schema['x-of']}"):
            continue
        for name, part in variants.get(shown, {}).get("properties", {}).items():
            path = f"parameters.{field}.{name}"
            if path in kept and schemaform.read(part, kept, path) is LEFT_OUT:
                del kept[path]
    return kept


def body_of(job_type: str, texts: Texts) -> dict[str, Any]:
    """The API's request; what was left empty is left out."""
    made = schemaform.read(request_schema(job_type, texts), texts)
    return {"type": job_type, "parameters": {}, **({} if made is LEFT_OUT else made)}


def texts_of_job(job: Mapping[str, Any]) -> dict[str, list[str]]:
    """The form of an earlier job's request."""
    asked = {
        "parameters": job["parameters"] or {},
        "name": job["name"] or None,
        "resources": {
            name: job["resources"].get(name) or None for name in ("cpu", "memory", "gpu")
        },
        **{
            name: job.get(name) or None
            for name in (
                "priority",
                "timeout_seconds",
                "max_attempts",
                "cluster",
                "region",
                "labels",
            )
        },
    }
    return {
        name: values
        for name, values in texts_of_request(str(job["type"]), asked).items()
        if values != [""] or name.startswith("parameters.")
    }


def texts_of_request(job_type: str, request: Mapping[str, Any]) -> dict[str, list[str]]:
    """The form of a request, or of a part of one."""
    parameters = request.get("parameters")
    algorithm = parameters.get("algorithm") if isinstance(parameters, Mapping) else None
    asked = {"parameters.algorithm": [algorithm]} if isinstance(algorithm, str) else {}
    return schemaform.texts_of(
        request_schema(job_type, asked),
        {name: value for name, value in request.items() if value is not None},
    )


def patched(job_type: str, texts: Texts, raw: str) -> tuple[dict[str, list[str]], set[str]]:
    """The form with a diagnosis' patch of the request applied, and the fields that differ; those named without a value are the reader's."""
    before = {name: list(values) for name, values in texts.items()}
    try:
        patch = json.loads(raw) if raw else {}
    except ValueError:
        patch = {}
    if not isinstance(patch, dict):
        return before, set()
    changes = texts_of_request(job_type, patch)
    changes |= {
        name: [""]
        for name in ("cluster", "region")
        if name in patch and not patch[name] and before.get(name)
    }  # anywhere
    marked = {"resources.cpu", "resources.memory"} if patch.get("resources") == {} else set()
    return {**before, **changes}, marked | {
        name for name, values in changes.items() if before.get(name) != values
    }


def curl(address: str, body: Mapping[str, Any]) -> str:
    """The request for a shell. Characters that would not be seen are written by their number."""
    words = json.dumps(body, indent=2, ensure_ascii=False)
    words = words if text.visible(words) == words else json.dumps(body, indent=2)
    quoted = words.replace("'", "'\\''")
    lines = [f"curl -X POST {address}"]
    lines += [
        f'  -H "{header}"'
        for header in (
            "Authorization: Bearer $TOKEN",
            "Idempotency-Key: $(uuidgen)",
            "Content-Type: application/json",
        )
    ]
    return " \\\n".join([*lines, f"  -d '{quoted}'"])
