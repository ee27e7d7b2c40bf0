"""Django middleware of the pages: static files, headers on every page, and the API's errors as pages."""

from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

from mimir.frontend import errors
from mimir.frontend.client import ApiError, SignedOut
from mimir.frontend.session import posted_by_script, to_sign_in

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_log = structlog.get_logger(__name__)


class StaticMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise, with each small file as one piece: under ASGI Django would warn about its blocking iterator and read it whole too."""

    @staticmethod
    def serve(static_file: object, request: HttpRequest) -> HttpResponseBase:
        """A file's answer; 304 and HEAD have no body but keep their headers."""
        streamed = WhiteNoiseMiddleware.serve(static_file, request)
        body = b"".join(streamed.streaming_content)
        streamed.close()
        response = HttpResponse(body, status=streamed.status_code)
        del response["Content-Type"]
        for name, value in streamed.items():
            response[name] = value
        return response


class PageHeadersMiddleware:
    """The content security policy, and no caching of pages unless they say so themselves: they show what one user may see."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        self._secure = urlsplit(settings.ENV.public_url).scheme == "https"

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", self._policy(request))
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _policy(self, request: HttpRequest) -> str:
        """Only from here; sockets too: not every browser's `'self'` means ws:// as well as http://."""
        try:
            socket = f" {'wss' if self._secure else 'ws'}://{request.get_host()}"
        except DisallowedHost:
            socket = ""
        return (
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src 'self'{socket}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )


class ApiErrorMiddleware:
    """What a view let through of the API's errors: to the sign-in page, or a page that says what to do."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django's hook. None: not ours."""
        if isinstance(exception, SignedOut):
            if not posted_by_script(request):
                request.session.flush()
            return to_sign_in(request)
        if isinstance(exception, ApiError):
            if exception.status >= 500:
                _log.warning(
                    "api_failed",
                    status=exception.status,
                    code=exception.code,
                    cause=repr(exception.__cause__),
                )
            return errors.for_api_error(request, exception)
        return None
