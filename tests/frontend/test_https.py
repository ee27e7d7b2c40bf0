"""TLS of the site.

HSTS and a redirect if PUBLIC_URL is https; a Permissions-Policy on every response.
"""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.frontend.process import Frontend, session_cookie
from tests.frontend.upstream import Upstream

SITE = "https://mimir.example"
BY_TLS = {"Host": "mimir.example", "X-Forwarded-Proto": "https"}


@pytest.fixture
def secure(upstream: Upstream, start_frontend: Callable[..., Frontend]) -> Iterator[httpx.Client]:
    with start_frontend(upstream.url, PUBLIC_URL=SITE, TRUSTED_PROXIES="127.0.0.1").client(
        headers={"Host": "mimir.example"}
    ) as client:
        yield client


def test_a_request_over_http_is_redirected_to_https(secure: httpx.Client) -> None:
    for headers in ({}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "https, http"}):
        for path in ("/signin/?next=%2Fa%3Fb", "/api/v1/echo/?q=%C3%A9", "/admin/"):
            answer = secure.get(path, headers=headers)
            assert (answer.status_code, answer.headers["Location"]) == (308, SITE + path)
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("DELETE", {"Authorization": "Bearer t"}),
        ("GET", {"Authorization": "Bearer t"}),
    ],
)
def test_a_body_or_credentials_over_http_are_rejected(
    secure: httpx.Client, method: str, headers: dict[str, str]
) -> None:
    refused = secure.request(method, "/api/v1/echo/", headers=headers)
    assert (refused.status_code, refused.json()["code"], "Location" in refused.headers) == (
        403,
        "tls_required",
        False,
    )
    assert ("replace it" in refused.json()["message"]) == bool(headers)


def test_a_response_over_tls_has_hsts(secure: httpx.Client) -> None:
    for path in ("/signin/", "/api/v1/echo/", "/static/css/mimir.css", "/nowhere/"):
        answer = secure.get(path, headers=BY_TLS)
        assert answer.status_code in (200, 404), path
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "camera=()" in answer.headers["Permissions-Policy"]


def test_probes_can_use_http(secure: httpx.Client) -> None:
    for path in ("/health", "/ready"):
        assert secure.get(path, headers={"Host": "10.0.0.1"}).status_code == 200


def test_the_redirect_can_be_switched_off(
    upstream: Upstream, start_frontend: Callable[..., Frontend]
) -> None:
    with start_frontend(upstream.url, PUBLIC_URL=SITE, HTTPS_REDIRECT="false").client() as client:
        answer = client.get("/signin/", headers={"Host": "mimir.example"})
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"]


def test_a_site_without_tls_has_neither_redirect_nor_hsts(frontend: Frontend) -> None:
    with frontend.client() as client:
        answer: Any = client.get("/signin/")
    assert answer.status_code == 200
    assert "Strict-Transport-Security" not in answer.headers
    assert "geolocation=()" in answer.headers["Permissions-Policy"]


def _open_socket(port: int, headers: dict[str, str]) -> ClientConnection:
    """Open a WebSocket to the host of SITE, whatever `headers` say."""
    options: dict[str, Any] = {"proxy": None, "sock": socket.create_connection(("127.0.0.1", port))}
    connection: ClientConnection = connect(
        "ws://mimir.example/ws/echo/", additional_headers=headers, **options
    )
    return connection


CREDENTIALS = [
    {"Cookie": f"mimir_session={session_cookie()}", "Origin": SITE},
    {"Authorization": "Bearer t"},
    {},
]


@pytest.mark.parametrize("headers", CREDENTIALS, ids=["cookie", "token", "nobody"])
def test_a_socket_without_tls_is_refused_before_its_credentials_are_used(
    secure: httpx.Client, headers: dict[str, str]
) -> None:
    assert secure.base_url.port is not None
    for proto in ({}, {"X-Forwarded-Proto": "ws"}, {"X-Forwarded-Proto": "https, http"}):
        with pytest.raises(InvalidStatus) as refused:
            _open_socket(secure.base_url.port, {**headers, **proto})
        answer = refused.value.response
        assert (answer.status_code, answer.headers["Strict-Transport-Security"]) == (
            403,
            "max-age=31536000",
        )
        error = json.loads(answer.body or b"")
        assert (error["code"], "wss://mimir.example" in error["message"]) == ("tls_required", True)
        assert ("replace it" in error["message"]) == ("Authorization" in headers)


@pytest.mark.parametrize("headers", CREDENTIALS[:2], ids=["cookie", "token"])
@pytest.mark.parametrize("proto", ["https", "wss"])
def test_a_socket_over_tls_is_opened(
    secure: httpx.Client, headers: dict[str, str], proto: str
) -> None:
    assert secure.base_url.port is not None
    with _open_socket(secure.base_url.port, {**headers, "X-Forwarded-Proto": proto}) as connection:
        assert dict(json.loads(connection.recv(10))["headers"])["authorization"].startswith(
            "Bearer "
        )
