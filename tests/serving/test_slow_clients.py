"""Clients that are slow on purpose.

Each has a time limit at every step at which it can stop, and uses little memory until then.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from mimir.lib import bodies, connections
from tests.serving.server import MIB, Server, answer_of, closed_after, serving, wait_until

SHORT = 0.6
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (bodies, "PIECE_SECONDS"),
        (connections, "HEADER_SECONDS"),
        (connections, "UNREAD_SECONDS"),
        (connections, "DISCARD_SECONDS"),
        (connections, "CLOSING_SECONDS"),
    ):
        monkeypatch.setattr(module, name, SHORT)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"G",
        b"POST / HTTP/1.1\r\nHost: lo",
        HEAD + b"X: y",
        HEAD + b"Content-Length: 0\r\n\r\n" + b"GET / HTTP/1.1\r\nHo",
        b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n",
    ],
    ids=[
        "nothing",
        "a letter",
        "half a line",
        "half a header",
        "half a second request",
        "half a handshake",
    ],
)
def test_half_a_header_is_closed(server: Server, sent: bytes) -> None:
    with server.connect(sent) as connection:
        taken = closed_after(connection)
    assert taken is not None, "it was never closed"
    assert taken < 4
    wait_until(lambda: server.table.open == 0)


def test_a_connection_with_a_slow_header_is_closed(server: Server) -> None:
    began = time.monotonic()
    with server.connect(HEAD) as connection, contextlib.suppress(ConnectionError):
        while time.monotonic() - began < 5:
            connection.sendall(b"x: y\r\n")
            time.sleep(SHORT / 4)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1000\r\n\r\nabc",
        b"Content-Length: 1000000\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
    ids=["small", "large", "chunked"],
)
def test_half_a_body_is_answered_and_closed(server: Server, head: bytes) -> None:
    began = time.monotonic()
    with server.connect(HEAD + head) as connection:
        assert answer_of(connection).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 4
        assert closed_after(connection) is not None
    wait_until(lambda: server.table.open == server.reader.threads == server.budget.used_bytes == 0)


def test_half_a_small_body_holds_no_thread(server: Server) -> None:
    held = [
        server.connect(HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 20_000) for _ in range(100)
    ]
    wait_until(lambda: server.table.open == 100)
    assert server.ask(HEAD + b"Content-Length: 3\r\n\r\nabc").endswith(b"\r\n\r\n3")
    assert server.reader.requests == 1
    for connection in held:
        connection.close()


def test_a_slow_body_is_aborted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "RATE_GRACE_SECONDS", 0.3)
    began, answer = time.monotonic(), b""
    with server.connect(HEAD + b"Content-Length: 100000\r\n\r\n") as connection:
        connection.settimeout(SHORT / 6)
        while not answer and time.monotonic() - began < 8:
            connection.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_response_that_nobody_reads_is_aborted(server: Server) -> None:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with connection:
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(b"GET /large/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: server.reader.at_once == 1)
        wait_until(lambda: server.reader.at_once == 0 and server.table.open == 0, 6)


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"], ids=["kept", "close"])
def test_an_answer_before_the_body_was_read_arrives_whole(server: Server, header: bytes) -> None:
    """A client that sends megabytes before it reads must still get the response."""
    request = (
        HEAD.replace(b"/ ", b"/unread/ ", 1) + header + b"Content-Length: %d\r\n\r\n" % (4 * MIB)
    )
    with server.connect(request) as connection:
        for _ in range(4):
            connection.sendall(b"x" * MIB)
        answer = answer_of(connection)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.endswith(b"no")


def test_the_rest_of_an_unread_body_is_not_read_without_limit(server: Server) -> None:
    request = HEAD.replace(b"/ ", b"/unread/ ", 1) + b"Content-Length: %d\r\n\r\n" % (7 * MIB)
    with server.connect(request) as connection:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 6:
                connection.sendall(b"x" * 1000)
                time.sleep(0.01)
        assert time.monotonic() - began < 6, "somebody sends for ever"
    wait_until(lambda: server.table.open == 0)


def test_a_connection_continues_after_a_refused_body_that_was_fully_sent(
    server: Server,
) -> None:
    request = (
        HEAD.replace(b"/ ", b"/unread/ ", 1) + b"Content-Length: 100000\r\n\r\n" + b"x" * 100_000
    )
    with server.connect(request) as connection:
        assert answer_of(connection).startswith(b"HTTP/1.1 403 ")
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nab")
        assert answer_of(connection).endswith(b"\r\n\r\n2")


def test_an_idle_connection_between_requests_is_not_an_incomplete_header(server: Server) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nab")
            assert answer_of(connection).endswith(b"\r\n\r\n2")
            time.sleep(2 * SHORT)


def test_an_open_socket_has_no_header_deadline_and_is_counted_until_it_is_lost(
    server: Server,
) -> None:
    handshake = (
        b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with server.connect(handshake) as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 101 ")
        assert closed_after(connection, 3 * SHORT) is None
        assert server.table.open == 1
    wait_until(lambda: server.table.open == 0)


def test_one_address_has_so_many_connections_and_no_more() -> None:
    with serving(per_client=5) as server:
        held = [server.connect() for _ in range(5)]
        wait_until(lambda: server.table.open == 5)
        with server.connect() as surplus:
            assert closed_after(surplus) is not None
        assert server.ask(HEAD + b"Content-Length: 1\r\n\r\na", source="127.0.0.2").endswith(
            b"\r\n\r\n1"
        ), "others are not concerned"
        held.pop().close()
        wait_until(lambda: server.table.open == 4)
        assert server.ask(HEAD + b"Content-Length: 1\r\n\r\na").endswith(b"\r\n\r\n1")
        for connection in held:
            connection.close()


def test_a_proxy_has_no_limit_of_connections() -> None:
    table = connections.connection_class(1, ["10.0.0.0/8", "::1"]).table
    assert all(table.admit("10.1.2.3") for _ in range(50))
    assert [table.admit("192.0.2.1"), table.admit("192.0.2.1")] == [True, False]
    table.release("192.0.2.1")
    assert table.admit("192.0.2.1")


FRAMING: dict[str, Callable[[], bytes]] = {
    "both": lambda: b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two lengths": lambda: b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a sign": lambda: b"Content-Length: +3\r\n\r\nabc",
    "no number": lambda: b"Content-Length: abc\r\n\r\nabc",
    "too long a number": lambda: b"Content-Length: 9999999999999999999\r\n\r\nabc",
    "another coding": lambda: b"Transfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "a chunk of no length": lambda: b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", FRAMING)
def test_a_body_whose_end_is_not_clear_is_refused_and_the_connection_ends(
    server: Server, name: str
) -> None:
    with server.connect(
        HEAD + FRAMING[name]() + b"GET /second/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ) as connection:
        assert answer_of(connection).startswith(b"HTTP/1.1 400 ")
        assert closed_after(connection) is not None
    assert server.reader.paths in ([], ["/"]), "what follows is never read as a request"


def test_chunked_of_http_1_0_is_refused(server: Server) -> None:
    answer = server.ask(
        HEAD.replace(b"1.1", b"1.0", 1) + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    assert b" 400 " in answer.partition(b"\r\n")[0]


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
def test_every_size_arrives_whole_both_ways(server: Server, size: int, chunked: bool) -> None:
    if chunked:
        pieces = b"".join(
            b"%x\r\n%s\r\n" % (min(10_000, size - at), b"x" * min(10_000, size - at))
            for at in range(0, size, 10_000)
        )
        request = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    else:
        request = HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size
    assert server.ask(request).endswith(b"\r\n\r\n%d" % size)


def test_large_bodies_share_a_budget_and_give_it_back(server: Server) -> None:
    large = HEAD + b"Content-Length: %d\r\n\r\n" % (2 * MIB)
    with server.connect(large), server.connect(large):
        wait_until(lambda: server.budget.used_bytes == 4 * MIB)
        answer = server.ask(large)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 5" in answer
        assert server.ask(HEAD + b"Content-Length: 3\r\n\r\nabc").endswith(b"\r\n\r\n3"), (
            "small ones need none of it"
        )
    wait_until(lambda: server.budget.used_bytes == 0)
    assert server.ask(large + b"x" * 2 * MIB).endswith(b"\r\n\r\n%d" % (2 * MIB))


def test_a_stranger_s_body_is_refused_by_its_length_and_by_what_came() -> None:
    with serving(stranger=True) as server:
        assert server.ask(HEAD + b"Content-Length: 1000000\r\n\r\n").startswith(b"HTTP/1.1 413 ")
        pieces = b"".join(b"%x\r\n%s\r\n" % (10_000, b"x" * 10_000) for _ in range(10))
        assert server.ask(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces).startswith(
            b"HTTP/1.1 413 "
        )
        assert server.reader.requests == 0
