"""JSON schema of a job request for each type, the source of the submit form. Pure.

The parameters come from the API (`job_types`); this module adds the fields of all types.
"""

import json
from collections.abc import Mapping
from typing import Any

from mimir.frontend import formatting, schema_form
from mimir.frontend.job_types import parameter_schema
from mimir.frontend.schema_form import OMITTED, Texts

PRIORITIES = ("critical", "high", "normal", "low")
_COMMON: dict[str, Any] = {
    "name": {
        "type": "string",
        "title": "Name",
        "description": "Shown in lists. Automatic if empty.",
    },
    "resources": {
        "type": "object",
        "title": "Resources",
        "properties": {
            "cpu": {
                "type": "string",
                "title": "CPU",
                "description": "Limit, for example 2 or 500m.",
                "x-example": "default",
            },
            "gpu": {
                "type": "integer",
                "title": "GPU",
                "description": "Number of GPUs.",
                "x-example": "none",
                "x-rule": "a whole number of GPUs, or leave it empty",
            },
            "memory": {
                "type": "string",
                "title": "Memory",
                "description": "Limit, for example 4Gi or 512Mi.",
                "x-example": "default",
            },
            "memory_max": {
                "type": "string",
                "title": "Retry with up to",
                "description": "Doubles the memory after each out-of-memory failure, up to this"
                " limit, for example 16Gi.",
                "x-example": "no increase",
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
        "description": "For each attempt.",
        "x-unit": "seconds",
        "x-rule": "whole seconds, for example 1800 for half an hour",
        "x-advanced": True,
    },
    "max_attempts": {
        "type": "integer",
        "title": "Attempts",
        "description": "Maximum, including retries.",
        "x-example": "1",
        "x-rule": "a whole number, for example 3",
        "x-advanced": True,
    },
    "cluster": {
        "type": "string",
        "title": "Cluster",
        "description": "Runs only on this cluster, and waits for it if necessary.",
        "format": "cluster",
        "x-none": "Automatic",
        "x-advanced": True,
    },
    "region": {
        "type": "string",
        "title": "Region",
        "description": "Runs only on clusters in this region.",
        "format": "region",
        "x-none": "Automatic",
        "x-advanced": True,
    },
    "labels": {
        "type": "object",
        "title": "Labels",
        "format": "pairs",
        "description": "One key=value per line. Job lists can be filtered by label.",
        "x-example": "team=bikes",
        "x-advanced": True,
    },
}


def request_schema(job_type: str, texts: Texts) -> dict[str, Any]:
    """Schema of a request of this type, with the variants (hyperparameters) of the choice made."""
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
    """Schema of the variant that the `x-of` field of the form chooses; empty without variants."""
    variants: Mapping[str, Any] | None = schema.get("x-variants")
    if variants is None:
        return {}
    selector = schema["x-of"]
    chosen = texts.get(f"parameters.{selector}") or [properties[selector]["default"]]
    variant: Mapping[str, Any] = variants.get(chosen[-1], {"type": "object", "properties": {}})
    return variant


def settled(job_type: str, texts: Texts, shown: str) -> dict[str, list[str]]:
    """Drop defaults of a previously shown variant (algorithm) that is no longer chosen."""
    kept = {name: list(values) for name, values in texts.items()}
    for field, schema in parameter_schema(job_type)["properties"].items():
        variants = schema.get("x-variants")
        if variants is None or shown == schema_form.given(texts, f"parameters.{schema['x-of']}"):
            continue
        for name, part in variants.get(shown, {}).get("properties", {}).items():
            path = f"parameters.{field}.{name}"
            if path in kept and schema_form.read(part, kept, path) is OMITTED:
                del kept[path]
    return kept


def body_of(job_type: str, texts: Texts) -> dict[str, Any]:
    """Build the API request; empty fields are omitted."""
    request = schema_form.read(request_schema(job_type, texts), texts)
    return {"type": job_type, "parameters": {}, **({} if request is OMITTED else request)}


def texts_of_job(job: Mapping[str, Any]) -> dict[str, list[str]]:
    """Form values of an earlier job's request."""
    request = {
        "parameters": job["parameters"] or {},
        "name": job["name"] or None,
        "resources": {
            name: job["resources"].get(name) or None
            for name in ("cpu", "memory", "memory_max", "gpu")
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
        for name, values in texts_of_request(str(job["type"]), request).items()
        if values != [""] or name.startswith("parameters.")
    }


def texts_of_request(job_type: str, request: Mapping[str, Any]) -> dict[str, list[str]]:
    """Form values of a request, or of a part of one."""
    parameters = request.get("parameters")
    algorithm = parameters.get("algorithm") if isinstance(parameters, Mapping) else None
    chosen = {"parameters.algorithm": [algorithm]} if isinstance(algorithm, str) else {}
    return schema_form.texts_of(
        request_schema(job_type, chosen),
        {name: value for name, value in request.items() if value is not None},
    )


def patched(job_type: str, texts: Texts, raw: str) -> tuple[dict[str, list[str]], set[str]]:
    """Apply a diagnosis' patch and name the fields that differ.

    An empty `resources` in the patch marks CPU and memory for the user to fill in.
    """
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
    }  # an empty value in the patch: the job can run anywhere
    marked = {"resources.cpu", "resources.memory"} if patch.get("resources") == {} else set()
    return {**before, **changes}, marked | {
        name for name, values in changes.items() if before.get(name) != values
    }


def curl(address: str, body: Mapping[str, Any]) -> str:
    """Format the request as a curl command; invisible characters are escaped."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    text = text if formatting.visible(text) == text else json.dumps(body, indent=2)
    quoted = text.replace("'", "'\\''")
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
