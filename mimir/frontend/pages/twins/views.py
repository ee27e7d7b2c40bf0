"""Twins: list, create, and edit a definition. The example is made from a dataset's columns."""

import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_http_methods

from mimir.frontend.api_client import Api, ApiError, api
from mimir.frontend.api_types.dataset_shapes import Column
from mimir.frontend.api_types.project_shapes import ProjectDetail
from mimir.frontend.forms import Form
from mimir.frontend.pages import editor
from mimir.frontend.pages.shell import RANKS, cursor_of, optional, page, project_path, together
from mimir.frontend.pages.twins.present import twin_url
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context
from mimir.lib.schemas.twin_types import CheckedTwinDefinition

EXAMPLE_COLUMNS_MAX = 40
_FIELDS = {"name": "name"}
_KEY_NAMES = re.compile(r"(^|_)(id|key|code|name|number)$", re.IGNORECASE)
_TYPES = (  # (DuckDB type of a column, type of the property)
    (re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", re.IGNORECASE), "integer"),
    (re.compile(r"DOUBLE|FLOAT|REAL|DECIMAL.*", re.IGNORECASE), "number"),
    (re.compile(r"BOOLEAN", re.IGNORECASE), "boolean"),
    (re.compile(r"DATE", re.IGNORECASE), "date"),
    (re.compile(r"TIMESTAMP.*", re.IGNORECASE), "datetime"),
)
_PLAIN: CheckedTwinDefinition = {
    "types": [
        {
            "name": "station",
            "title": "Station",
            "key": {"name": "station_id"},
            "properties": [
                {"name": "label", "type": "string"},
                {"name": "temperature", "type": "number", "unit": "°C"},
                {"name": "in_service", "type": "boolean"},
            ],
            "relations": [{"name": "next_station", "title": "Next station", "to": "station"}],
        }
    ]
}


@require_GET
@signed_in
def twins(request: HttpRequest, slug: str) -> HttpResponse:
    """List twins by name."""
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        twins=lambda client: client.get(
            project_path(slug, "twins"), {"cursor": request.GET.get("cursor"), "limit": 50}
        ),
    )
    context = {"rows": got["twins"]["results"], "older": cursor_of(got["twins"]["next"])}
    return page(request, "twins/list.html", context, project=got["project"], here="twins")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def twin_new(request: HttpRequest, slug: str) -> HttpResponse:
    """`/projects/<slug>/twins/new/?dataset=`: the editor starts with a valid definition."""
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        datasets=lambda client: client.get(project_path(slug, "datasets"), {"limit": 50}),
    )
    dataset_name = request.GET.get("dataset", "")
    if request.method == "POST":
        form = Form.posted(request.POST, "name", "definition", "etag")
        if request.POST.get("then") != "check":
            form.require("name", "Enter a twin name, for example stations.")
        redirect = _saved(
            request,
            slug,
            form,
            lambda client, body: client.post(
                project_path(slug, "twins"), {"name": form.value("name"), **body}
            ),
        )
        if redirect is not None:
            return redirect
    else:
        columns = _columns(request, slug, dataset_name)
        form = Form(
            {
                "name": "",
                "definition": editor.written(example(dataset_name, columns) if columns else _PLAIN),
                "etag": "",
            }
        )
    context = {
        "new": True,
        "dataset_name": dataset_name,
        "datasets": [row["name"] for row in got["datasets"]["results"]],
    }
    return _editor(request, got["project"], form, context)


def _columns(request: HttpRequest, slug: str, dataset: str) -> list[Column]:
    """Columns of a dataset's newest version; empty without such a dataset."""
    if not dataset:
        return []
    found = together(
        request,
        dataset=optional(
            lambda client: client.get(project_path(slug, "datasets", dataset), {"limit": 1}), {}
        ),
    )["dataset"]
    versions = found.get("versions") or [{"schema": []}]
    return list(versions[0]["schema"])


def example(dataset: str, columns: list[Column]) -> CheckedTwinDefinition:
    """Definition with one entity type from a dataset's columns.

    The key is the column whose name looks most like a key.
    """
    fitting = [
        column for column in columns if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", column["name"])
    ]
    keys = [column for column in fitting if _KEY_NAMES.search(column["name"])] or fitting
    key = keys[0]["name"] if keys else "id"
    kind = re.sub(r"[^A-Za-z0-9_]", "_", dataset)[:99].rstrip("_") or "entity"
    return {
        "types": [
            {
                "name": kind if not kind[0].isdigit() else f"t_{kind}",
                "key": {"name": key},
                "properties": [
                    {"name": column["name"], "type": _property_type(column["type"])}
                    for column in fitting[:EXAMPLE_COLUMNS_MAX]
                    if column["name"] != key
                ],
            }
        ]
    }


