"""A real HTTP server in this process, with short time limits.

It uses the connections and limits of the product around a small application.
"""

import asyncio
import contextlib
import contextvars
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import uvicorn

from mimir.lib import bodies, connections
from mimir.lib.asgi import Receive, Scope, Send
from mimir.lib.bodies import Body, Budget, Intake, Rule
from mimir.serve import OPTIONS

MIB = 1024 * 1024
MARK = contextvars.ContextVar("mark", default="")  # a mark that each request leaves in its context


@dataclass
class Reader:
    """Application that responds with the number of bytes that it read, in a thread like Django.

    `/unread/` reads nothing, `/large/` returns a large body.
    """

    requests: int = 0
    at_once: int = 0
    threads: int = 0
    paths: list[str] = field(default_factory=list)
    # the mark that each request found in its context
    marks: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert isinstance(receive, Body)
        self.requests += 1
        self.at_once += 1
        self.paths.append(scope["path"])
        self.marks.append(MARK.get())
        MARK.set(scope["path"])
        try:
            status, answer = 200, b""
            if scope["path"] == "/large/":
                answer = b"x" * 64 * MIB
            elif scope["path"] == "/unread/":
                status, answer = 403, b"no"
            else:
                self.threads += 1
                try:
                    answer = str(len(await asyncio.to_thread(receive.read))).encode()
                except Exception:  # noqa: BLE001 - as Django: some answer, whatever went wrong
                    status, answer = 500, b"broken"
                finally:
                    self.threads -= 1
            headers = [(b"content-length", str(len(answer)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            for start in range(0, max(len(answer), 1), MIB):
                more = start + MIB < len(answer)
                await send(
                    {
                        "type": "http.response.body",
                        "body": answer[start : start + MIB],
                        "more_body": more,
                    }
                )
        finally:
            self.at_once -= 1


@dataclass
class Server:
    """A running server with its port and its application."""

    port: int
    reader: Reader
    table: connections.ConnectionTable
    budget: Budget

    def connect(self, data: bytes = b"", *, source: str = "127.0.0.1") -> socket.socket:
        """Open a connection and send `data`."""
        connection = socket.create_connection(
            ("127.0.0.1", self.port), 20, source_address=(source, 0)
        )
        connection.sendall(data)
        return connection

    def ask(self, data: bytes, *, source: str = "127.0.0.1") -> bytes:
        """Send `data` on a new connection; return the whole response."""
        with self.connect(data, source=source) as connection:
            return answer_of(connection)


def answer_of(connection: socket.socket) -> bytes:
    """Read one response from the connection, including its whole body."""
    found = b""
    while True:
        head, end, body = found.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if end and length and len(body) >= int(length[1]):
            return found
        piece = connection.recv(65536)
        if not piece:
            return found
        found += piece


def closed_after(connection: socket.socket, seconds: float = 5.0) -> float | None:
    """Return the seconds until the server closes the connection, or None after `seconds`."""
    began = time.monotonic()
    connection.settimeout(seconds)
    with contextlib.suppress(ConnectionResetError):
        try:
            while connection.recv(65536):
                pass
        except TimeoutError:
            return None
    return time.monotonic() - began


def wait_until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until the condition is true. Raises: TimeoutError."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.01)


@contextlib.contextmanager
def serving(
    *, per_client: int = 1000, budget_bytes: int = 4 * MIB, stranger: bool = False
) -> Iterator[Server]:
    """Run a server with these limits. `stranger`: requests have no credentials."""
    reader, budget = Reader(), Budget("large requests", budget_bytes, wait_seconds=0.5)
    refusal = bodies.too_large(bodies.STRANGER_BYTES_MAX) if stranger else None
    application = Intake(reader, lambda _scope: Rule(8 * MIB, budget, refusal))
    protocol = connections.connection_class(per_client, ())

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            reader.marks.append(MARK.get())
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
        else:
            await application(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        plain, http=protocol, ws=connections.Socket, log_level="critical", lifespan="off", **OPTIONS
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, 20)
        yield Server(listener.getsockname()[1], reader, protocol.table, budget)
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
