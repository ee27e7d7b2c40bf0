"""Error pages: what happened, what to do, and the request ID to find it in the log."""

import json
import sys

from django.http import HttpRequest, HttpResponse
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string

from mimir.frontend import saved_form, session
from mimir.frontend.api_client import ApiError, Unavailable
from mimir.lib.clock import utc_now
from mimir.lib.disks import as_storage_error
from mimir.lib.errors import NOT_FOUND

_TITLES = {
    400: "Invalid request",
    403: "No permission",
    404: "Not found",
    409: "Conflict",
    412: "Changed by someone else",
    413: "Too large",
    507: "Disk full",
    429: "Too many requests",
}
_BROKEN = "Internal error"


def page(request: HttpRequest, status: int, message: str, title: str | None = None) -> HttpResponse:
    """Render `error.html`; plain text if the template does not exist."""
    return _rendered(request, "error.html", status, title or _TITLES.get(status, _BROKEN), message)


def for_api_error(request: HttpRequest, error: ApiError) -> HttpResponse:
    """Render the page of an API error that no view handled."""
    if isinstance(error, Unavailable):
        return unavailable(request, error)
    if error.code == "storage_full":
        return page(request, 507, error.message)
    if error.code == "bad_answer" or error.status >= 500:
        return page(
            request,
            502,
            "The orchestrator failed. Find the request ID below in its log.",
            _BROKEN,
        )
    return page(request, error.status, error.message)


def unavailable(request: HttpRequest, error: Unavailable) -> HttpResponse:
    """Render `unavailable.html`, which reloads after `retry_after` seconds."""
    seconds = max(1, round(error.retry_after or 1))
    message = f"{error.message} Running jobs continue. This page reloads automatically."
    response = _rendered(
        request,
        "unavailable.html",
        503,
        "Server busy" if error.is_busy else "Orchestrator unreachable",
        message,
        retry_after=seconds,
        now=utc_now(),
        is_busy=error.is_busy,
    )
    response["Retry-After"] = str(seconds)
    return response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's `handler400`."""
    return page(request, 400, "The request is invalid. Go back and try again.")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's `handler403`."""
    return page(request, 403, "You do not have permission. Ask a maintainer of the project.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's `handler404`: the same page for a missing and a forbidden address."""
    return page(request, 404, NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`.

    The log has the cause under the request ID. A full disk gets its own message, because uploads
    are spooled to disk.
    """
    if (full := as_storage_error(sys.exc_info()[1])) is not None:
        return page(request, full.status, full.message)
    return page(request, 500, "Find the request ID below in the server log.", _BROKEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's `CSRF_FAILURE_VIEW`, usually for a form left open during a sign-in or sign-out.

    A form of this site (by its Origin header) keeps its fields. A form of another site is never
    offered again.
    """
    if saved_form.is_same_origin(request) and not request.path.startswith(
        ("/signin/", "/signout/")
    ):
        if session.current(request) is None:
            return session.to_sign_in(request)
        form = saved_form.from_request(request)
        if saved_form.to_json(form):
            return saved_form.resend_page(
                request,
                form,
                saved_form.referring_page(request),
                "This form was out of date",
                status=403,
            )
    return page(
        request,
        403,
        "This form is out of date. Go back, reload the page, and send the form again.",
        "Send it again",
    )


def request_id(request: HttpRequest) -> str:
    """ID of the request in the logs of both roles."""
    return request.headers.get("X-Request-ID", "")


def _rendered(
    request: HttpRequest, template: str, status: int, title: str, message: str, **more: object
) -> HttpResponse:
    if "application/json" in request.headers.get("Accept", ""):
        body = json.dumps({"code": f"http_{status}", "message": message, "detail": {}})
        return HttpResponse(
            body,
            status=status,
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )
    context = {
        "title": title,
        "message": message,
        "status": status,
        "request_id": request_id(request),
        **more,
    }
    try:
        response = HttpResponse(render_to_string(template, context, request), status=status)
    except TemplateDoesNotExist:
        response = HttpResponse(
            f"{title}\n\n{message}\n", status=status, content_type="text/plain; charset=utf-8"
        )
    response["Cache-Control"] = "no-store"
    return response
