"""X-Forwarded-*: accepted from configured proxies only, replaced for all other clients."""

import ipaddress
import time
from collections.abc import Callable

import pytest

from mimir.lib.forwarded import believed
from mimir.lib.request_signature import Client, verified_client
from tests.frontend.process import FRONTEND_KEY, Frontend, seen_headers
from tests.frontend.upstream import Upstream

ECHO = "/api/v1/echo/"
MADE_UP = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "Forwarded": "for=6.6.6.6",
    "X-Real-IP": "6.6.6.6",
    "X-Forwarded-Port": "443",
}


def test_a_client_cannot_forge_its_address(frontend: Frontend) -> None:
    # The server runs with its own defaults: uvicorn itself would believe loopback.
    with frontend.client() as client:
        headers = seen_headers(client.get(ECHO, headers=MADE_UP))
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-host"] == headers["host"] == frontend.url.removeprefix("http://")
    assert not {"forwarded", "x-real-ip", "x-forwarded-port"} & set(headers)


def test_a_configured_proxy_is_trusted(
    upstream: Upstream, start_frontend: Callable[..., Frontend]
) -> None:
    started = start_frontend(
        upstream.url, TRUSTED_PROXIES="127.0.0.0/8", PUBLIC_URL="https://mimir.example"
    )
    given = {
        "Host": "mimir.example",
        "X-Forwarded-Host": "mimir.example",
        "X-Forwarded-Proto": "https",
    }
    with started.client() as client:
        answer = client.get(
            ECHO, headers={**given, "X-Forwarded-For": "6.6.6.6, 203.0.113.7, 127.0.0.9"}
        )
    headers = seen_headers(answer)
    assert headers["x-forwarded-for"] == "203.0.113.7"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-host"], headers["host"]) == (
        "https",
        "mimir.example",
        "mimir.example",
    )


_TRUSTED = [ipaddress.ip_network(part) for part in ("10.0.0.0/8", "fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "chain", "expected"),
    [
        ("203.0.113.1", "6.6.6.6", "203.0.113.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("10.0.0.1", "10.3.3.3, 10.1.2.3", "10.3.3.3"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("10.0.0.1", '"[2001:db8::7]:4711"', "2001:db8::7"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("", "6.6.6.6", ""),
    ],
)
def test_the_nearest_address_that_is_not_a_proxy_is_the_client(
    peer: str, chain: str, expected: str
) -> None:
    scope = {
        "type": "http",
        "headers": [(b"x-forwarded-for", chain.encode())],
        "client": (peer, 1234),
    }
    settled = believed(scope, peer, False, trusted=_TRUSTED)
    assert (settled["client"] or ("",))[0] == expected
    assert dict(settled["headers"]).get(b"x-forwarded-for", b"").decode() == expected


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/v1/echo/", ""),
        ("/api/v1/echo/", "a=b&c=%C3%A9"),
        ("/admin/login/", "next=/admin/"),
        ("/api/v1/caf%C3%A9/", ""),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_forwarded_request_has_a_new_proof(
    frontend: Frontend, method: str, path: str, query: str
) -> None:
    """A proof sent by the client is replaced."""
    target = f"{path}?{query}" if query else path
    with frontend.client() as client:
        headers = seen_headers(
            client.request(method, target, headers={"X-Mimir-Frontend": "v1.1.2.3"})
        )
    scope = {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"x-mimir-frontend", headers["x-mimir-frontend"].encode())],
    }
    found = verified_client(scope, keys=[FRONTEND_KEY], now=time.time())
    assert found == Client("127.0.0.1", False, frontend.url.removeprefix("http://"))
