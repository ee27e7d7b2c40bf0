"""Members of a project and their roles."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from mimir.frontend.api_client import ApiError, api
from mimir.frontend.forms import Form
from mimir.frontend.pages.shell import RANKS, cursor_of, page, project_path, together
from mimir.frontend.session import current, signed_in

_FIELDS = {"username": "username", "role": "role"}


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def members(request: HttpRequest, slug: str) -> HttpResponse:
    """List members. POST adds a member, changes a role (`change`) or removes one (`remove`)."""
    form = Form({"username": "", "role": "operator"})
    if request.method == "POST":
        posted = Form.posted(request.POST, "username", "role")
        done = (
            _remove
            if request.POST.get("remove")
            else _change
            if request.POST.get("change")
            else _add
        )
        done(request, slug, posted)
        if not posted.bad:
            return HttpResponseRedirect(
                "/projects/" if _left(request, posted) else f"/{project_path(slug, 'members')}"
            )
        form = (
            posted
            if done is _add
            else Form(form.values, general=[*posted.errors.values(), *posted.general])
        )
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        members=lambda client: client.get(
            project_path(slug, "members"), {"cursor": request.GET.get("cursor"), "limit": 50}
        ),
    )
    context = {
        "form": form,
        "rows": got["members"]["results"],
        "older": cursor_of(got["members"]["next"]),
        "roles": list(RANKS),
        "may_change": RANKS.get(got["project"]["role"], 0) >= RANKS["maintainer"],
    }
    return page(
        request,
        "projects/members.html",
        context,
        project=got["project"],
        here="members",
        status=400 if form.bad else 200,
    )


def _left(request: HttpRequest, form: Form) -> bool:
    """Whether users removed themselves and so lost access to this page."""
    me = current(request)
    return (
        bool(request.POST.get("remove"))
        and me is not None
        and me.username == form.value("username")
    )


def _add(request: HttpRequest, slug: str, form: Form) -> None:
    """Add a member; put an error at the field."""
    form.require("username", "Enter a user name.")
    if not form.bad:
        _sent(form, partial(api(request).post, project_path(slug, "members"), dict(form.values)))


def _change(request: HttpRequest, slug: str, form: Form) -> None:
    """Change the role of a member."""
    _sent(
        form,
        partial(
            api(request).patch,
            project_path(slug, "members", form.value("username")),
            {"role": form.value("role")},
        ),
    )


def _remove(request: HttpRequest, slug: str, form: Form) -> None:
    """Remove a member."""
    _sent(form, partial(api(request).delete, project_path(slug, "members", form.value("username"))))


def _sent(form: Form, call: Callable[[], Any]) -> None:
    """Run the call and put a refusal into the form.

    Errors about the member keep the API's message.
    """
    try:
        call()
    except ApiError as error:
        of_member = error.status == 409 and error.code != "project_archived"
        if of_member or (error.status == 404 and error.detail):
            form.errors["username"] = error.message
        elif error.status == 400:
            form.refused(error, _FIELDS)
        else:
            raise
