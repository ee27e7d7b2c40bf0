"""Middleware of the orchestrator's web."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class SameThread:
    """Last in the list, and not async: so nothing before it is either, and a request changes threads once.

    Without it Django runs every middleware that could be async as such, and each of their hooks goes to a thread and back.
    """

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)
