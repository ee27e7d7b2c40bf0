"""ASGI application in front of Django: route `/api`, `/ws`, `/admin` to the proxy, others to pages.

Plain ASGI: a Django view would write a whole upload to disk before it forwarded the first byte.
"""

import re
import uuid
from dataclasses import dataclass
from time import monotonic
from typing import Any

import structlog
from django.http import HttpRequest, parse_cookie
from django.http.request import split_domain_port, validate_host
from django.middleware.csrf import CsrfViewMiddleware

from mimir.frontend.https import Https
from mimir.frontend.proxy.http import HttpProxy, taken_body
from mimir.frontend.proxy.rules import Target, admin_cookies, own_origins, target
from mimir.frontend.proxy.slots import Rank, Slots
from mimir.frontend.proxy.websocket import (
    AWAY,
    FOREIGN_ORIGIN,
    NOT_SIGNED_IN,
    SocketProxy,
    accept_and_close,
)
from mimir.frontend.session import SessionUser, read_cookie
from mimir.lib.asgi import (
    Application,
    Header,
    Message,
    Receive,
    Scope,
    Send,
    header,
    send_json_error,
)
from mimir.lib.bodies import (
    ENVELOPE_BYTES,
    STRANGER_BYTES_MAX,
    ClientGone,
    Intake,
    Misframed,
    Pieces,
    Rule,
    spool_budget,
    too_large,
)
from mimir.lib.clients import PerClient, SignIns, client_of
from mimir.lib.errors import MimirError, NotFound, PermissionDenied, TooMany
from mimir.lib.forwarded import ForwardedHeaders
from mimir.lib.site_address import origin_of

_log = structlog.get_logger(__name__)

_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_QUIET = ("/health", "/ready", "/static/")  # polled often: logged at debug level
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Settings of the proxy. `allowed_hosts` and the cookie name are Django's."""

    api_url: str
    public_url: str
    allowed_hosts: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    max_upload_bytes: int
    upload_spool_bytes: int
    requests_per_client: int
    sockets_per_client: int
    session_cookie: str
    frontend_keys: tuple[str, ...]
    https_redirect: bool = True


def in_front_of(pages: Application, settings: ProxySettings) -> Application:
    """Build the ASGI application: TLS rules, client address, request ID, then routing."""
    settled = ForwardedHeaders(
        RequestIdMiddleware(ProxyRouter(pages, settings)), trusted=settings.trusted_proxies
    )
    return Https(settled, settings.public_url, redirect=settings.https_redirect)


