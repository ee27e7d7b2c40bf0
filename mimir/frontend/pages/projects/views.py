"""Projects: list, create, settings."""

import re
import unicodedata
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_GET, require_http_methods

from mimir.frontend.api_client import ApiError, Unavailable, api
from mimir.frontend.api_types.project_shapes import ProjectDetail
from mimir.frontend.forms import Form
from mimir.frontend.pages.session.views import sign_in_page
from mimir.frontend.pages.shell import cursor_of, optional, page, project_path, together
from mimir.frontend.session import current, signed_in
from mimir.frontend.template_context import Context
from mimir.lib.clock import utc_now

_FIELDS = {name: name for name in ("slug", "name", "description", "status", "automatic_resources")}


@require_GET
def home(request: HttpRequest) -> HttpResponseBase:
    """`/`: sign-in, the projects, or a notice that the orchestrator is down."""
    if current(request) is None:
        return sign_in_page(request)
    try:
        return _listing(request)
    except Unavailable as error:
        context = {
            "retry_after": max(1, round(error.retry_after or 5)),
            "now": utc_now(),
            "is_busy": error.is_busy,
        }
        return page(request, "projects/away.html", context, here="projects")


@require_GET
@signed_in
def projects(request: HttpRequest) -> HttpResponse:
    """`/projects/`."""
    return _listing(request)


def _listing(request: HttpRequest) -> HttpResponse:
    found = api(request).get("projects/", {"cursor": request.GET.get("cursor"), "limit": 60})
    rows = found["results"]
    counts = together(
        request,
        **{row["slug"]: optional(_counts(row["slug"]), {}) for row in rows},
    )
    cards = [{**row, **_numbers(counts[row["slug"]])} for row in rows]
    return page(
        request,
        "projects/list.html",
        {"cards": cards, "older": cursor_of(found["next"])},
        here="projects",
    )


def _counts(slug: str) -> Any:
    return lambda client: client.get(project_path(slug, "jobs", "counts"))


def _numbers(counts: dict[str, int]) -> Context:
    """Counts for a card; `counted` is false if they are unavailable."""
    return {
        "counted": bool(counts),
        "running": sum(counts.get(name, 0) for name in ("launching", "running", "cancelling")),
        "waiting": counts.get("queued", 0),
        "failed": counts.get("failed", 0),
        "succeeded": counts.get("succeeded", 0),
        "cancelled": counts.get("cancelled", 0),
    }


def slug_of(name: str) -> str:
    """Derive a slug: lower-case letters, digits, single dashes. Same as static/js/slug.js."""
    plain = (
        unicodedata.normalize("NFKD", name.replace("ß", "ss"))
        .encode("ascii", "ignore")
        .decode()
        .lower()
    )
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].rstrip("-")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def project_new(request: HttpRequest) -> HttpResponse:
    """Create a project. Its creator becomes its maintainer."""
    form = Form.posted(request.POST, "slug", "name", "description")
    if request.method == "POST":
        form.require("name", "Enter a name for the project.")
        form.values["slug"] = form.value("slug") or slug_of(form.value("name"))
        form.require(
            "slug",
            "Enter an address of lower-case letters, digits and dashes, for example seattle-bikes.",
        )
        if not form.bad:
            try:
                created = api(request).post("projects/", form.values)
                return HttpResponseRedirect(f"/{project_path(created['slug'])}")
            except ApiError as error:
                if error.status not in (400, 409, 413):
                    raise
                form.refused(error, _FIELDS)
                if error.status == 409 and not form.errors:
                    form.errors, form.general = {"slug": error.message}, []
    return page(
        request,
        "projects/new.html",
        {"form": form},
        here="projects",
        status=400 if form.bad else 200,
    )


def _settings_form(row: ProjectDetail, etag: str) -> Form:
    return Form(
        {
            "name": row["name"],
            "description": row["description"],
            "automatic_resources": "on" if row.get("automatic_resources") else "",
            "etag": etag,
        }
    )


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Change name, description and automatic resources, archive.

    The form carries the ETag, so that a concurrent change is not overwritten.
    """
    row, etag = api(request).get_with_etag(project_path(slug))
    form = _settings_form(row, etag)
    if request.method == "POST":
        form = Form.posted(request.POST, "name", "description", "automatic_resources", "etag")
        change: dict[str, str | bool] = {
            "name": form.value("name"),
            "description": form.value("description"),
            "automatic_resources": form.value("automatic_resources") == "on",
        }
        if request.POST.get("status") in ("active", "archived"):
            change = {"status": request.POST["status"]}
        else:
            form.require("name", "Enter a name for the project.")
        if not form.bad:
            try:
                api(request).patch(
                    project_path(slug),
                    change,
                    headers={"If-Match": form.value("etag")} if form.value("etag") else None,
                )
                return HttpResponseRedirect(f"/{project_path(slug, 'settings')}")
            except ApiError as error:
                if error.status not in (400, 409, 412):
                    raise
                if error.status == 412:
                    form.general = [
                        (
                            "Someone changed the project while this form was open. Save again to "
                            "overwrite their changes."
                        )
                    ]
                    form.values["etag"] = etag
                else:
                    form.refused(error, _FIELDS)
    return page(
        request,
        "projects/settings.html",
        {"form": form, "row": row},
        project=row,
        here="settings",
        status=400 if form.bad else 200,
    )
