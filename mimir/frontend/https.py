"""TLS rules: HSTS, redirect from http://, permissions policy. The outermost ASGI layer."""

from urllib.parse import urlsplit

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
from mimir.lib.errors import PermissionDenied

HSTS = b"max-age=31536000"
PERMISSIONS = (
    b"accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), "
    b"fullscreen=(self), geolocation=(), gyroscope=(), "
    b"magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), "
    b"screen-wake-lock=(), usb=(), xr-spatial-tracking=()"
)
_PROBES = ("/health", "/health/", "/ready", "/ready/")  # a kubelet probes over plain HTTP


class Https:
    """Redirect HTTP to HTTPS and set HSTS if PUBLIC_URL is https.

    A WebSocket without TLS is refused before its credentials are read.

    The scheme comes from X-Forwarded-Proto, which a client can forge. It only decides whether a
    request is redirected or refused, so a forged value harms only that client. Use `redirect=False`
    behind a TLS proxy that does not send the header.
    """

    def __init__(self, application: Application, public_url: str, *, redirect: bool) -> None:
        self._application = application
        self._public = urlsplit(public_url)
        self._secure = self._public.scheme == "https"
        self._redirects = redirect and self._secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and self._redirects and not _came_by_tls(scope):
            await self._refuse_socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._with_ours(message.get("headers", []))}
            await send(message)

        if self._redirects and scope["path"] not in _PROBES and not _came_by_tls(scope):
            await self._refuse(scope, send_with_headers)
            return
        await self._application(scope, receive, send_with_headers)

    def _with_ours(self, headers: list[Header]) -> list[Header]:
        given = {name.lower() for name, _ in headers}
        ours = [(b"permissions-policy", PERMISSIONS)]
        if self._secure:
            ours.append((b"strict-transport-security", HSTS))
        return [*headers, *(pair for pair in ours if pair[0] not in given)]

    async def _refuse(self, scope: Scope, send: Send) -> None:
        """Redirect a page request to its https address.

        A request with a body or credentials is refused: a redirect would hide that they were sent
        in clear text.
        """
        if scope["method"] not in ("GET", "HEAD") or header(scope, b"authorization"):
            await send_json_error(send, self._tls_required(scope, self._public.geturl(), "http"))
            return
        query = scope.get("query_string", b"")
        target = scope["raw_path"] + (b"?" + query if query else b"")
        location = f"https://{self._public.netloc}".encode() + target
        headers = [
            (b"location", location),
            (b"content-length", b"0"),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 308, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _refuse_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the handshake, with the reason if the server can send one.

        There is no redirect: few WebSocket clients follow it.
        """
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close"})
            return

        async def send_refusal(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._with_ours(message["headers"])}
            await send({**message, "type": f"websocket.{message['type']}"})

        address = f"wss://{self._public.netloc}"
        await send_json_error(send_refusal, self._tls_required(scope, address, "ws"))

    @staticmethod
    def _tls_required(scope: Scope, address: str, scheme: str) -> PermissionDenied:
        message = f"Use {address}: this site does not accept {scheme}."
        if header(scope, b"authorization"):
            message += " The token was sent unencrypted: replace it."
        return PermissionDenied(message, code="tls_required")


def _came_by_tls(scope: Scope) -> bool:
    if scope.get("scheme") in ("https", "wss"):
        return True
    return header(scope, b"x-forwarded-proto").rpartition(",")[2].strip().lower() in (
        "https",
        "wss",
    )
