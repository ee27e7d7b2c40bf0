"""A page for everything that goes wrong: what happened, what to do, and the request's id for whoever reads the log."""

import json
import sys

from django.http import HttpRequest, HttpResponse
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string

from mimir.frontend import saved_form, session
from mimir.frontend.client import ApiError, Unavailable
from mimir.lib.clock import utc_now
from mimir.lib.disks import as_storage_error

_TITLES = {
    400: "This cannot be read",
    403: "You may not do this",
    404: "Not found",
    409: "It has changed meanwhile",
    412: "It has changed meanwhile",
    413: "Too large",
    507: "The disk is full",
    429: "Too many at once",
}
_NOT_FOUND = "Not here, or not yours. Check the address, or ask a maintainer of the project."
_API_NOT_FOUND = "There is nothing here."  # what the API says where it gives no reason of its own
_BROKEN = "Something is broken here"


def page(request: HttpRequest, status: int, message: str, title: str | None = None) -> HttpResponse:
    """`error.html` with `title`, `message`, `request_id`; plain text when even the template cannot be rendered."""
    return _rendered(request, "error.html", status, title or _TITLES.get(status, _BROKEN), message)


def for_api_error(request: HttpRequest, error: ApiError) -> HttpResponse:
    """The page for an error of the API that no view wanted for itself."""
    if isinstance(error, Unavailable):
        return unavailable(request, error)
    if error.code == "storage_full":
        return page(request, 507, error.message)
    if error.code == "bad_answer" or error.status >= 500:
        return page(
            request,
            502,
            "The orchestrator answered with an error of its own. Its log says more.",
            _BROKEN,
        )
    return page(
        request,
        error.status,
        _NOT_FOUND if error.status == 404 and error.message == _API_NOT_FOUND else error.message,
    )


def unavailable(request: HttpRequest, error: Unavailable) -> HttpResponse:
    """`unavailable.html`, which also has `retry_after`: the whole seconds after which the page is to ask again."""
    seconds = max(1, round(error.retry_after or 1))
    message = f"{error.message} Jobs that run go on. This page asks again by itself."
    response = _rendered(
        request,
        "unavailable.html",
        503,
        "Not reachable",
        message,
        retry_after=seconds,
        now=utc_now(),
    )
    response["Retry-After"] = str(seconds)
    return response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's `handler400`."""
    return page(request, 400, "The request cannot be read. Go back and try again.")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's `handler403`."""
    return page(request, 403, "You may not do this. Ask a maintainer of the project.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's `handler404`: the same page as for what one may not see."""
    return page(request, 404, _NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: the cause is in the log, under the request's id. A full disk of our own, where uploads wait, is told."""
    if (full := as_storage_error(sys.exc_info()[1])) is not None:
        return page(request, full.status, full.message)
    return page(request, 500, "The log says more under the id below.", _BROKEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's `CSRF_FAILURE_VIEW`: most often a form that was open while somebody signed in or out.

    A form of our own page, by the browser's Origin header, keeps its fields; one from elsewhere is never offered again.
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
        "This form is out of date. Go back, load the page again, and send it once more.",
        "Send it again",
    )


def request_id(request: HttpRequest) -> str:
    """The id under which the logs of both roles know this request."""
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
