"""Proxy slots: slow and anonymous clients cannot use those of signed-in users."""

import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from mimir.frontend.proxy.slots import TOTAL, Rank, Slots
from mimir.lib.clients import PerClient, client_of
from mimir.lib.errors import MimirError, TooMany
from tests.frontend.process import Frontend
from tests.frontend.upstream import Upstream
from tests.serving.server import wait_until


@pytest.mark.parametrize("rank", [Rank.STRANGER, Rank.CLAIMED])
def test_lower_ranks_leave_slots_for_those_who_are_signed_in(rank: Rank) -> None:
    slots = Slots(per_client=10_000)
    with ExitStack() as held:
        for _ in range(rank):
            held.enter_context(slots.taken("192.0.2.1", rank=rank))
        with pytest.raises(MimirError) as caught, slots.taken("192.0.2.2", rank=rank):
            pass
        assert (caught.value.status, caught.value.code) == (503, "busy")
        for _ in range(TOTAL - rank):
            held.enter_context(slots.taken("192.0.2.3", rank=Rank.SIGNED_IN))
        with pytest.raises(MimirError), slots.taken("192.0.2.3", rank=Rank.SIGNED_IN):
            pass
    with slots.taken("192.0.2.1", rank=rank):
        pass


def test_signed_in_users_can_use_all_slots_and_anonymous_users_then_get_none() -> None:
    slots = Slots(per_client=10_000)
    with ExitStack() as held:
        for _ in range(TOTAL):
            held.enter_context(slots.taken("192.0.2.1", rank=Rank.SIGNED_IN))
        for rank in Rank:
            with pytest.raises(MimirError), slots.taken("192.0.2.2", rank=rank):
                pass


def test_one_client_has_a_limit_and_others_are_not_affected() -> None:
    limit = PerClient("requests at once", 2)
    with limit.taken("a"), limit.taken("a"):
        with pytest.raises(TooMany) as caught, limit.taken("a"):
            pass
        assert caught.value.retry_after_seconds == 1
        with limit.taken("b"):
            pass
    with limit.taken("a"):
        pass


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::6", "2001:db8:1:2::/64"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("2001:db8:0:0:1::", "2001:db8::/64"),
        ("2001::7:0:0:0:1", "2001:0:0:7::/64"),
        ("2001::8:0:0:0:1", "2001:0:0:8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_its_network(address: str, client: str) -> None:
    assert client_of({"client": (address, 1)}) == client


def _begun(frontend: Frontend, headers: str, body: bytes) -> socket.socket:
    host, port = frontend.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), 10)
    connection.sendall(
        f"POST /api/v1/echo/ HTTP/1.1\r\nHost: {host}:{port}\r\n{headers}\r\n\r\n".encode() + body
    )
    return connection


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 16000",
        "Transfer-Encoding: chunked",
        "Authorization: Bearer x\r\nContent-Length: 60000",
    ],
)
def test_slow_small_bodies_occupy_nothing_upstream(
    frontend: Frontend, upstream: Upstream, headers: str
) -> None:
    body = b"5\r\nhello\r\n" if "chunked" in headers else b"hello"
    held = [_begun(frontend, headers, body) for _ in range(50)]
    with frontend.client() as client:
        assert client.get("/api/v1/echo/").status_code == 200
    # the answered request may still be counted; blocked ones would stay counted
    wait_until(lambda: upstream.at_once == 0)
    for connection in held:
        connection.close()


def test_a_client_above_its_limit_gets_a_retry_time(
    upstream: Upstream, start_frontend: Callable[..., Frontend]
) -> None:
    started = start_frontend(upstream.url, REQUESTS_PER_CLIENT="4")
    held = [
        _begun(started, "Authorization: Bearer x\r\nContent-Length: 1000000", b"hello")
        for _ in range(4)
    ]
    assert upstream.asked.wait(5)
    with started.client() as client:
        wait_until(lambda: upstream.at_once == 4)
        answer = client.get("/api/v1/echo/")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        for connection in held:
            connection.close()
        wait_until(lambda: upstream.at_once == 0)
        assert client.get("/api/v1/echo/").status_code == 200
