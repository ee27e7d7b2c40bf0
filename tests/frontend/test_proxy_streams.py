"""Streaming through the proxy: no buffering, no work for disconnected clients, visible errors."""

import asyncio
import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mimir.frontend.proxy.http import HttpProxy, ProxyBody
from mimir.frontend.proxy.rules import Target
from mimir.lib.bodies import Pieces
from tests.frontend.process import Frontend, seen_headers
from tests.frontend.upstream import CONTENT, Upstream, free_port, running_upstream

ECHO = "/api/v1/echo/"
MIB = 1024 * 1024
TOKEN = {
    "Authorization": "Bearer any"
}  # checked by the orchestrator: the frontend only requires one


def _pieces(count: int) -> Iterator[bytes]:
    yield from (bytes([number % 256]) * MIB for number in range(count))


def test_an_upload_is_streamed_completely_with_little_memory(frontend: Frontend) -> None:
    expected = hashlib.sha256()
    for piece in _pieces(192):
        expected.update(piece)
    with frontend.client(headers=TOKEN) as client:
        client.get(ECHO)
        before = frontend.resident_peak_bytes()
        known = client.post(ECHO, content=_pieces(192), headers={"Content-Length": str(192 * MIB)})
        unknown = client.post(ECHO, content=_pieces(192))
    for answer in (known, unknown):
        assert answer.json()["size"] == 192 * MIB
        assert answer.json()["sha256"] == expected.hexdigest()
    assert seen_headers(known)["content-length"] == str(192 * MIB)
    assert seen_headers(unknown)["transfer-encoding"] == "chunked"
    assert frontend.resident_peak_bytes() - before < 24 * MIB


def _kernel_buffers_bytes() -> int:
    """Return the maximum size of the socket buffers of both connections, from kernel settings."""
    limits = [
        Path(f"/proc/sys/net/ipv4/{name}").read_text().split()[-1]
        for name in ("tcp_rmem", "tcp_wmem")
    ]
    return 2 * sum(map(int, limits))


