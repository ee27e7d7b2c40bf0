"""Forward one WebSocket: accept after the orchestrator accepts, close with the first close code."""

import asyncio
import logging
from typing import Any
from urllib.parse import urlsplit

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import Close
from websockets.typing import Origin, Subprotocol

from mimir.frontend.proxy.rules import proof_of
from mimir.lib.asgi import Receive, Scope, Send, header

_log = structlog.get_logger(__name__)

OPEN_SECONDS = 5.0
PING_SECONDS, PONG_SECONDS = (
    5.0,
    5.0,
)  # a hung orchestrator keeps its connections open; it is detected after both times
MESSAGE_BYTES_MAX = 16 * 1024 * 1024  # the limit of our own server, too
QUEUE_FRAMES = 4  # buffered for a slow browser; beyond that, the orchestrator must wait
NOT_SIGNED_IN, FOREIGN_ORIGIN, NOT_THERE = 4401, 4403, 4404
NORMAL, INTERNAL_ERROR, AWAY = 1000, 1011, 1013
_REFUSED = {401: NOT_SIGNED_IN, 403: FOREIGN_ORIGIN, 404: NOT_THERE}
_PASSED_HEADERS = (
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-request-id",
    b"accept-language",
    b"user-agent",
)
# At debug level this logger writes whole handshakes, tokens included.
logging.getLogger("websockets.client").setLevel(logging.WARNING)


class _Connect(connect):
    """WebSocket client that follows no redirect: the token goes to the orchestrator only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class SocketProxy:
    """WebSocket proxy to the orchestrator at `url` (http or https)."""

    def __init__(self, url: str, *, keys: tuple[str, ...]) -> None:
        parts = urlsplit(url)
        self._keys = keys
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)

    async def forward(
        self, scope: Scope, receive: Receive, send: Send, *, authorization: str
    ) -> None:
        """Connect the client's socket to the orchestrator with the given authorization."""
        await receive()  # websocket.connect
        try:
            upstream = await self._open(scope, authorization)
        except InvalidStatus as error:
            status = error.response.status_code
            _log.info("socket_refused", path=scope["path"], status=status)
            await accept_and_close(
                send, _REFUSED.get(status, AWAY if status >= 500 else INTERNAL_ERROR), ""
            )
            return
        except (OSError, InvalidHandshake, EOFError) as error:
            _log.warning("orchestrator_away", path=scope["path"], error=type(error).__name__)
            await accept_and_close(send, AWAY, "The orchestrator does not answer.")
            return
        try:
            await send({"type": "websocket.accept", "subprotocol": upstream.subprotocol})
            await _join(upstream, receive, send)
        except OSError:
            pass  # the client disconnected: uvicorn raises when something is sent to it
        finally:
            await upstream.close(AWAY)  # no effect if it is closed already

    async def _open(self, scope: Scope, authorization: str) -> ClientConnection:
        query = scope.get("query_string", b"")
        target = (scope["raw_path"] + (b"?" + query if query else b"")).decode("ascii")
        passed = [
            (name.decode(), value) for name in _PASSED_HEADERS if (value := header(scope, name))
        ]
        name, proof = proof_of(scope, self._keys)
        passed.append((name.decode(), proof.decode()))
        tls: dict[str, Any] = {"server_hostname": self._host} if self._secure else {}
        return await _Connect(
            # The Host is the public one; the connection always goes to the orchestrator.
            f"{'wss' if self._secure else 'ws'}://{header(scope, b'host')}{target}",
            host=self._host,
            port=self._port,
            origin=Origin(header(scope, b"origin")) if header(scope, b"origin") else None,
            subprotocols=[Subprotocol(name) for name in scope.get("subprotocols", [])] or None,
            additional_headers=[("Authorization", authorization), *passed],
            user_agent_header=None,
            compression=None,  # between two processes of one cluster
            proxy=None,
            open_timeout=OPEN_SECONDS,
            ping_interval=None,  # `_until_silent` sends the pings
            close_timeout=2,
            max_size=MESSAGE_BYTES_MAX,
            max_queue=QUEUE_FRAMES,
            **tls,
        )


async def accept_and_close(send: Send, code: int, reason: str) -> None:
    """Refuse a socket with a code.

    The socket is accepted first: browsers hide the status of a failed handshake.
    """
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": code, "reason": reason})


async def _join(upstream: ClientConnection, receive: Receive, send: Send) -> None:
    """Forward messages both ways until one side closes.

    Each direction waits until the receiver has taken the last message (back-pressure).
    """
    flow = _Flow()
    silent = asyncio.create_task(_until_silent(upstream, flow))
    tasks = (
        asyncio.create_task(_to_orchestrator(upstream, receive)),
        asyncio.create_task(_to_client(upstream, send, flow)),
        silent,
    )
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    if not silent.cancelled():
        await send(
            {"type": "websocket.close", "code": AWAY, "reason": "The orchestrator does not answer."}
        )


class _Flow:
    """Messages sent to the client, and whether one is waiting for the client to take it."""

    def __init__(self) -> None:
        self.messages, self.waits = 0, False


async def _until_silent(upstream: ClientConnection, flow: _Flow) -> None:
    """Return when the orchestrator stops answering pings.

    While a client reads slowly, the pong is queued behind its messages, so a missing pong proves
    nothing.
    """
    while True:
        await asyncio.sleep(PING_SECONDS)
        before = flow.messages
        if flow.waits:
            continue
        try:
            pong = asyncio.ensure_future(await upstream.ping())
            await asyncio.wait((pong,), timeout=PONG_SECONDS)
        except ConnectionClosed:
            await asyncio.Event().wait()  # `_to_client` closes the client's socket with the code
        if not pong.done() and not flow.waits and flow.messages == before:
            return


async def _to_orchestrator(upstream: ClientConnection, receive: Receive) -> None:
    while True:
        message = await receive()
        try:
            if message["type"] == "websocket.disconnect":
                await upstream.close(
                    sendable(message.get("code") or NORMAL), message.get("reason") or ""
                )
                return
            text, data = message.get("text"), message.get("bytes")
            await upstream.send(text if text is not None else data or b"")
        except ConnectionClosed:
            # `_to_client` closes the client's socket with the code.
            await asyncio.Event().wait()


async def _to_client(upstream: ClientConnection, send: Send, flow: _Flow) -> None:
    try:
        while True:
            message = await upstream.recv()
            flow.messages += 1
            kind = "text" if isinstance(message, str) else "bytes"
            flow.waits = True
            await send({"type": "websocket.send", kind: message})
            flow.waits = False
    except ConnectionClosed as error:
        code, reason = _how_closed(error.rcvd, error.sent)
        await send({"type": "websocket.close", "code": code, "reason": reason})


def _how_closed(received: Close | None, sent: Close | None) -> tuple[int, str]:
    """Return close code and reason for the client.

    A broken or silent connection gives AWAY (1013, try again later).
    """
    if received is not None:
        return sendable(received.code), received.reason
    if sent is not None and sent.code in (1002, 1007, 1009):
        return sent.code, sent.reason
    return AWAY, "The orchestrator does not answer."


def sendable(code: int) -> int:
    """Return a close code that is valid in a frame (RFC 6455, section 7.4).

    1005 means "no code", which is a normal close.
    """
    if code in (1005, 1000):
        return NORMAL
    if code in (1001, 1002, 1003) or 1007 <= code <= 1014 or 3000 <= code <= 4999:
        return code
    return AWAY
