"""Present twins: values with units and sources, revisions and their changes. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict
from urllib.parse import quote, urlencode

from mimir.frontend import formatting
from mimir.frontend.api_types.model_shapes import VersionRef
from mimir.frontend.api_types.twin_shapes import (
    Edit,
    EntityDiff,
    EntityState,
    FieldChange,
    Revision,
    Source,
    Value,
    ValueChange,
)
from mimir.frontend.pages.shell import project_path
from mimir.frontend.template_context import Context
from mimir.lib.schemas.twin import entity_type
from mimir.lib.schemas.twin_types import CheckedTwinDefinition

CELL_CHARS_MAX = 120
NUMBERS = ("number", "integer")
KIND_ICONS = {"update": "digital_twin_update", "edit": "pencil", "definition": "file"}
CHANGES = {
    "created": ("plus", "New"),
    "changed": ("pencil", "Changed"),
    "removed": ("x", "Removed"),
}
STATUS_LABELS = {"present": "present", "missing": "missing", "removed": "removed"}


class PropertyColumn(TypedDict):
    """Property or relation of an entity type, as a column."""

    name: str
    title: str
    type: str
    unit: str
    to: str


def value_shown(value: object, type: str = "", unit: str = "") -> Context:
    """Present a value: {"text", "unit", "null", "whole"}.

    `whole` is the full value if it was cut or rounded, else empty.
    """
    if value is None:
        return {"text": "", "unit": "", "null": True, "whole": ""}
    text = _value_text(value, type)
    whole = text if len(text) > CELL_CHARS_MAX else ""
    if isinstance(value, float) and float(text.replace(",", "")) != value:
        whole = repr(value)
    shown = text if len(text) <= CELL_CHARS_MAX else f"{text[:CELL_CHARS_MAX]}…"
    return {
        "text": formatting.visible(shown),
        "unit": unit,
        "null": False,
        "whole": formatting.visible(whole),
    }


def _value_text(value: object, type: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return (
            f"{int(value):,}"
            if value.is_integer() and abs(value) < 1e15
            else f"{value:,.1f}"
            if 1e6 <= abs(value) < 1e15
            else f"{value:,.6g}"
        )
    at = formatting.parsed(value) if type == "datetime" else None
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else str(value)


def typed(value: object) -> str:
    """Format a value for a form field."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def twin_url(slug: str, name: str, *parts: str) -> str:
    """Address of a page of a twin."""
    return "/" + project_path(slug, "twins", name, *parts)


def entity_url(slug: str, twin: str, type: str, key: str, **query: str) -> str:
    """Address of an entity's page. A key is free text, so it is a query parameter."""
    return f"{twin_url(slug, twin, 'entity')}?{urlencode({'type': type, 'key': key, **query})}"


def columns(definition: CheckedTwinDefinition, type: str) -> list[PropertyColumn]:
    """Properties and relations of an entity type: {"name", "title", "type", "unit", "to"}."""
    kind = entity_type(definition, type)
    if kind is None:
        return []
    shown: list[PropertyColumn] = [
        {
            "name": one["name"],
            "title": one.get("title") or one["name"],
            "type": one["type"],
            "unit": one.get("unit", ""),
            "to": "",
        }
        for one in kind["properties"]
    ]
    shown += [
        {
            "name": one["name"],
            "title": one.get("title") or one["name"],
            "type": "relation",
            "unit": "",
            "to": one["to"],
        }
        for one in kind.get("relations", [])
    ]
    return shown


def entity_row(
    row: Mapping[str, Any], shown: Sequence[PropertyColumn], *, slug: str, twin: str
) -> Context:
    """Present an entity as a table row in the order of `shown`; edited cells are marked."""
    edited = set(row["overlay"])
    return {
        "key": row["key"],
        "url": entity_url(slug, twin, row["type"], row["key"]),
        "status": row["status"],
        "changed_revision": row.get("changed_revision"),
        "cells": [
            {
                **value_shown(row["values"].get(column["name"]), column["type"]),
                "right": column["type"] in NUMBERS,
                "edited": column["name"] in edited,
                "url": _relation_url(column, row["values"].get(column["name"]), slug, twin),
            }
            for column in shown
        ],
    }


def state_row(row: EntityState) -> Context:
    """Convert an entity of an older revision ({"reported", "overlay"}) to the shape `Entity`.

    Edits override reported values.
    """
    return {**row, "values": {**row["reported"], **row["overlay"]}, "overlay": list(row["overlay"])}


def _relation_url(field: PropertyColumn | Value, value: object, slug: str, twin: str) -> str:
    return (
        entity_url(slug, twin, field["to"], str(value))
        if field["type"] == "relation" and value is not None
        else ""
    )