def test_an_upstream_that_does_not_read_slows_the_client(
    frontend: Frontend, upstream: Upstream
) -> None:
    host, port = frontend.url.removeprefix("http://").split(":")
    total = -(-_kernel_buffers_bytes() // MIB) * MIB + 64 * MIB
    before = frontend.resident_peak_bytes()
    sent, piece = 0, b"x" * MIB
    with socket.create_connection((host, int(port)), 10) as connection:
        head = (
            f"POST /api/v1/slow-reader/ HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer "
            f"any\r\nContent-Length: {total}\r\n\r\n"
        )
        connection.sendall(head.encode())
        connection.settimeout(1)
        with pytest.raises(TimeoutError):
            while sent < total:
                sent += connection.send(piece[: total - sent])
        upstream.go_on.set()
        connection.settimeout(20)
        while sent < total:
            sent += connection.send(piece[: total - sent])
        assert b" 200 " in connection.recv(65536).partition(b"\r\n")[0]
    assert frontend.resident_peak_bytes() - before < 24 * MIB


def test_a_body_without_length_differs_from_an_empty_one_and_none(frontend: Frontend) -> None:
    with frontend.client() as client:
        empty = seen_headers(client.post(ECHO, content=b""))
        none = seen_headers(client.get(ECHO))
    assert empty["content-length"] == "0"
    assert "content-length" not in none
    assert "transfer-encoding" not in none


def test_a_body_above_the_limit_is_refused(
    upstream: Upstream, start_frontend: Callable[..., Frontend]
) -> None:
    started = start_frontend(upstream.url, MAX_UPLOAD_BYTES="1000")
    with started.client(headers=TOKEN) as client:
        allowed = client.post(ECHO, content=b"x" * (1000 + MIB))
        declared = client.post(ECHO, content=b"x" * (1001 + MIB))
        undeclared = client.post(ECHO, content=_pieces(3))
    assert allowed.status_code == 200
    assert (declared.status_code, declared.json()["code"]) == (413, "too_large")
    assert (undeclared.status_code, undeclared.json()["code"]) == (413, "too_large")


def test_an_answer_before_the_body_was_read_arrives(frontend: Frontend) -> None:
    with frontend.client(headers=TOKEN) as client:
        answer = client.post("/api/v1/refusing/", content=b"x" * 8 * MIB)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_a_response_is_streamed_in_chunks(frontend: Frontend, upstream: Upstream) -> None:
    with frontend.client() as client, client.stream("GET", "/api/v1/dripping/") as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        upstream.go_on.set()
        assert b"".join(pieces) == b"second"


def test_a_long_unread_response_stays_upstream(frontend: Frontend, upstream: Upstream) -> None:
    with frontend.client() as client:
        client.get(ECHO)
        before = frontend.resident_peak_bytes()
        with client.stream("GET", "/api/v1/endless/") as answer:
            pieces = answer.iter_raw()  # a reference: without it httpx closes the connection
            next(pieces)
            assert not upstream.gone.wait(1.5)
    assert upstream.gone.wait(5), "the upstream must notice that the client disconnected"
    assert frontend.resident_peak_bytes() - before < 16 * MIB


def test_a_client_that_hangs_up_ends_the_request_upstream(
    frontend: Frontend, upstream: Upstream
) -> None:
    with frontend.client() as client, pytest.raises(httpx.ReadTimeout):
        client.get("/api/v1/silent/", timeout=0.5)
    assert upstream.gone.wait(5)


def test_a_client_that_hangs_up_amid_its_body_ends_the_request_upstream(
    frontend: Frontend, upstream: Upstream
) -> None:
    host, port = frontend.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        head = (
            f"POST {ECHO} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer "
            "any\r\nContent-Length: 1000000\r\n\r\n"
        )
        connection.sendall(head.encode() + b"half")
        assert upstream.asked.wait(5), "a large body must be forwarded while it arrives"
    assert upstream.gone.wait(5)


def test_a_truncated_answer_is_recognized(frontend: Frontend) -> None:
    with frontend.client() as client, pytest.raises(httpx.RemoteProtocolError):
        client.get("/api/v1/broken/")


def test_head_and_ranges_pass(frontend: Frontend) -> None:
    with frontend.client() as client:
        head = client.head("/api/v1/content/")
        part = client.get("/api/v1/content/", headers={"Range": "bytes=10-19"})
    assert (head.status_code, head.content, head.headers["content-length"]) == (
        200,
        b"",
        str(len(CONTENT)),
    )
    assert (part.status_code, part.content, part.headers["content-range"]) == (
        206,
        CONTENT[10:20],
        f"bytes 10-19/{len(CONTENT)}",
    )


def test_a_redirect_is_left_to_the_client(frontend: Frontend) -> None:
    with frontend.client() as client:
        answer = client.get("/admin/redirect/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/admin/login/")


def test_an_unreachable_orchestrator_is_reported_soon(
    start_frontend: Callable[..., Frontend],
) -> None:
    port = free_port()
    started = start_frontend(f"http://127.0.0.1:{port}")
    with started.client() as client:
        begun_at = time.monotonic()
        answer = client.get(ECHO)
        assert time.monotonic() - begun_at < 3
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (
            503,
            "unavailable",
            "2",
        )
        with running_upstream(port):
            assert client.get(ECHO).status_code == 200, (
                "the request must be repeated after the recovery"
            )
        assert client.get(ECHO).status_code == 503
        with running_upstream(port):
            assert client.get(ECHO).status_code == 200, (
                "the connections that broke are not used again"
            )


def test_a_request_to_a_slow_orchestrator_times_out(upstream: Upstream) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        proxy = HttpProxy(upstream.url, keys=("k" * 40,), read_seconds=0.3)
        pieces = Pieces(asyncio.Event().wait, 1000)  # type: ignore[arg-type]
        pieces.complete = True
        scope = {
            "method": "GET",
            "path": "/api/v1/silent/",
            "raw_path": b"/api/v1/silent/",
            "headers": [(b"host", b"localhost")],
        }
        await proxy.forward(
            scope, ProxyBody(pieces, 0, b""), send, where=Target.API, credentials=[]
        )
        await proxy.close()

    asyncio.run(run())
    assert sent[0]["status"] == 504
    assert upstream.gone.wait(5)
