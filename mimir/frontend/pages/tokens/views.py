"""API tokens of the signed-in user. A new token is shown once."""

import datetime as dt
import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from mimir.frontend.api_client import ApiError, api
from mimir.frontend.api_types.user_shapes import TokenCreated
from mimir.frontend.forms import Form
from mimir.frontend.pages.shell import cursor_of, page
from mimir.frontend.session import signed_in
from mimir.lib.clock import utc_now

LIFETIMES = (("30", "in 30 days"), ("90", "in 90 days"), ("365", "in 1 year"), ("", "never"))
_FIELDS = {"name": "name", "expires_at": "days"}


@sensitive_variables("created")
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def tokens(request: HttpRequest) -> HttpResponse:
    """List tokens. POST creates one; only that response shows the new token."""
    form = (
        Form.posted(request.POST, "name", "days")
        if request.method == "POST"
        else Form({"name": "", "days": "90"})
    )
    created: TokenCreated | None = None
    if request.method == "POST":
        form.require(
            "name", "Enter a name that says where the token is used, for example nightly-upload."
        )
        if form.value("days") not in [days for days, _ in LIFETIMES]:
            form.errors["days"] = "Choose an option from the list."
        if not form.bad:
            created = _create(request, form)
    found = api(request).get("tokens/", {"cursor": request.GET.get("cursor"), "limit": 50})
    context = {
        "form": form if created is None else Form({"name": "", "days": "90"}),
        "created": created,
        "rows": found["results"],
        "older": cursor_of(found["next"]),
        "lifetimes": LIFETIMES,
        "now_iso": utc_now().isoformat(),
    }
    return page(
        request, "tokens/list.html", context, here="tokens", status=400 if form.bad else 200
    )


def _create(request: HttpRequest, form: Form) -> TokenCreated | None:
    body: dict[str, str] = {"name": form.value("name")}
    if form.value("days"):
        body["expires_at"] = (utc_now() + dt.timedelta(days=int(form.value("days")))).isoformat()
    try:
        created: TokenCreated = api(request).post("tokens/", body)
        return created
    except ApiError as error:
        if error.status not in (400, 409, 429):
            raise
        form.refused(error, _FIELDS)
        return None


@require_POST
@signed_in
def token_delete(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    """Revoke a token. A token that no longer exists is not an error."""
    try:
        api(request).delete(f"tokens/{token_id}/")
    except ApiError as error:
        if error.status != 404:
            raise
    return HttpResponseRedirect("/tokens/")