def value_row(value: Value, *, slug: str, twin: str) -> Context:
    """Present one value with its source, and the reported value if an edit overrides it."""
    overlay = value["overlay"]
    return {
        "name": value["property"],
        "title": value["title"] or value["property"],
        "shown": value_shown(value["value"], value["type"], value["unit"]),
        "url": _relation_url(value, value["value"], slug, twin),
        "relation": value["type"] == "relation",
        "right": value["type"] in NUMBERS,
        "edited": overlay is not None,
        "reported": value_shown(value["reported"], value["type"], value["unit"]),
        "source": source_shown(overlay, slug)
        if overlay is not None
        else source_shown(value["source"], slug),
        "below": source_shown(value["source"], slug) if overlay is not None else None,
    }


def source_shown(source: Source | Edit | ValueChange | None, slug: str) -> Context | None:
    """Present the source of a value: job, dataset, revision, user and note."""
    if source is None:
        return None
    dataset = source["dataset"]
    return {
        "icon": KIND_ICONS.get(source["kind"], "info"),
        "edit": source["kind"] == "edit",
        "revision": source["revision"],
        "at": source["at"],
        "by": source["by"] or "deleted user",
        "note": source["note"],
        "job": source["job"],
        "dataset": f"{dataset['name']} v{dataset['version']:,}" if dataset else "",
        "dataset_url": dataset_url(slug, dataset) if dataset else "",
    }


def dataset_url(slug: str, dataset: VersionRef) -> str:
    """Page of a dataset version."""
    return f"/projects/{quote(slug, safe='')}/datasets/{quote(dataset['name'], safe='')}/?version={dataset['version']}"  # noqa: E501


def revision_row(row: Revision, slug: str) -> Context:
    """Present a revision in a list: source and number of changed entities."""
    dataset = row["dataset"]
    counts = [(row["created"], "new"), (row["changed"], "changed"), (row["removed"], "removed")]
    changes_text = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    return {
        "number": row["number"],
        "before": row["number"] - 1,
        "icon": KIND_ICONS.get(row["kind"], "info"),
        "word": _origin_text(row),
        "counts": changes_text
        or ("the definition" if row["kind"] == "definition" else "no entity"),
        "note": row["note"],
        "at": row["at"],
        "job": row["job"],
        "dataset": f"{dataset['name']} v{dataset['version']:,}" if dataset else "",
        "dataset_url": dataset_url(slug, dataset) if dataset else "",
        "definition_number": row["definition_number"],
    }


def _origin_text(row: Revision) -> str:
    if row["kind"] == "update":
        return "Update"
    who = f" by {row['by']}" if row["by"] else ""
    return f"Edit{who}" if row["kind"] == "edit" else f"Definition {row['definition_number']}{who}"


def diff_row(
    row: EntityDiff, *, slug: str, twin: str, definition: CheckedTwinDefinition
) -> Context:
    """Present the changes of one entity between two revisions, field by field."""
    fields = {column["name"]: column for column in columns(definition, row["type"])}
    icon, word = CHANGES.get(row["change"], ("info", row["change"]))
    return {
        "type": row["type"],
        "key": row["key"],
        "url": entity_url(slug, twin, row["type"], row["key"]),
        "change": row["change"],
        "icon": icon,
        "word": word,
        "fields": [
            _change(field, fields.get(field["property"], {}), field["old"], field["new"])
            for field in row["fields"]
        ],
    }


def _change(
    field: FieldChange | ValueChange,
    about: Mapping[str, Any],
    old: object,
    new: object,
    *,
    known: bool = True,
) -> Context:
    """Present one field's change, for `twins/_delta.html`. `known`: the old value is known."""
    kind, unit = about.get("type", ""), about.get("unit", "")
    return {
        "title": "status"
        if field["layer"] == "status"
        else about.get("title") or field["property"],
        "edit": field["layer"] == "overlay",
        "known": known,
        "old": value_shown(old, kind, unit),
        "new": value_shown(new, kind, unit),
    }


def touched(
    changes: Sequence[ValueChange], values: Iterable[Value], *, complete: bool
) -> list[Context]:
    """Present an entity's history by revision, newest first: changed fields with old and new value.

    `complete`: whether `changes` reaches back to the entity's creation; otherwise the oldest change
    of a field has no known old value.
    """
    about = {value["property"]: value for value in values}
    latest: dict[tuple[str, str], ValueChange] = {}
    shown: list[tuple[int, dict[str, Any]]] = []
    for change in reversed(changes):
        field = (change["layer"], change["property"])
        earlier = latest.get(field)
        known = earlier is not None or complete
        shown.append(
            (
                change["revision"],
                _change(
                    change,
                    about.get(change["property"], {}),
                    _present(earlier),
                    _present(change),
                    known=known,
                ),
            )
        )
        latest[field] = change
    sources = {change["revision"]: change for change in changes}
    found: dict[int, dict[str, Any]] = {}
    for number, field_shown in reversed(shown):
        source = sources[number]
        row = {
            "number": number,
            "kind": source["kind"],
            "icon": KIND_ICONS.get(source["kind"], "info"),
            "at": source["at"],
            "by": source["by"],
        }
        found.setdefault(number, {**row, "note": source["note"], "fields": []})["fields"].append(
            field_shown
        )
    return list(found.values())


def _present(change: ValueChange | None) -> Any:
    return change["value"] if change is not None and change["present"] else None
