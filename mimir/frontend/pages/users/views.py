"""Users, for administrators, and the page that sets a password with a one-time link."""

from urllib.parse import quote, urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from mimir.frontend.api_client import ApiError, api
from mimir.frontend.api_types.user_shapes import PasswordLink, PasswordLinkResult
from mimir.frontend.forms import Form
from mimir.frontend.pages.shell import cursor_of, page
from mimir.frontend.session import signed_in
from mimir.frontend.template_context import Context

PATH = "/system/users/"
_FIELDS = {"username": "username", "email": "email", "is_superuser": "is_superuser"}
_SHOWN: dict[str, tuple[str, dict[str, str]]] = {
    "": ("All", {}),
    "active": ("Active", {"active": "true"}),
    "deactivated": ("Deactivated", {"active": "false"}),
    "administrators": ("Administrators", {"administrator": "true"}),
}
_CHANGES: dict[str, dict[str, bool]] = {
    "activate": {"is_active": True},
    "deactivate": {"is_active": False},
    "promote": {"is_superuser": True},
    "demote": {"is_superuser": False},
}


@sensitive_variables("link")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def users(request: HttpRequest) -> HttpResponse:
    """`/system/users/`. POST creates a user, or with `then` changes one or creates a password link.

    Only that response shows the link.
    """
    form, link = Form({"username": "", "email": "", "is_superuser": ""}), None
    if request.method == "POST":
        then = request.POST.get("then", "")
        if not then:
            form = Form.posted(request.POST, "username", "email", "is_superuser")
            link = _created(request, form)
        elif then == "link":
            link = _new_link(request, form)
        elif _changed(request, form, then):
            return HttpResponseRedirect(
                f"{PATH}?{request.GET.urlencode()}" if request.GET else PATH
            )
    if link is not None:
        form = Form({"username": "", "email": "", "is_superuser": ""})
    context = {**_list(request), "form": form, "link": link}
    return page(
        request, "system/users.html", context, here="system", status=400 if form.bad else 200
    )


def _list(request: HttpRequest) -> Context:
    """Fetch the users that match the query parameters, and present the filters."""
    text, shown = request.GET.get("q", "").strip()[:150], request.GET.get("show", "")
    if shown not in _SHOWN:
        shown = ""
    params: Context = {
        "q": text or None,
        "cursor": request.GET.get("cursor"),
        "limit": 50,
        **_SHOWN[shown][1],
    }
    found = api(request).get("users/", params)
    kept = {name: value for name, value in (("q", text), ("show", shown)) if value}
    older = cursor_of(found["next"])
    return {
        "rows": found["results"],
        "q": text,
        "show": shown,
        "filtered": bool(kept),
        "older": urlencode({**kept, "cursor": older}) if older else "",
        "segments": [
            {
                "word": word,
                "current": key == shown,
                "query": "?"
                + urlencode({**({"q": text} if text else {}), **({"show": key} if key else {})}),
            }
            for key, (word, _) in _SHOWN.items()
        ],
    }


def _created(request: HttpRequest, form: Form) -> Context | None:
    """Create a user and return the password link; None with errors in the form if refused."""
    form.require("username", "Enter a user name.")
    if form.bad:
        return None
    body = {
        "username": form.value("username"),
        "email": form.value("email"),
        "is_superuser": form.value("is_superuser") == "on",
    }
    try:
        created = api(request).post("users/", body)
    except ApiError as error:
        if error.status not in (400, 409):
            raise
        form.refused(error, _FIELDS)
        return None
    return _shown(created["username"], created["password_link"], is_new=True)


def _new_link(request: HttpRequest, form: Form) -> Context | None:
    username = request.POST.get("username", "")
    try:
        return _shown(
            username, api(request).post(f"{_user_path(username)}reset-link/", None), is_new=False
        )
    except ApiError as error:
        if error.status not in (404, 409):
            raise
        form.general.append(error.message)
        return None


def _changed(request: HttpRequest, form: Form, then: str) -> bool:
    """Carry out an action on a user; False with the reason in the form if refused."""
    changes = _CHANGES.get(then)
    if changes is None:
        form.general.append("Unknown action. Reload the page and try again.")
        return False
    try:
        api(request).patch(_user_path(request.POST.get("username", "")), changes)
    except ApiError as error:
        if error.status not in (404, 409):
            raise
        form.general.append(error.message)
        return False
    return True


def _user_path(username: str) -> str:
    return f"users/{quote(username, safe='')}/"


def _shown(username: str, link: PasswordLink, *, is_new: bool) -> Context:
    address = settings.ENV.public_url.rstrip("/") + link["path"]
    return {
        "username": username,
        "address": address,
        "expires_at": link["expires_at"],
        "is_new": is_new,
    }


@sensitive_post_parameters("new_password", "repeated")
@sensitive_variables("form", "token")
@require_http_methods(["GET", "HEAD", "POST"])
def password_link(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Page of a one-time link: password form, result, or why the link is invalid.

    Needs no session.
    """
    form, link = Form({"new_password": "", "repeated": ""}), {"uid": uid, "token": token}
    try:
        found = api(request).post("password-link/", link)
        if request.method == "POST":
            found = _password_set(request, form, link) or found
    except ApiError as error:
        if error.status != 400:
            raise
        return render(request, "password.html", {"dead": True}, status=400)
    context = {"form": form, "username": found["username"], "changed": found["changed"]}
    return render(request, "password.html", context, status=400 if form.bad else 200)


@sensitive_variables("posted", "body")
def _password_set(
    request: HttpRequest, form: Form, link: dict[str, str]
) -> PasswordLinkResult | None:
    """Send the new password; None if refused, with the reasons in `form`.

    `form` never holds the password.
    """
    posted = Form({name: request.POST.get(name, "") for name in ("new_password", "repeated")})
    posted.require("new_password", "Enter a new password of at least 12 characters.")
    if posted.value("new_password") != posted.value("repeated"):
        posted.errors["repeated"] = "The two entries of the new password differ."
    form.errors = posted.errors
    if form.bad:
        return None
    body = {**link, "new_password": posted.value("new_password")}
    try:
        result: PasswordLinkResult = api(request).post("password-link/", body)
        return result
    except ApiError as error:
        if error.status != 429 and "new_password" not in error.detail:
            raise
        form.refused(error, {"new_password": "new_password"})
        return None
