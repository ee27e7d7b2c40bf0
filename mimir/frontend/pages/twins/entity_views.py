"""One entity of a twin: values and sources, manual edits, property history, relations."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from mimir.frontend.api_client import Api, ApiError, api
from mimir.frontend.api_types.page import Page
from mimir.frontend.api_types.twin_shapes import EntityDetail, Value, ValueChange
from mimir.frontend.forms import Form
from mimir.frontend.pages.job import step_plot
from mimir.frontend.pages.shell import cursor_of, page, project_path, together
from mimir.frontend.pages.twins.present import (
    NUMBERS,
    entity_url,
    source_shown,
    touched,
    typed,
    value_row,
    value_shown,
)
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context
from mimir.lib.clock import utc_now

HISTORY, CHANGES = 200, 60  # rows of the history of one property, and of the whole entity
REVISIONS = 8
NOTE_CHARS_MAX = 1000
_PREFIX = "v-"  # of the fields that hold values: a property can have any name, such as `note`


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def entity(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """`/projects/<slug>/twins/<name>/entity/?type=&key=&property=&edit=1`.

    POST sets manual values that override updates, or removes them.
    """
    kind, key = request.GET.get("type", ""), request.GET.get("key", "")
    path, named = _path(slug, name, kind, key)
    found = api(request).get(path, named)
    form, here = Form(), entity_url(slug, name, kind, key)
    if request.method == "POST":
        form = _posted(request, found["values"])
        overlay = f"{path}overlay/?{urlencode(named)}"
        redirect = _changed(request, found["values"], form, overlay, here)
        if redirect is not None:
            return redirect
    chosen = _chosen(found["values"], request.GET.get("property", ""))
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        twin=lambda client: client.get(project_path(slug, "twins", name)),
        changes=lambda client: client.get(f"{path}history/", {**named, "limit": CHANGES}),
        history=_history(f"{path}history/", named, chosen, request.GET.get("cursor")),
    )
    editing = bool(form.values) or "edit" in request.GET
    context = {
        **_presented(slug, name, found, got["changes"]),
        "twin": got["twin"],
        "entity": found,
        "kind": next(
            (one for one in got["twin"]["types"] if one["name"] == kind),
            {"name": kind, "title": ""},
        ),
        "here_url": here,
        "edit_url": entity_url(slug, name, kind, key, edit="1"),
        "chosen": _course(chosen, got["history"], slug, here) if chosen else None,
        "form": form,
        "fields": _fields(found["values"], form) if editing else [],
        "update_url": f"/{project_path(slug, 'jobs', 'new')}?{urlencode({'type': 'digital_twin_update', 'twin': name})}",  # noqa: E501
    }
    return page(
        request,
        "twins/entity.html",
        context,
        project=got["project"],
        here="twins",
        status=400 if form.bad else 200,
    )


def _presented(slug: str, name: str, found: EntityDetail, history: Page[ValueChange]) -> Context:
    """Properties, relations and last revisions of the entity."""
    rows = [value_row(value, slug=slug, twin=name) for value in found["values"]]
    complete = history["next"] is None
    changes = touched(history["results"], found["values"], complete=complete)
    return {
        "properties": [row for row in rows if not row["relation"]],
        "relations": [row for row in rows if row["relation"]],
        "revisions": changes[:REVISIONS],
        "more_revisions": len(changes) > REVISIONS or not complete,
    }


def _path(slug: str, name: str, kind: str, key: str) -> tuple[str, dict[str, str]]:
    """API path and query of an entity. A key is free text, so it is a query parameter.

    Raises: ApiError 404 without type and key.
    """
    if not kind or not key:
        raise ApiError(404, "not_found", "The address must name the entity's type and key.")
    return project_path(slug, "twins", name, "entity"), {"type": kind, "key": key}


def _chosen(values: Sequence[Value], requested: str) -> Value | None:
    """Return the property whose history is shown; None if none has a value.

    By default the first number with a value, else the first property with a value.
    Raises: ApiError 404.
    """
    if requested:
        found = next((value for value in values if value["property"] == requested), None)
        if found is None:
            raise ApiError(
                404, "not_found", f"Entities of this type have no property {requested[:100]}."
            )
        return found
    known = [value for value in values if value["value"] is not None]
    return next((value for value in known if value["type"] in NUMBERS), known[0] if known else None)


def _history(path: str, named: Mapping[str, str], chosen: Value | None, cursor: str | None) -> Any:
    def call(client: Api) -> Any:
        if chosen is None:
            return {}
        return client.get(
            path, {**named, "property": chosen["property"], "limit": HISTORY, "cursor": cursor}
        )

    return call


def _course(chosen: Value, history: Page[ValueChange], slug: str, here: str) -> Context:
    """Present the history of a property: a plot of numbers, and each value with its source."""
    changes = history["results"]
    plots: list[step_plot.StepPlot | None] = []
    if chosen["type"] in NUMBERS:
        courses = {
            "reported": step_plot.points_of(changes, "reported"),
            "edited": step_plot.points_of(changes, "overlay"),
        }
        plots = [
            step_plot.draw(courses, utc_now(), width=width)
            for width in (step_plot.WIDE, step_plot.PHONE)
        ]
    older = cursor_of(history["next"])
    return {
        "name": chosen["property"],
        "title": chosen["title"] or chosen["property"],
        "unit": chosen["unit"],
        "plots": list(zip(("only-wide", "only-phone"), plots, strict=False)) if any(plots) else [],
        "rows": [
            {
                "value": value_shown(
                    change["value"] if change["present"] else None, chosen["type"], chosen["unit"]
                ),
                "edit": change["layer"] == "overlay",
                "present": change["present"],
                "source": source_shown(change, slug),
            }
            for change in changes
        ],
        "older": f"{here}&{urlencode({'property': chosen['property'], 'cursor': older})}"
        if older
        else "",
    }


def _posted(request: HttpRequest, values: Sequence[Value]) -> Form:
    """Read the typed values. The button `take` only removes the edit of one property."""
    names = [_PREFIX + value["property"] for value in values]
    taken = request.POST.get("take")
    if taken is None:
        form = Form.posted(request.POST, *names, "note")
        form.values = {name: value.replace("\r\n", "\n") for name, value in form.values.items()}
        return form
    before = _edits(values)
    return Form(
        {**before, _PREFIX + taken: "", "note": ""}
        if _PREFIX + taken in before
        else {**before, "note": ""}
    )


def _edits(values: Sequence[Value]) -> dict[str, str]:
    """Current edits as form values; empty where the reported value is used."""
    return {
        _PREFIX + value["property"]: typed(value["overlay"]["value"]).strip()
        if value["overlay"]
        else ""
        for value in values
    }


def _changed(
    request: HttpRequest, values: Sequence[Value], form: Form, path: str, here: str
) -> HttpResponse | None:
    """Save the edits. Returns the redirect; None if the form must be shown again."""
    before = _edits(values)
    wanted = {
        value["property"]: _given(form.value(name), value["type"]) if form.value(name) else None
        for value in values
        if form.value(name := _PREFIX + value["property"]) != before[name]
    }
    if not wanted:
        if not form.value("note"):
            return HttpResponseRedirect(here)
        form.errors["note"] = "A note requires a changed value. Change a value or clear the note."
        return None
    body = {"values": wanted, **({"note": form.value("note")} if form.value("note") else {})}
    try:
        api(request).patch(path, body)
    except ApiError as error:
        if error.status not in (400, 409):
            raise
        form.refused(
            error, {"note": "note", **{f"values.{name}": _PREFIX + name for name in wanted}}
        )
        return None
    return HttpResponseRedirect(here)


def _given(text: str, kind: str) -> Any:
    """Parse a typed value.

    Text that does not fit the type stays text; the API explains the error.
    """
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind not in NUMBERS:
        return text
    try:
        return int(text)
    except ValueError:
        pass  # not a whole number
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _fields(values: Sequence[Value], form: Form) -> list[Context]:
    """Form fields, each with its reported value."""
    if not form.values:
        form.values = {**_edits(values), "note": ""}
    return [
        {
            "field": form[_PREFIX + value["property"]],
            "label": value["title"] or value["property"],
            "type": value["type"],
            "unit": value["unit"],
            "mode": "decimal" if value["type"] in NUMBERS else "",
            "long": "\n" in form.value(_PREFIX + value["property"]),
            "reported": value_shown(value["reported"], value["type"], value["unit"]),
            "edited": value["overlay"] is not None,
        }
        for value in values
    ]
