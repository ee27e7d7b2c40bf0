"""Middleware of the orchestrator's web process."""

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django_structlog.middlewares import RequestMiddleware
from structlog.contextvars import bind_contextvars

from mimir.api.errors import error_headers
from mimir.lib.errors import MimirError

WORKER_PATH = "/worker/v1/"
WORKER_HOST = "worker-api.invalid"  # in ALLOWED_HOSTS; no DNS server knows names below .invalid


class WorkerHost:
    """Accepts every Host in requests of workers.

    Each cluster can have its own orchestrator URL, so the host of a request can be any name.
    Requests are authenticated by a token, and no response contains the host.
    """

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(WORKER_PATH):
            request.META["HTTP_HOST"] = WORKER_HOST
        return self._get_response(request)


class RequestLog(RequestMiddleware):
    """Logs requests with the client address that `mimir.api.port_access` has verified.

    The base class looks for it in headers, which takes 3% of the CPU time of a worker's request.
    """

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        """Add the address to the log lines of this request."""
        bind_contextvars(ip=request.META.get("REMOTE_ADDR"))


current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


class CurrentRequest:
    """Provides the current request to the audit log; renders errors outside API views."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = current_request.set(request)
        try:
            return self._get_response(request)
        finally:
            current_request.reset(token)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django hook. Returns None for other errors, and in the API, where DRF handles them."""
        if not isinstance(exception, MimirError) or request.path.startswith(("/api/", "/worker/")):
            return None
        headers = {**error_headers(exception), "Cache-Control": "no-store"}
        return HttpResponse(
            exception.message,
            status=exception.status,
            content_type="text/plain; charset=utf-8",
            headers=headers,
        )


class SecurityHeaders:
    """Headers of every response: no caching of the API, and only own scripts in admin and docs."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if request.path.startswith("/admin/static/"):
            return response  # the same for everybody, and cached
        response.headers.setdefault("Cache-Control", "no-store")
        patch_vary_headers(response, ("Cookie", "Authorization"))
        response.headers.setdefault(
            "Content-Security-Policy", POLICY if _is_html(response) else DATA_POLICY
        )
        return response


# Django's admin and Swagger's page need no inline script or style. Images of Swagger's style sheet
# are data: URLs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src "
    "'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DATA_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
)


def _is_html(response: HttpResponse) -> bool:
    return str(response.headers.get("Content-Type", "")).startswith("text/html")
