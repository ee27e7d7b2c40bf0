"""Small orchestrator for tests.

A real ASGI server that reports the received requests, and fails on request.
"""

import asyncio
import contextlib
import datetime as dt
import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CONTENT = bytes(range(256)) * 4


@dataclass
class Upstream:
    """State of the fake upstream for the tests.

    `gone` is set when the client of an endless request has disconnected, `asked` when a request
    arrived; `at_once` counts concurrent requests.
    """

    url: str
    gone: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    at_once: int = 0
    socket_codes: list[int] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    flooded: int = 0
    flaky: int = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = scope["path"].rstrip("/").rpartition("/")[2].replace("-", "_")
            self.asked.set()
            self.at_once += 1
            try:
                await getattr(self, f"http_{name}", self.http_echo)(scope, receive, send)
            finally:
                self.at_once -= 1
        elif scope["type"] == "websocket":
            await receive()
            name = scope["path"].rstrip("/").rpartition("/")[2]
            await getattr(self, f"ws_{name}", self.ws_echo)(scope, receive, send)

    async def http_echo(self, scope: Any, receive: Receive, send: Send) -> None:
        size, digest = 0, hashlib.sha256()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.gone.set()
                return
            size += len(message.get("body", b""))
            digest.update(message.get("body", b""))
            if not message.get("more_body"):
                break
        request_data = {
            "method": scope["method"],
            "target": scope["raw_path"].decode()
            + ("?" + scope["query_string"].decode() if scope["query_string"] else ""),
            "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
            "size": size,
            "sha256": digest.hexdigest(),
        }
        cookies = [
            (b"set-cookie", b"mimir_admin_session=a; Path=/admin"),
            (b"set-cookie", b"mimir_session=stolen; Path=/"),
        ]
        own = [
            (b"content-type", b"application/json"),
            (b"connection", b"x-internal"),
            (b"x-internal", b"1"),
            *cookies,
        ]
        await _answer(send, 200, json.dumps(request_data).encode(), own)

    async def http_content(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve a file, with support for HEAD and one kind of Range."""
        wanted = dict(scope["headers"]).get(b"range", b"").decode()
        if wanted:
            first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
            headers = [(b"content-range", f"bytes {first}-{last}/{len(CONTENT)}".encode())]
            await _answer(send, 206, CONTENT[first : last + 1], headers)
        else:
            await _answer(send, 200, CONTENT, [(b"content-encoding", b"identity")])

    async def http_dripping(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send the first chunk at once, and the second when the test releases it."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.to_thread(self.go_on.wait, 10)
        await send({"type": "http.response.body", "body": b"second"})

    async def http_endless(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send chunks until the client disconnects."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        watch = asyncio.create_task(self._until_gone(receive))
        while not watch.done():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)

    async def http_silent(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send no response."""
        await self._until_gone(receive)

    async def http_refusing(self, scope: Any, receive: Receive, send: Send) -> None:
        """Respond before the body has been read."""
        await _answer(
            send,
            400,
            b'{"code": "invalid", "message": "no", "detail": {}}',
            [(b"content-type", b"application/json")],
        )

    async def http_broken(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send a body that is shorter than its Content-Length."""
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]}
        )
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async def http_session(self, scope: Any, receive: Receive, send: Send) -> None:
        """Sign in any user with the password `right`."""
        if scope["method"] == "POST":
            given = json.loads(await _read(receive))
            if given.get("password") != "right":
                await _refuse(
                    send, 401, "not_authenticated", "The user name or the password is wrong."
                )
                return
            ends_at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
            self.tokens.add(token := secrets.token_hex(8))
            await _json(
                send,
                201,
                {"token": token, "expires_at": ends_at.isoformat().replace("+00:00", "Z")},
            )
        elif (token := _token(scope)) not in self.tokens:
            await _refuse(send, 401, "not_authenticated", "Sign in again.")
        elif scope["method"] == "DELETE":
            self.tokens.discard(token)
            await _answer(send, 204, b"", [])
        else:
            await _json(
                send,
                200,
                {"username": "ada", "is_staff": True, "expires_at": "2999-01-01T00:00:00Z"},
            )

    async def http_projects(self, scope: Any, receive: Receive, send: Send) -> None:
        """Projects of a signed-in user; `?status=` selects an error response."""
        status = int(dict(parse_qsl(scope["query_string"].decode())).get("status", "200"))
        if _token(scope) not in self.tokens:
            await _refuse(send, 401, "not_authenticated", "Sign in again.")
        elif status != 200:
            await _refuse(send, status, "as_asked", "Refused as asked.", [(b"retry-after", b"7")])
        else:
            await _json(
                send, 200, {"results": [{"slug": "one"}], "next": None}, [(b"etag", b'"7"')]
            )

    async def http_flaky(self, scope: Any, receive: Receive, send: Send) -> None:
        """Close the connection on every first request."""
        self.flaky += 1
        if self.flaky % 2:
            receive.__self__.transport.abort()  # type: ignore[attr-defined]
        else:
            await _json(send, 200, {"tries": self.flaky})

    async def http_redirect(self, scope: Any, receive: Receive, send: Send) -> None:
        await _answer(send, 302, b"", [(b"location", b"/admin/login/")])

    async def http_slow_reader(self, scope: Any, receive: Receive, send: Send) -> None:
        """Read nothing until the test releases it."""
        await asyncio.to_thread(self.go_on.wait, 20)
        await self.http_echo(scope, receive, send)

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()

    async def ws_echo(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send the headers of the handshake, then echo; the message `close <code>` closes the
        socket.
        """
        await send(
            {"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)}
        )
        headers = [[name.decode(), value.decode()] for name, value in scope["headers"]]
        await send(
            {
                "type": "websocket.send",
                "text": json.dumps({"headers": headers, "query": scope["query_string"].decode()}),
            }
        )
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.socket_codes.append(message["code"])
                self.gone.set()
                return
            text = message.get("text")
            if text and text.startswith("close "):
                await send(
                    {"type": "websocket.close", "code": int(text.split()[1]), "reason": "as asked"}
                )
                return
            await send(
                {
                    "type": "websocket.send",
                    **{
                        key: message[key]
                        for key in ("text", "bytes")
                        if message.get(key) is not None
                    },
                }
            )

    async def ws_refused(self, scope: Any, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close"})

    async def ws_flood(self, scope: Any, receive: Receive, send: Send) -> None:
        """Send more than a proxy should hold in memory, and count the sent bytes."""
        await send({"type": "websocket.accept"})
        self.flooded = 0
        with contextlib.suppress(Exception):
            while self.flooded < 256:
                await send({"type": "websocket.send", "bytes": b"x" * 1024 * 1024})
                self.flooded += 1


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _token(scope: MutableMapping[str, Any]) -> str:
    return str(dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer "))


async def _json(
    send: Send, status: int, body: object, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    await _answer(
        send,
        status,
        json.dumps(body).encode(),
        [(b"content-type", b"application/json"), *(headers or [])],
    )


async def _refuse(
    send: Send,
    status: int,
    code: str,
    message: str,
    headers: list[tuple[bytes, bytes]] | None = None,
) -> None:
    await _json(
        send, status, {"code": code, "message": message, "detail": {"field": "why"}}, headers
    )


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


def free_port() -> int:
    """Return a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, alive: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until a process listens on the port. Raises: RuntimeError if it ends first or is too
    slow.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end and alive():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"Nothing listens on port {port}.")


@contextlib.contextmanager
def running_upstream(port: int | None = None) -> Iterator[Upstream]:
    """Run the server in a thread of this process."""
    port = port or free_port()
    upstream = Upstream(f"http://127.0.0.1:{port}")
    config = uvicorn.Config(
        upstream,
        host="127.0.0.1",
        port=port,
        log_level="critical",
        lifespan="off",
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for_port(port, thread.is_alive)
    try:
        yield upstream
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
