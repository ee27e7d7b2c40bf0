"""Generate the page of the REST API from the OpenAPI document."""

import re
from collections.abc import Iterator
from typing import Any

from docs.tools.markdown import code, table, text
from docs.tools.schemas import Resolve, Schema, description_of, fields_table, type_of

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
    sections = [f"## {title}\n\n{''.join(parts)}" for title, parts in sorted(tags.items())]
    return _HEAD + _statuses(document) + "".join(sections) + _objects(document)


def _components(schema: Schema, resolve: Resolve) -> list[str]:
    """Return the names of the objects that a schema refers to."""
    found = resolve(schema)
    if found.get("properties") and "$ref" in schema:
        return [str(schema["$ref"]).rpartition("/")[2]]
    return [name for each in found.get("oneOf", ()) for name in _components(each, resolve)]


def _statuses(document: dict[str, Any]) -> str:
    """Return a table of the status codes of errors, each with its first description."""
    found: dict[str, str] = {}
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, answer in operation.get("responses", {}).items():
                if not status.startswith("2") and answer.get("description"):
                    found.setdefault(status, text(answer["description"]))
    rows = [(code(status), found[status]) for status in sorted(found)]
    return "## Status codes\n\n" + table(("status", "meaning"), rows) + "\n"


def _objects(document: dict[str, Any]) -> str:
    """Return a section with the fields of every object schema of the document."""
    resolve = _resolver(document)
    parts = ["## Objects\n\n"]
    for name, schema in sorted(document["components"]["schemas"].items()):
        if schema.get("properties"):
            parts += [f"### {name}\n\n", fields_table(schema, resolve), "\n"]
    return "".join(parts)


def _resolver(document: dict[str, Any]) -> Resolve:
    """Return a function that follows `$ref` within the document."""

    def resolve(schema: Schema) -> Schema:
        found: Any = schema
        while "$ref" in found:
            target: Any = document
            for part in str(found["$ref"]).removeprefix("#/").split("/"):
                target = target[part]
            found = target
        return dict(found)

    return resolve


def _section(path: str, operation: dict[str, Any]) -> str:
    """Return the title of the section that an operation belongs to."""
    inside = re.match(r"/api/v1/projects/\{slug\}/([a-z]+)/", path)
    name = inside[1] if inside else operation["tags"][0]
    return _TITLES.get(name, name.capitalize())


def _operation(
    document: dict[str, Any], method: str, path: str, operation: dict[str, Any]
) -> Iterator[str]:
    resolve = _resolver(document)
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
    for status, answer in operation["responses"].items():
        for body in answer.get("content", {}).values():
            names = _components(body.get("schema", {}), resolve)
            if status.startswith("2") and names:
                links = " or ".join(f"[{name}](#{name.lower()})" for name in names)
                yield f"Answer `{status}`: {links}\n\n"
    others = [code(status) for status in operation["responses"] if not status.startswith("2")]
    if others:
        yield f"Other answers: {', '.join(others)}\n\n"