class RequestIdMiddleware:
    """Assign a request ID (a valid upstream X-Request-ID is kept) and log each request."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return
        given = header(scope, b"x-request-id")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        own: Header = (b"x-request-id", request_id.encode())
        scope = {
            **scope,
            "headers": [*(pair for pair in scope["headers"] if pair[0].lower() != own[0]), own],
        }
        started_at, status = monotonic(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                kept = [pair for pair in message.get("headers", []) if pair[0].lower() != own[0]]
                message = {**message, "headers": [*kept, own]}
            await send(message)

        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._application(scope, receive, send_with_id)
        finally:
            if scope["type"] == "http":
                taken_ms = round((monotonic() - started_at) * 1000, 1)
                log = _log.debug if scope["path"].startswith(_QUIET) else _log.info
                log(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    duration_ms=taken_ms,
                )


class ProxyRouter:
    """Route a request and find its credentials."""

    def __init__(self, pages: Application, settings: ProxySettings) -> None:
        self._pages = Intake(pages, self._page_rule)
        self._settings = settings
        self._max_bytes = settings.max_upload_bytes + ENVELOPE_BYTES
        self._spool = spool_budget(settings.upload_spool_bytes, settings.max_upload_bytes)
        self._slots = Slots(per_client=settings.requests_per_client)
        self._sign_ins = SignIns()
        self._open_sockets = PerClient("live connections", settings.sockets_per_client)
        self._http = HttpProxy(settings.api_url, keys=settings.frontend_keys)
        self._sockets = SocketProxy(settings.api_url, keys=settings.frontend_keys)
        self._origins = own_origins(settings.public_url, settings.allowed_hosts)
        self._csrf = CsrfViewMiddleware(_never_called)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._http.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        where = target(scope["raw_path"])
        try:
            if where is Target.PAGES:
                await self._pages(scope, receive, send)
                return
            if where not in (Target.API, Target.ADMIN):
                raise NotFound()
            self._check_host(scope)
            credentials = (
                self._admin_credentials(scope)
                if where is Target.ADMIN
                else self._api_credentials(scope)
            )
            with self._sign_ins.of(scope):
                pieces = Pieces(receive, self._max_bytes)
                body = await taken_body(scope, pieces, has_credentials=bool(credentials))
                with self._slots.taken(client_of(scope), rank=self._rank(scope, credentials)):
                    await self._http.forward(
                        scope, body, send, where=where, credentials=credentials
                    )
        except ClientGone:
            return
        except MimirError as error:
            await send_json_error(send, error, close=isinstance(error, Misframed))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a WebSocket.

        A refusal that a page can act on is sent after accepting: browsers hide the status of a
        failed handshake.
        """
        allowed = target(scope["raw_path"]) is Target.SOCKET and self._is_our_host(scope)
        if not allowed:
            await receive()
            await send({"type": "websocket.close"})
            return
        authorization = header(scope, b"authorization")
        if not authorization:
            user = self._user(scope)
            foreign = (
                self._has_session_cookie(scope)
                and origin_of(header(scope, b"origin")) not in self._origins
            )
            if foreign or user is None:
                await receive()
                code, reason = (
                    (FOREIGN_ORIGIN, "Requests from this origin are not allowed.")
                    if foreign
                    else (NOT_SIGNED_IN, "Sign in again.")
                )
                await accept_and_close(send, code, reason)
                return
            authorization = f"Bearer {user.token}"
        try:
            with self._open_sockets.taken(client_of(scope)):
                await self._sockets.forward(scope, receive, send, authorization=authorization)
        except TooMany as error:
            await receive()
            await accept_and_close(send, AWAY, error.message)

    def _rank(self, scope: Scope, credentials: list[Header]) -> Rank:
        """Return the authentication level of the client.

        A session cookie is signed by this frontend; a bearer token is unverified until the
        orchestrator checks it.
        """
        if not credentials:
            return Rank.STRANGER
        return (
            Rank.CLAIMED
            if header(scope, b"authorization") or self._user(scope) is None
            else Rank.SIGNED_IN
        )

    def _api_credentials(self, scope: Scope) -> list[Header]:
        """Return the given Authorization header, else the session's token.

        For an unsafe method, the session's token is used only if a page of this site sent the
        request. Raises: PermissionDenied.
        """
        given = header(scope, b"authorization")
        if given:
            return [(b"authorization", given.encode("latin-1"))]
        user = self._user(scope)
        if user is None:
            return []
        if scope["method"] not in _SAFE_METHODS:
            self._check_own_page(scope)
        return [(b"authorization", f"Bearer {user.token}".encode("ascii"))]

    def _admin_credentials(self, scope: Scope) -> list[Header]:
        """Return the admin's own cookies.

        Django checks the admin's CSRF token in the orchestrator.
        """
        cookies = admin_cookies(header(scope, b"cookie"))
        return [(b"cookie", cookies.encode("latin-1"))] if cookies else []

    def _check_own_page(self, scope: Scope) -> None:
        """Check that a page of this site sent the request, by Origin (or Referer) and CSRF token.

        Raises: PermissionDenied.
        """
        origin = header(scope, b"origin") or header(scope, b"referer")
        if origin_of(origin) not in self._origins:
            raise PermissionDenied(
                "This request does not come from a page of this site (Origin header).",
                code="csrf_failed",
            )
        request = HttpRequest()
        request.method, request.path = scope["method"], scope["path"]
        request.COOKIES = self._cookies(scope)
        request.META = {
            "HTTP_HOST": header(scope, b"host"),
            "HTTP_ORIGIN": origin_of(origin),
            "HTTP_X_CSRFTOKEN": header(scope, b"x-csrftoken"),
            "HTTP_X_FORWARDED_PROTO": header(scope, b"x-forwarded-proto"),
        }
        self._csrf.process_request(request)
        if self._csrf.process_view(request, _never_called, (), {}) is not None:
            raise PermissionDenied(
                "The page is out of date. Reload it and try again.", code="csrf_failed"
            )

    def _page_rule(self, scope: Scope) -> Rule:
        """Return the body limits of a page request.

        Django spools a form's file to disk, so only signed-in users can send a large body.
        """
        signed_in = self._user(scope) is not None
        return Rule(
            self._max_bytes, self._spool, None if signed_in else too_large(STRANGER_BYTES_MAX)
        )

    def _check_host(self, scope: Scope) -> None:
        if not self._is_our_host(scope):
            raise MimirError("Unknown host name. Check PUBLIC_URL.")

    def _is_our_host(self, scope: Scope) -> bool:
        domain, _ = split_domain_port(header(scope, b"host"))
        return bool(domain) and validate_host(domain, self._settings.allowed_hosts)

    def _cookies(self, scope: Scope) -> dict[str, str]:
        return parse_cookie(header(scope, b"cookie"))

    def _has_session_cookie(self, scope: Scope) -> bool:
        return bool(self._cookies(scope).get(self._settings.session_cookie))

    def _user(self, scope: Scope) -> SessionUser | None:
        return read_cookie(self._cookies(scope).get(self._settings.session_cookie, ""))


def _never_called(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
    """View required by Django's CSRF middleware; only the middleware's check is used."""
    raise AssertionError("only the check is used")
