"""Minimal HTTP/1.1 server on asyncio, for the clients of the API server.

Supports persistent connections, bodies with Content-Length, and chunked watches.
"""

import asyncio
import hmac
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes.kubernetes.control import Control
from tests.fakes.kubernetes.http import Refused, Reply, Request
from tests.fakes.kubernetes.watch import Stream

MAX_BODY = 3 * 2**20
_REASONS = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    410: "Gone",
}


class Connection(asyncio.Protocol):
    """One client's connection: a request is answered before the next is read."""

    def __init__(self, control: Control, token: str) -> None:
        self._control, self._token = control, f"Bearer {token}"
        self._transport: Any = None
        self._data = b""
        self._chunks: list[bytes] = []
        self._busy = False
        self._last = False  # the client closes the connection after this request
        self._stream: Stream | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stream:
            self._stream.close()

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._next()

    def _next(self) -> None:
        while not self._busy and not self._transport.is_closing():
            try:
                request = self._take()
            except Refused as refused:
                self._transport.write(
                    _head(refused.code, len(refused.reply().body), refused.reply())
                    + refused.reply().body
                )
                self._transport.close()
                return
            if request is None:
                return
            self._answer(request)

    def _take(self) -> Request | None:
        """Return the next complete request, or None if it has not arrived. Raises: Refused."""
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._data[:end].decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        self._last = headers.get("connection", "").lower() == "close"
        if "transfer-encoding" in headers:
            raise Refused(411, "LengthRequired", "this fake wants a Content-Length")
        length = int(headers.get("content-length", "0"))
        if length > MAX_BODY:
            raise Refused(
                413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"
            )
        if len(self._data) < end + 4 + length:
            return None
        body, self._data = self._data[end + 4 : end + 4 + length], self._data[end + 4 + length :]
        method, target, _ = first.split(" ", 2)
        url = urlsplit(target)
        return Request(
            method,
            unquote(url.path),
            dict(parse_qsl(url.query, keep_blank_values=True)),
            headers,
            body,
        )

    def _answer(self, request: Request) -> None:
        if not hmac.compare_digest(request.headers.get("authorization", ""), self._token):
            self._write(Refused(401, "Unauthorized", "Unauthorized").reply())
        elif request.path.startswith("/fake/"):
            self._write(self._control.handle(request))
        else:
            answer = self._control.api.handle(request)
            self._busy = True
            if answer.delay_seconds:
                asyncio.get_running_loop().call_later(answer.delay_seconds, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: Reply | Stream) -> None:
        if isinstance(answer, Stream):
            self._follow(answer)
        else:
            self._write(answer)

    def _write(self, reply: Reply) -> None:
        if self._transport.is_closing():
            return
        if reply.lost:
            self._transport.abort()
            return
        self._transport.write(_head(reply.status, len(reply.body), reply) + reply.body)
        self._busy = False
        if self._last:
            self._transport.close()
        elif self._data:
            asyncio.get_running_loop().call_soon(self._next)

    def _follow(self, stream: Stream) -> None:
        if self._transport.is_closing():
            stream.close()
            return
        self._stream = stream
        head = (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-cache, "
            b"private\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        self._transport.write(head)
        stream.attach(self._chunk, self._finish)

    def _chunk(self, line: bytes) -> None:
        """Send all events that one request caused as one chunk, right after it."""
        if not self._chunks:
            asyncio.get_running_loop().call_soon(self._flush)
        self._chunks.append(b"%x\r\n%b\r\n" % (len(line), line))

    def _flush(self) -> None:
        chunks, self._chunks = self._chunks, []
        if chunks and not self._transport.is_closing():
            self._transport.write(b"".join(chunks))

    def _finish(self, broken: bool) -> None:
        self._flush()
        self._stream = None
        if self._transport.is_closing():
            return
        if broken:
            self._transport.abort()
            return
        self._transport.write(b"0\r\n\r\n")
        self._busy = False
        asyncio.get_running_loop().call_soon(self._next)


def _head(status: int, length: int, reply: Reply) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    reason = _REASONS.get(status, "Status")
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {reply.content_type}\r\nContent-Length: "
        f"{length}\r\n{more}\r\n"
    ).encode("latin-1")


async def serve(
    control: Control, *, port: int, token: str, ssl: Any = None
) -> tuple[asyncio.Server, int]:
    """Listen on loopback and return the server and its port.

    In real time, due changes are checked several times a second.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(control, token), "127.0.0.1", port, backlog=1024, ssl=ssl
    )
    if control.settings.real_time:
        control.ticker = loop.create_task(_tick(control))
    return server, server.sockets[0].getsockname()[1]


async def _tick(control: Control) -> None:
    while True:
        control.cluster.clock.run_due()
        await asyncio.sleep(0.01)
