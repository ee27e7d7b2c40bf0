"""Middleware of both roles: a path without its trailing slash is served, not redirected.

A client that follows a 301 repeats a POST as a GET (RFC 9110, section 15.4.2), so a redirect would
drop the request's body.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import is_valid_path

PROGRAMS = ("/api/", "/worker/")  # never redirected, not even GET
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


class TrailingSlash:
    """Add the missing slash before anything reads the path.

    Pages keep Django's redirect for GET, which loses nothing.
    """

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _is_meant_with_slash(request):
            request.path += "/"
            request.path_info += "/"
        return self._get_response(request)


def _is_meant_with_slash(request: HttpRequest) -> bool:
    path = request.path_info
    if path.endswith("/") or (request.method in _SAFE_METHODS and not path.startswith(PROGRAMS)):
        return False
    return not _is_answered(path) and _is_answered(f"{path}/")


def _is_answered(path: str) -> bool:
    """Whether a view exists. The admin's catch-all view only redirects paths without a slash."""
    match = is_valid_path(path)
    return match is not False and getattr(match.func, "__name__", "") != "catch_all_view"
