"""JSON schema of a job request for each type, the source of the submit form. Pure.

The parameters come from `mimir.lib.schemas.parameters`; this module adds the common fields.
"""

import json
from collections.abc import Mapping
from typing import Any

from mimir.frontend import formatting, schemaform
from mimir.frontend.schemaform import OMITTED, Texts
from mimir.lib.schemas.hyperparameters import HYPERPARAMETERS
from mimir.lib.schemas.parameters import PARAMETERS

PRIORITIES = ("critical", "high", "normal", "low")
FIRST_TYPE = "pipeline_execution"
# Of the type: what its card says, the heading of its parameters, its button.
KINDS: dict[str, tuple[str, str, str]] = {
    "pipeline_execution": ("Read, transform, write data", "What to run", "Run pipeline"),
    "ml_training": ("Make a model version", "What to learn", "Run training"),
    "ml_inference": ("Apply a model to data", "What to predict", "Run prediction"),
    "digital_twin_update": ("Bring a twin up to date", "What to update", "Run twin update"),
}
_COMMON: dict[str, Any] = {
    "name": {
        "type": "string",
        "title": "Name",
        "description": "Shown in lists. Empty = a name made from the settings.",
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
            "memory": {
                "type": "string",
                "title": "Memory",
                "description": "Limit, for example 4Gi or 512Mi.",
                "x-example": "default",
            },
            "gpu": {
                "type": "integer",
                "title": "GPU",
                "description": "Whole GPUs.",
                "x-example": "none",
                "x-rule": "a whole number of GPUs, or leave it empty",
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
        "description": "Runs only on clusters of this region.",
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
    """Schema of a request of this type, with the hyperparameters of the chosen algorithm."""
    parameters = PARAMETERS[job_type]
    if "hyperparameters" in parameters["properties"]:
        properties = parameters["properties"]
        algorithm = (texts.get("parameters.algorithm") or [properties["algorithm"]["default"]])[-1]
        of_algorithm = HYPERPARAMETERS.get(algorithm, {"type": "object", "properties": {}})
        parameters = {
            **parameters,
            "properties": {
                **properties,
                "hyperparameters": {**properties["hyperparameters"], **of_algorithm},
            },
        }
    return {"type": "object", "properties": {"parameters": parameters, **_COMMON}}


def settled(texts: Texts, shown: str) -> dict[str, list[str]]:
    """Drop hyperparameter defaults of a previously shown algorithm that is no longer chosen."""
    kept = {name: list(values) for name, values in texts.items()}
    if shown == schemaform.given(texts, "parameters.algorithm"):
        return kept
    for name, schema in HYPERPARAMETERS.get(shown, {}).get("properties", {}).items():
        path = f"parameters.hyperparameters.{name}"
        if path in kept and schemaform.read(schema, kept, path) is OMITTED:
            del kept[path]
    return kept


def body_of(job_type: str, texts: Texts) -> dict[str, Any]:
    """Build the API request; empty fields are omitted."""
    request = schemaform.read(request_schema(job_type, texts), texts)
    return {"type": job_type, "parameters": {}, **({} if request is OMITTED else request)}


def texts_of_job(job: Mapping[str, Any]) -> dict[str, list[str]]:
    """Form values of an earlier job's request."""
    request = {
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
        for name, values in texts_of_request(str(job["type"]), request).items()
        if values != [""] or name.startswith("parameters.")
    }


def texts_of_request(job_type: str, request: Mapping[str, Any]) -> dict[str, list[str]]:
    """Form values of a request, or of a part of one."""
    parameters = request.get("parameters")
    algorithm = parameters.get("algorithm") if isinstance(parameters, Mapping) else None
    chosen = {"parameters.algorithm": [algorithm]} if isinstance(algorithm, str) else {}
    return schemaform.texts_of(
        request_schema(job_type, chosen),
        {name: value for name, value in request.items() if value is not None},
    )


def patched(job_type: str, texts: Texts, raw: str) -> tuple[dict[str, list[str]], set[str]]:
    """Apply a diagnosis' patch and name the fields that differ.

    Resources without a value are marked for the user to fill in.
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
    }  # anywhere
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
