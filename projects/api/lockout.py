"""Too many wrong passwords for one user name from one address: what the API and the admin's sign-in answer while that lasts."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from mimir.api.errors import error_headers, error_response
from mimir.lib.errors import TooMany

LOCKED_SECONDS = 15 * 60


def locked() -> TooMany:
    """The error while a sign-in is locked."""
    return TooMany("Too many wrong passwords. Wait a quarter of an hour.", code="locked", retry_after_seconds=LOCKED_SECONDS)


def locked_out(request: HttpRequest, original_response: Any = None, credentials: Any = None) -> HttpResponse:
    """django-axes' AXES_LOCKOUT_CALLABLE: replaces the answer to the wrong password that was one too many."""
    error = locked()
    if request.path.startswith("/api/"):
        return error_response(error)
    return HttpResponse(error.message, status=error.status, content_type="text/plain; charset=utf-8", headers=error_headers(error))