def _property_type(column_type: str) -> str:
    return next((name for pattern, name in _TYPES if pattern.fullmatch(column_type)), "string")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def twin_definition(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """`/projects/<slug>/twins/<name>/definition/`.

    The form carries the ETag, so that a concurrent change is not overwritten.
    """
    form = Form.posted(request.POST, "definition", "etag", "unit_changes")
    form.values["name"] = name
    path = project_path(slug, "twins", name)
    if request.method == "POST":
        headers = {"If-Match": form.value("etag")} if form.value("etag") else None
        redirect = _saved(
            request,
            slug,
            form,
            lambda client, body: client.put(f"{path}definition/", body, headers=headers),
        )
        if redirect is not None:
            return redirect
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        twin=lambda client: client.get_with_etag(path),
    )
    found, etag = got["twin"]
    context: Context = {"new": False, "twin": found, "newest": found["definition_number"]}
    if request.method != "POST":
        form.values |= {"definition": editor.written(found["definition"]), "etag": etag}
    elif "changed_meanwhile" in form.values:
        form.general.append(
            f"Someone saved definition {found['definition_number']} while you edited. Compare "
            "both below, then save yours as the next one."
        )
        form.values["etag"] = etag
        context["theirs"] = editor.written(found["definition"])
    return _editor(request, got["project"], form, context)


def _editor(
    request: HttpRequest, project: ProjectDetail, form: Form, context: Mapping[str, object]
) -> HttpResponse:
    """Render the editor page."""
    only_checked = bool(form.values.get("checked"))
    shown = {
        "form": form,
        "refused": form.bad and not only_checked,
        "faults": editor.faults(form),
        "okay": only_checked and not form.bad,
        "unit_changed": bool(form.values.get("unit_changed")),
        "can_save": RANKS.get(project["role"], 0) >= RANKS["maintainer"]
        and project["status"] == "active",
        "unchanged": not context["new"] and request.GET.get("unchanged") == str(context["newest"]),
        **context,
    }
    return page(
        request,
        "twins/definition.html",
        shown,
        project=project,
        here="twins",
        status=400 if shown["refused"] else 200,
    )


def _saved(request: HttpRequest, slug: str, form: Form, send: Any) -> HttpResponse | None:
    """Save the definition. Returns the redirect; None if it was refused or only checked."""
    definition = editor.read(request, form)
    if request.POST.get("then") == "check":
        form.values["checked"] = "1"
        if not form.bad:
            _check(api(request), slug, form, definition)
        return None
    if form.bad:
        return None
    try:
        choice = request.POST.get("unit_changes", "")
        twin = send(
            api(request), {"definition": definition, **({"unit_changes": choice} if choice else {})}
        )
    except ApiError as error:
        if error.status not in (400, 409, 412, 413):
            raise
        if error.status == 412:
            form.values["changed_meanwhile"] = "1"
        else:
            editor.refused(form, error, _FIELDS)
            form.values["unit_changed"] = "1" if error.code == "unit_changed" else ""
        return None
    if _base_number(form.value("etag")) == str(twin["definition_number"]):
        return HttpResponseRedirect(
            f"{twin_url(slug, twin['name'])}definition/?unchanged={twin['definition_number']}"
        )
    return HttpResponseRedirect(twin_url(slug, twin["name"]))


def _base_number(etag: str) -> str:
    """Number of the definition that was edited: `"3"` or `"3~<hash of its representation>"`."""
    return etag.removeprefix("W/").strip('"').partition("~")[0]


def _check(client: Api, slug: str, form: Form, definition: object) -> None:
    """Check a definition without saving, and put the errors at their paths."""
    found = client.post(project_path(slug, "twins", "validate"), {"definition": definition})
    for fault in found["errors"]:
        path = str(fault["path"])
        form.errors[path if path.startswith("definition") else f"definition.{path}".rstrip(".")] = (
            str(fault["message"])
        )
