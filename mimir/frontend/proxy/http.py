"""Forward one HTTP request to the orchestrator and stream the answer back.

At most a few pieces of a body are in memory.
"""

import asyncio
from collections.abc import AsyncIterator

import httpx
import structlog

from mimir.frontend.proxy.rules import Target, proof_of, request_headers, response_headers
from mimir.frontend.proxy.slots import TOTAL
from mimir.lib.asgi import Header, Scope, Send, header, send_json_error
from mimir.lib.bodies import (
    SMALL_BYTES,
    STRANGER_BYTES_MAX,
    ClientGone,
    Pieces,
    body_length,
    too_large,
)
from mimir.lib.errors import MimirError

_log = structlog.get_logger(__name__)

CONNECT_SECONDS = 2.0
READ_SECONDS = 120.0  # without data; the API's own long polls end after 30 s
UPLOAD_READ_SECONDS = 600.0
WRITE_SECONDS = 60.0  # while the orchestrator does not read
RETRY_SECONDS = 2
_LIMITS = httpx.Limits(
    max_connections=TOTAL, max_keepalive_connections=32, keepalive_expiry=3.0
)  # idle connections expire before the orchestrator closes them (75 s, see `mimir.serve`)
_BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS"))


class ProxyBody:
    """Body of a request.

    `length` is None if unknown and 0 if there is none; `start` is the part already received.
    """

    def __init__(self, pieces: Pieces, length: int | None, start: bytes) -> None:
        self.length, self._pieces, self._start = length, pieces, start
        self._done = asyncio.Event()
        if pieces.complete:
            self._done.set()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the body. The next piece is read from the client after the previous was forwarded.

        Raises: ClientGone, MimirError.
        """
        try:
            if self._start:
                yield self._start
            async for piece in self._pieces:
                yield piece
        finally:
            self._done.set()

    async def client_gone(self) -> None:
        """Return when the client disconnects.

        After the body has been consumed, keep reading to detect a disconnect.
        """
        await self._done.wait()
        while (await self._pieces.receive())["type"] != "http.disconnect":
            pass


async def taken_body(scope: Scope, pieces: Pieces, *, has_credentials: bool) -> ProxyBody:
    """Return the body of a request.

    A small body is read completely first, so that a slow client does not hold a slot meanwhile.

    Raises: ClientGone, MimirError.
    """
    length = body_length(scope)
    limit = SMALL_BYTES if has_credentials else STRANGER_BYTES_MAX
    if length is not None and length > pieces.max_bytes:
        raise too_large(pieces.max_bytes)
    if length is not None and length > limit and has_credentials:
        return ProxyBody(pieces, length, b"")
    if length is not None and length > limit:
        raise too_large(limit)
    start = await pieces.collect(limit)
    if pieces.complete:
        return ProxyBody(pieces, len(start), start)
    if not has_credentials:
        raise too_large(limit)
    return ProxyBody(pieces, None, start)


class HttpProxy:
    """Connections to one orchestrator."""

    def __init__(
        self, url: str, *, keys: tuple[str, ...], read_seconds: float = READ_SECONDS
    ) -> None:
        self._url = httpx.URL(url)
        self._keys = keys
        self._read_seconds = read_seconds
        self._transport: httpx.AsyncHTTPTransport | None = None

    async def close(self) -> None:
        """Close every connection. A later request opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def forward(
        self, scope: Scope, body: ProxyBody, send: Send, *, where: Target, credentials: list[Header]
    ) -> None:
        """Forward the request with `credentials` (Authorization or Cookie), and the answer back.

        A client that disconnects cancels both.
        """
        relay = asyncio.create_task(self._relay(scope, body, send, where, credentials))
        watch = asyncio.create_task(body.client_gone())
        try:
            await asyncio.wait((relay, watch), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (watch, relay):
                task.cancel()
            await asyncio.gather(relay, watch, return_exceptions=True)
        if (
            not relay.cancelled()
            and (error := relay.exception()) is not None
            and not isinstance(error, ClientGone)
        ):
            raise error

    async def _relay(
        self, scope: Scope, body: ProxyBody, send: Send, where: Target, credentials: list[Header]
    ) -> None:
        try:
            response = await self._ask(scope, body, credentials)
        except MimirError as error:
            await send_json_error(send, error, close=False)
            return
        except httpx.TransportError as error:
            _log.warning("orchestrator_away", path=scope["path"], error=type(error).__name__)
            await send_json_error(send, _unavailable(error))
            return
        try:
            headers = response_headers(response.headers.raw, where)
            await send(
                {"type": "http.response.start", "status": response.status_code, "headers": headers}
            )
            async for part in response.aiter_raw():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except httpx.TransportError as error:
            # Without a final message the server drops the connection: the client sees a truncated
            # answer.
            _log.warning("answer_broken", path=scope["path"], error=type(error).__name__)
        finally:
            await response.aclose()

    async def _ask(
        self, scope: Scope, body: ProxyBody, credentials: list[Header]
    ) -> httpx.Response:
        """Send the request and return the response, its body unread.

        A GET, HEAD or OPTIONS request without a body is retried once if the connection breaks:
        a kept-alive connection can have been closed.
        """
        transport = self._transport = self._transport or self._new_transport()
        try:
            return await transport.handle_async_request(self._request(scope, body, credentials))
        except _BROKEN:
            if scope["method"] not in _REPEATABLE or body.length != 0:
                raise
        return await transport.handle_async_request(self._request(scope, body, credentials))

    def _new_transport(self) -> httpx.AsyncHTTPTransport:
        # Loading CA certificates takes about 0.2 s; skip it for plain HTTP.
        return httpx.AsyncHTTPTransport(
            limits=_LIMITS, trust_env=False, verify=self._url.scheme == "https"
        )

    def _request(self, scope: Scope, body: ProxyBody, credentials: list[Header]) -> httpx.Request:
        headers = [
            *request_headers(scope["headers"]),
            *credentials,
            (b"host", header(scope, b"host").encode("latin-1")),
        ]
        headers.append(proof_of(scope, self._keys))
        if body.length or _declares_length(scope):
            headers.append((b"content-length", str(body.length).encode()))
        query = scope.get("query_string", b"")
        read_seconds = (
            self._read_seconds if body.length == 0 else max(self._read_seconds, UPLOAD_READ_SECONDS)
        )
        return httpx.Request(
            scope["method"],
            self._url,
            headers=headers,
            content=body.parts() if body.length != 0 else None,
            extensions={
                # The request target exactly as it was checked: httpx would normalize it.
                "target": scope["raw_path"] + (b"?" + query if query else b""),
                "timeout": {
                    "connect": CONNECT_SECONDS,
                    "pool": CONNECT_SECONDS,
                    "read": read_seconds,
                    "write": WRITE_SECONDS,
                },
            },
        )


def _declares_length(scope: Scope) -> bool:
    names = {name.lower() for name, _ in scope["headers"]}
    return b"content-length" in names and b"transfer-encoding" not in names


def _unavailable(error: httpx.TransportError) -> MimirError:
    late = isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout)
    what = "did not answer in time" if late else "does not answer"
    return MimirError(
        f"The orchestrator {what}. Try again in a moment. Running jobs continue.",
        code="unavailable",
        status=504 if late else 503,
        retry_after_seconds=RETRY_SECONDS,
    )
