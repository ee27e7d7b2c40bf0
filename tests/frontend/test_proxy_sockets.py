"""WebSockets through the proxy: permission, content and close codes."""

import json
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from mimir.frontend.proxy.websocket import PING_SECONDS, PONG_SECONDS
from tests.frontend.process import Frontend, session_cookie
from tests.frontend.upstream import Upstream, free_port, running_upstream

MIB = 1024 * 1024


def _open(
    frontend: Frontend,
    path: str = "/ws/echo/",
    *,
    signed_in: bool = True,
    origin: str | None = "",
    **headers: str,
) -> ClientConnection:
    """Open a WebSocket as a browser does.

    With cookies and, unless None, an Origin (default: that of our own pages).
    """
    cookie = {"Cookie": f"mimir_session={session_cookie()}; mimir_csrf=x"} if signed_in else {}
    options: dict[str, Any] = {"max_size": None, "proxy": None, "legacy": True}
    given = frontend.origin if origin == "" else origin
    connection: ClientConnection = connect(
        frontend.socket_url + path,
        origin=None if given is None else Origin(given),
        additional_headers={**cookie, **headers},
        **options,
    )
    return connection


def _code(connection: ClientConnection) -> int:
    """Return the close code, or 0 if the socket stays open."""
    try:
        while True:
            connection.recv(2)
    except TimeoutError:
        return 0
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 0


def _hello(connection: ClientConnection) -> dict[str, Any]:
    hello: dict[str, Any] = json.loads(connection.recv(10))
    return hello


def test_a_session_opens_a_socket_with_its_token(frontend: Frontend) -> None:
    with closing(_open(frontend, "/ws/echo/?from=7")) as connection:
        hello = _hello(connection)
        headers = dict(hello["headers"])
        assert headers["authorization"] == "Bearer session-token"
        assert "cookie" not in headers
        assert (
            headers["host"] == headers["x-forwarded-host"] == frontend.url.removeprefix("http://")
        )
        assert headers["x-forwarded-for"] == "127.0.0.1"
        assert hello["query"] == "from=7"


def test_messages_pass_both_ways(frontend: Frontend) -> None:
    with closing(_open(frontend)) as connection:
        _hello(connection)
        for message in ("text ä", b"\x00\xff", "", b"", "x" * MIB):
            connection.send(message)
            assert connection.recv(10) == message


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost", None])
def test_a_foreign_origin_is_refused(frontend: Frontend, origin: str | None) -> None:
    with closing(_open(frontend, origin=origin)) as connection:
        assert _code(connection) == 4403


def test_loopback_can_have_another_spelling(frontend: Frontend) -> None:
    with closing(
        _open(frontend, origin=frontend.origin.replace("localhost", "127.0.0.1"))
    ) as connection:
        assert _hello(connection)


def test_a_socket_without_a_session_closes_with_sign_in(frontend: Frontend) -> None:
    with closing(_open(frontend, signed_in=False)) as connection:
        assert _code(connection) == 4401
    ended = f"mimir_session={session_cookie(hours=-1)}"
    with closing(_open(frontend, signed_in=False, Cookie=ended)) as connection:
        assert _code(connection) == 4401


def test_a_token_needs_no_origin_and_wins(frontend: Frontend) -> None:
    with closing(_open(frontend, origin=None, Authorization="Bearer given")) as connection:
        assert dict(_hello(connection)["headers"])["authorization"] == "Bearer given"


@pytest.mark.parametrize("path", ["/api/v1/", "/ws/..%2fadmin/", "/other/", "/ws//echo/"])
def test_a_socket_with_another_path_is_rejected(frontend: Frontend, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        _open(frontend, path)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("code", [1000, 1011, 1012, 3000, 4404, 4999])
def test_the_orchestrators_code_reaches_the_client(frontend: Frontend, code: int) -> None:
    with closing(_open(frontend)) as connection:
        _hello(connection)
        connection.send(f"close {code}")
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(10)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, "as asked")


@pytest.mark.parametrize("code", [1000, 1001, 4000])
def test_the_clients_code_reaches_the_orchestrator(
    frontend: Frontend, upstream: Upstream, code: int
) -> None:
    connection = _open(frontend)
    _hello(connection)
    connection.close(code)
    assert upstream.gone.wait(5)
    assert upstream.socket_codes == [code]


def test_a_disconnected_client_ends_the_socket_upstream(
    frontend: Frontend, upstream: Upstream
) -> None:
    connection = _open(frontend)
    _hello(connection)
    connection.socket.shutdown(socket.SHUT_RDWR)
    assert upstream.gone.wait(5)


def test_a_refusal_of_the_orchestrator_closes_with_a_code(frontend: Frontend) -> None:
    with closing(_open(frontend, "/ws/refused/")) as connection:
        assert _code(connection) == 4403


def test_a_client_that_does_not_read_slows_the_orchestrator(
    frontend: Frontend, upstream: Upstream
) -> None:
    host, port = frontend.url.removeprefix("http://").split(":")
    handshake = (
        f"GET /ws/flood/ HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {frontend.origin}\r\nCookie: "
        f"mimir_session={session_cookie()}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
        "13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    """Nor is it cut off: its pings' answers lie behind what it has not taken."""
    upstream.gone.clear()
    with closing(_open(frontend)) as connection:
        _hello(connection)
    assert upstream.gone.wait(10)
    before = frontend.resident_peak_bytes()
    upstream.gone.clear()
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(handshake.encode())
        assert connection.recv(1024).startswith(b"HTTP/1.1 101 ")
        assert not upstream.gone.wait(PING_SECONDS + PONG_SECONDS + 1.5)
        assert upstream.flooded < 64, "it continued to send"
        assert frontend.resident_peak_bytes() - before < 48 * MIB


def test_an_unreachable_orchestrator_closes_the_socket_with_a_retry_code(
    start_frontend: Callable[..., Frontend],
) -> None:
    port = free_port()
    started = start_frontend(f"http://127.0.0.1:{port}")
    with closing(_open(started)) as connection:
        assert _code(connection) == 1013
    with running_upstream(port):
        connection = _open(started)
        _hello(connection)
    with closing(connection):
        assert _code(connection) in (1012, 1013), "it stops while a socket is open"
