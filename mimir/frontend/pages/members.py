"""Who may what in a project."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from mimir.frontend.client import ApiError, api
from mimir.frontend.forms import Form
from mimir.frontend.pages.shell import RANKS, cursor_of, page, project_path, together
from mimir.frontend.session import current, signed_in

_FIELDS = {"username": "username", "role": "role"}


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def members(request: HttpRequest, slug: str) -> HttpResponse:
    """The list; POST adds a member, changes a role, or with `remove` ends a membership."""
    form = Form.posted(request.POST, "username", "role") if request.method == "POST" else Form({"username": "", "role": "operator"})
    if request.method == "POST":
        _change(request, slug, form)
        if not form.bad and _left(request, form):
            return HttpResponseRedirect("/projects/")
        if not form.bad:
            return HttpResponseRedirect(f"/{project_path(slug, 'members')}")
    got = together(
        request,
        project=lambda client: client.get(project_path(slug)),
        members=lambda client: client.get(project_path(slug, "members"), {"cursor": request.GET.get("cursor"), "limit": 50}),
    )
    context = {
        "form": form,
        "rows": got["members"]["results"],
        "older": cursor_of(got["members"]["next"]),
        "roles": list(RANKS),
        "may_change": RANKS.get(got["project"]["role"], 0) >= RANKS["maintainer"],
    }
    return page(request, "projects/members.html", context, project=got["project"], here="members", status=400 if form.bad else 200)


def _left(request: HttpRequest, form: Form) -> bool:
    """Whether whoever asks ended their own membership, and so may not see this page any more."""
    me = current(request)
    return bool(request.POST.get("remove")) and me is not None and me.username == form.value("username")


def _change(request: HttpRequest, slug: str, form: Form) -> None:
    """Carry it out; why not, at the field."""
    form.require("username", "Give the name of a user.")
    if form.bad:
        return
    path = project_path(slug, "members", form.value("username"))
    try:
        if request.POST.get("remove"):
            api(request).delete(path)
        else:
            api(request).put(path, {"role": form.value("role")})
    except ApiError as error:
        if error.status not in (400, 404, 409):
            raise
        if error.status == 404:
            form.errors["username"] = error.message
        else:
            form.refused(error, _FIELDS)
