"""One twin: entities now or at an older revision, revisions, and changes between two."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET

from mimir.frontend.api_client import Api, ApiError
from mimir.frontend.api_types.twin_shapes import TwinDetail
from mimir.frontend.pages.shell import cursor_of, page, project_path, together
from mimir.frontend.pages.twins.present import (
    columns,
    diff_row,
    entity_row,
    revision_row,
    state_row,
    twin_url,
)
from mimir.frontend.session import signed_in

ENTITIES, REVISIONS, CHANGES = 50, 50, 100  # rows of a page
LAST_REVISIONS = 6
KNOWN_REVISIONS = 100  # fetched to find the author and source of the shown one


@require_GET
@signed_in
def twin(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """`/projects/<slug>/twins/<name>/?type=&q=&at=&cursor=`: entities, now or at revision `at`."""
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        twin=lambda client: client.get(project_path(slug, "twins", name)),
        revisions=lambda client: client.get(
            project_path(slug, "twins", name, "revisions"), {"limit": LAST_REVISIONS}
        ),
    )
    found = got["twin"]
    kind, at = _type(found, request.GET.get("type", "")), request.GET.get("at", "")
    q = "" if at else request.GET.get("q", "").strip()
    listed = together(
        request, listed=_entities(slug, name, kind, q=q, at=at, cursor=request.GET.get("cursor"))
    )["listed"]
    shown = columns(found["definition"], kind)
    older = cursor_of(listed["next"])
    kept = {key: value for key, value in (("type", kind), ("q", q), ("at", at)) if value}
    context = {
        "twin": found,
        "kind": next(
            (one for one in found["types"] if one["name"] == kind),
            {"name": kind, "title": "", "entities": 0},
        ),
        "columns": shown,
        "rows": [
            entity_row(state_row(row) if at else row, shown, slug=slug, twin=name)
            for row in listed["results"]
        ],
        "q": q,
        "at": at,
        "older": "?" + urlencode({**kept, "cursor": older}) if older else "",
        "first": "?" + urlencode(kept) if request.GET.get("cursor") else "",
        "tabs": [
            {**one, "url": "?" + urlencode({"type": one["name"], **({"at": at} if at else {})})}
            for one in found["types"]
        ],
        "revisions": [revision_row(row, slug) for row in got["revisions"]["results"]],
        "update_url": f"/{project_path(slug, 'jobs', 'new')}?{urlencode({'type': 'digital_twin_update', 'twin': name})}",  # noqa: E501
    }
    return page(request, "twins/twin.html", context, project=got["project"], here="twins")


def _type(found: TwinDetail, requested: str) -> str:
    """Return the requested entity type, by default the first.

    Raises: ApiError 404.
    """
    names = [one["name"] for one in found["types"]]
    if requested and requested not in names:
        raise ApiError(
            404,
            "not_found",
            f"This twin has no entity type {requested[:100]}. Its entity types: "
            f"{', '.join(names)}.",
        )
    return requested or names[0]


def _entities(slug: str, name: str, kind: str, *, q: str, at: str, cursor: str | None) -> Any:
    """Build the call for a page of entities, now or at revision `at`."""
    path = (
        project_path(slug, "twins", name, "revisions", at, "state")
        if at
        else project_path(slug, "twins", name, "entities")
    )

    def call(client: Api) -> Any:
        return client.get(path, {"type": kind, "q": q or None, "cursor": cursor, "limit": ENTITIES})

    return call


@require_GET
@signed_in
def revisions(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """`/projects/<slug>/twins/<name>/revisions/`: newest first.

    With `from` and `to`: redirect to the changes between them.
    """
    start, end = (request.GET.get(part, "").strip() for part in ("from", "to"))
    if start.isdecimal() and end.isdecimal():
        return HttpResponseRedirect(
            f"{twin_url(slug, name, 'revisions', start)}?{urlencode({'to': end})}"
        )
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        twin=lambda client: client.get(project_path(slug, "twins", name)),
        revisions=lambda client: client.get(
            project_path(slug, "twins", name, "revisions"),
            {"limit": REVISIONS, "cursor": request.GET.get("cursor")},
        ),
    )
    context = {
        "twin": got["twin"],
        "rows": [revision_row(row, slug) for row in got["revisions"]["results"]],
        "older": cursor_of(got["revisions"]["next"]),
        "is_first": not request.GET.get("cursor"),
        "start": start or str(max(got["twin"]["revision"] - 1, 0)),
        "end": end or str(got["twin"]["revision"]),
        "refused": bool(start or end),
    }
    return page(request, "twins/revisions.html", context, project=got["project"], here="twins")


@require_GET
@signed_in
def revision(request: HttpRequest, slug: str, name: str, number: int) -> HttpResponse:
    """`…/revisions/<n>/?to=<m>`: changes of revision n; with `to`, changes between n and m."""
    to = request.GET.get("to", "").strip()
    start, end = (str(number), to) if to else (str(max(number - 1, 0)), str(number))
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        twin=lambda client: client.get(project_path(slug, "twins", name)),
        revisions=lambda client: client.get(
            project_path(slug, "twins", name, "revisions"), {"limit": KNOWN_REVISIONS}
        ),
        diff=lambda client: client.get(
            project_path(slug, "twins", name, "revisions", start, "diff"),
            {"to": end, "cursor": request.GET.get("cursor"), "limit": CHANGES},
        ),
    )
    found, older = got["twin"], cursor_of(got["diff"]["next"])
    about = next((row for row in got["revisions"]["results"] if row["number"] == number), None)
    context = {
        "twin": found,
        "number": number,
        "to": to,
        "about": revision_row(about, slug) if about and not to else None,
        "rows": [
            diff_row(row, slug=slug, twin=name, definition=found["definition"])
            for row in got["diff"]["results"]
        ],
        "older": "?" + urlencode({**({"to": to} if to else {}), "cursor": older}) if older else "",
        "before": number - 1 if number > 1 else None,
        "after": number + 1 if number < found["revision"] else None,
    }
    return page(request, "twins/revision.html", context, project=got["project"], here="twins")
