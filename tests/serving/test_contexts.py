"""Requests on one connection do not share context variables."""

import pytest

from tests.serving.server import MIB, answer_of, serving

pytestmark = pytest.mark.timeout(30)
UPGRADE = (
    b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def _post(path: str, size_bytes: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size_bytes}\r\n\r\n".encode()
        + b"x" * size_bytes
    )


def test_no_context_variable_of_an_upload_reaches_the_next_request_on_its_connection() -> None:
    """While an upload is read, uvicorn pauses and resumes the connection.

    Asyncio then keeps the context of the code that resumed it.
    """
    with serving() as server:
        with server.connect() as connection:
            for path, size_bytes in (("/upload/", 2 * MIB), ("/next/", 10), ("/last/", 10)):
                connection.sendall(_post(path, size_bytes))
                assert answer_of(connection).endswith(str(size_bytes).encode())
        assert server.reader.paths == ["/upload/", "/next/", "/last/"]
        assert server.reader.marks == ["", "", ""]


def test_no_context_variable_of_an_upload_reaches_a_socket_on_its_connection() -> None:
    with serving() as server:
        with server.connect() as connection:
            connection.sendall(_post("/upload/", 2 * MIB))
            answer_of(connection)
            connection.sendall(UPGRADE)
            assert connection.recv(65536).startswith(b"HTTP/1.1 101 ")
        assert server.reader.marks == ["", ""]
