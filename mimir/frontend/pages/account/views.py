"""Change your own password and end your own sessions."""

import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from mimir.frontend import session
from mimir.frontend.api_client import ApiError, api
from mimir.frontend.api_types.user_shapes import PasswordChanged
from mimir.frontend.forms import Form
from mimir.frontend.pages.shell import cursor_of, page
from mimir.frontend.session import signed_in

_FIELDS = {"current_password": "current_password", "new_password": "new_password"}
_EMPTY = {"current_password": "", "new_password": "", "repeated": "", "end_tokens": "on"}


@sensitive_post_parameters("current_password", "new_password", "repeated")
@sensitive_variables("form", "body")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def account(request: HttpRequest) -> HttpResponse:
    """Show the password form and the sessions. POST changes the password."""
    form, changed = Form(dict(_EMPTY)), None
    if request.method == "POST":
        form = Form({name: request.POST.get(name, "") for name in _EMPTY})
        form.require("current_password", "Enter your current password.")
        form.require("new_password", "Enter a new password of at least 12 characters.")
        if form.value("new_password") != form.value("repeated"):
            form.errors["repeated"] = "The two entries of the new password differ."
        if not form.bad:
            changed = _change(request, form)
        form = Form(
            {**_EMPTY, "end_tokens": form.value("end_tokens")}, form.errors, form.general
        )  # never render a password
    found = api(request).get("sessions/", {"cursor": request.GET.get("cursor"), "limit": 50})
    context = {
        "form": form,
        "changed": changed,
        "rows": found["results"],
        "older": cursor_of(found["next"]),
    }
    return page(
        request, "account/account.html", context, here="account", status=400 if form.bad else 200
    )


def _change(request: HttpRequest, form: Form) -> PasswordChanged | None:
    """Return the number of sessions and tokens ended; None with errors in the form if refused."""
    body = {
        "current_password": form.value("current_password"),
        "new_password": form.value("new_password"),
        "end_tokens": form.value("end_tokens") == "on",
    }
    try:
        changed: PasswordChanged = api(request).post("password/", body)
        return changed
    except ApiError as error:
        if error.status not in (400, 429):
            raise
        form.refused(error, _FIELDS)
        return None


@require_POST
@signed_in
def session_end(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """End one session. A session that no longer exists is not an error."""
    try:
        api(request).delete(f"sessions/{session_id}/")
    except ApiError as error:
        if error.status != 404:
            raise
    return HttpResponseRedirect("/account/")


@require_POST
@signed_in
def sessions_end(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere, including this browser."""
    api(request).delete("sessions/")
    session.sign_out(request)
    return HttpResponseRedirect(session.SIGN_IN_PATH)
