"""Django middleware of the pages: static files, page headers, API errors as pages."""

from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

from mimir.frontend import error_pages
from mimir.frontend.api_client import ApiError, SignedOut
from mimir.frontend.session import posted_by_script, to_sign_in

GetResponse = Callable[[HttpRequest], HttpResponseBase]

_log = structlog.get_logger(__name__)


class StaticMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise middleware without streaming: each response holds the complete file.

    Under ASGI, Django warns about WhiteNoise's synchronous iterator and reads it completely anyway.
    """

    @staticmethod
    def serve(static_file: object, request: HttpRequest) -> HttpResponseBase:
        """Return the response of one file. 304 and HEAD have headers but no body."""
        streamed = WhiteNoiseMiddleware.serve(static_file, request)
        body = b"".join(streamed.streaming_content)
        streamed.close()
        response = HttpResponse(body, status=streamed.status_code)
        del response["Content-Type"]
        for name, value in streamed.items():
            response[name] = value
        return response


class PageHeadersMiddleware:
    """Set the content security policy and forbid caching, unless the page set its own.

    Pages are private: each shows what one user can see.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        self._secure = urlsplit(settings.ENV.public_url).scheme == "https"

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", self._policy(request))
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _policy(self, request: HttpRequest) -> str:
        """Return a content security policy that allows only this site.

        The WebSocket origin is listed separately: in some browsers `'self'` covers http:// but not
        ws://. An IPv6 literal is not a valid source expression; for it, `'self'` must suffice.
        """
        try:
            host = request.get_host()
        except DisallowedHost:
            host = ""
        named = host and not host.startswith("[")
        socket = f" {'wss' if self._secure else 'ws'}://{host}" if named else ""
        return (
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            f"connect-src 'self'{socket}; object-src 'none'; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'none'"
        )


class ApiErrorMiddleware:
    """Turn an API error that a view did not handle into a page or a sign-in redirect."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django's hook. Return None for an exception that is not an API error."""
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
            return error_pages.for_api_error(request, exception)
        return None
