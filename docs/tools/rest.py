"""Generate the page of the REST API from the OpenAPI document."""

import re
from collections.abc import Iterator
from typing import Any

from docs.tools.markdown import code, table, text
from docs.tools.schemas import Schema, description_of, fields_table, type_of

_HEAD = """\
# REST API

*This page is generated from the OpenAPI document by `make docs`.*

The document itself: [openapi.json](openapi.json), and `GET /api/schema/` of an installation.
Errors are `{"code", "message", "detail"}`; lists are `{"results", "next"}`, where `next` is the
path of the next page or null. See [Use the REST API](../how-to/use-the-api.md).

"""
_TITLES = {"password-link": "Password links"}


def page(document: dict[str, Any]) -> str:
    """Return the page: one section for each tag, one subsection for each operation."""
    tags: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in ("get", "post", "put", "patch", "delete"):
                parts = "".join(_operation(document, method, path, operation))
                tags.setdefault(_section(path, operation), []).append(parts)
    return _HEAD + "".join(
        f"## {title}\n\n{''.join(operations)}" for title, operations in sorted(tags.items())
    )


def _section(path: str, operation: dict[str, Any]) -> str:
    """Return the title of the section that an operation belongs to."""
    inside = re.match(r"/api/v1/projects/\{slug\}/([a-z]+)/", path)
    name = inside[1] if inside else operation["tags"][0]
    return _TITLES.get(name, name.capitalize())


def _operation(
    document: dict[str, Any], method: str, path: str, operation: dict[str, Any]
) -> Iterator[str]:
    def resolve(schema: Schema) -> Schema:
        found: Any = schema
        while "$ref" in found:
            found = document
            for part in str(schema["$ref"]).removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return dict(found)

    yield f"### {method.upper()} {path}\n\n"
    if operation.get("description"):
        yield text(str(operation["description"])) + "\n\n"
    query = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
    if query:
        rows = [
            (
                code(each["name"]),
                type_of(each["schema"], resolve),
                text(str(each.get("description", ""))) or description_of(each["schema"]),
            )
            for each in query
        ]
        yield "Query parameters:\n\n" + table(("name", "type", "description"), rows) + "\n"
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        schema = resolve(body["schema"])
        if schema.get("properties"):
            yield f"Body (`{media}`):\n\n" + fields_table(schema, resolve) + "\n"
    answers = [
        (code(status), text(str(answer.get("description") or "")))
        for status, answer in operation["responses"].items()
    ]
    yield "Answers: " + ", ".join(" ".join(filter(None, each)) for each in answers) + "\n\n"
