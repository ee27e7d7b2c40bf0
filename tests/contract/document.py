"""Validation against the OpenAPI document.

Every response must have a documented status and media type, and exactly the documented keys.
"""

import re
from dataclasses import dataclass
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker

# Responses of the framework to any request, also in our error format.
ANYWHERE = (405, 411, 413, 415)
_STATUSES = re.compile(r"[1-5][0-9]{2}")


@dataclass(frozen=True)
class Operation:
    """Method of a path."""

    method: str
    template: str
    described: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.described["operationId"])


class Document:
    """`GET /api/schema/`, read once."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = {
            "schemas": {
                name: _strict(schema) for name, schema in document["components"]["schemas"].items()
            }
        }
        self.operations = [
            Operation(method.upper(), template, described)
            for template, methods in document["paths"].items()
            for method, described in methods.items()
        ]
        # An address with fewer variable parts is meant where two fit: `pipelines/validate/`, not a
        # pipeline of that name.
        self.operations.sort(key=lambda operation: operation.template.count("{"))

    def operation(self, method: str, path: str) -> Operation:
        """Return the operation of a request. Raises: AssertionError if it is not documented."""
        for operation in self.operations:
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(operation.template))
            if operation.method == method and re.fullmatch(pattern, path):
                return operation
        raise AssertionError(f"{method} {path} is not in the document")

    def judge(self, answer: httpx.Response) -> None:
        """Validate a response. Raises: AssertionError if it is not documented."""
        method, path, status = answer.request.method, answer.request.url.path, answer.status_code
        assert status < 500, f"{method} {path}: {status} {answer.text[:500]}"
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        if status in ANYWHERE:
            self._judge_body({"$ref": "#/components/schemas/Error"}, answer)
            return
        responses = self.operation(method, path).described["responses"]
        assert str(status) in responses, (
            f"{method} {path}: {status} is not documented: {answer.text[:300]}"
        )
        content = responses[str(status)].get("content")
        if not content:
            assert answer.content == b""
            return
        assert kind in content, f"{method} {path}: {kind} is not documented"
        if kind == "application/json":
            self._judge_body(_strict(content[kind]["schema"]), answer)

    def _judge_body(self, schema: dict[str, Any], answer: httpx.Response) -> None:
        validator = Draft202012Validator(
            {**schema, "components": self._components}, format_checker=FormatChecker()
        )
        faults = [
            f"{error.json_path}: {error.message[:300]}"
            for error in validator.iter_errors(answer.json())
        ]
        assert not faults, (
            f"{answer.request.method} {answer.request.url.path} {answer.status_code}: {faults[:5]}"
        )


def _strict(schema: Any) -> Any:
    """Return a schema in which an object must have exactly the listed keys."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    created = {
        key: _strict(value) for key, value in schema.items() if key not in ("readOnly", "writeOnly")
    }
    if created.get("type") in ("object", ["object", "null"]) and "properties" in created:
        created.setdefault("additionalProperties", False)
    return created


def document_of(client: httpx.Client) -> Document:
    """Return the public document of an installation."""
    answer = client.get("/api/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return Document(answer.json())
