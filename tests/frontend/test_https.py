"""TLS of the site: HSTS and a redirect where PUBLIC_URL is https; a Permissions-Policy on every answer."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.frontend.process import Frontend
from tests.frontend.upstream import Upstream

SITE = "https://mimir.example"
BY_TLS = {"Host": "mimir.example", "X-Forwarded-Proto": "https"}


@pytest.fixture
def secure(upstream: Upstream, start_frontend: Callable[..., Frontend]) -> Iterator[httpx.Client]:
    with start_frontend(upstream.url, PUBLIC_URL=SITE, TRUSTED_PROXIES="127.0.0.1").client(headers={"Host": "mimir.example"}) as client:
        yield client


def test_a_request_by_http_goes_to_https(secure: httpx.Client) -> None:
    for headers in ({}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "https, http"}):
        for path in ("/signin/?next=%2Fa%3Fb", "/api/v1/echo/?q=%C3%A9", "/admin/"):
            answer = secure.get(path, headers=headers)
            assert (answer.status_code, answer.headers["Location"]) == (308, SITE + path)
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize(("method", "headers"), [("POST", {}), ("DELETE", {"Authorization": "Bearer t"}), ("GET", {"Authorization": "Bearer t"})])
def test_a_body_or_credentials_by_http_are_refused(secure: httpx.Client, method: str, headers: dict[str, str]) -> None:
    refused = secure.request(method, "/api/v1/echo/", headers=headers)
    assert (refused.status_code, refused.json()["code"], "Location" in refused.headers) == (403, "tls_required", False)
    assert ("replace it" in refused.json()["message"]) == bool(headers)


def test_a_request_by_tls_is_answered_with_hsts(secure: httpx.Client) -> None:
    for path in ("/signin/", "/api/v1/echo/", "/static/css/mimir.css", "/nowhere/"):
        answer = secure.get(path, headers=BY_TLS)
        assert answer.status_code in (200, 404), path
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "camera=()" in answer.headers["Permissions-Policy"]


def test_probes_come_by_http(secure: httpx.Client) -> None:
    for path in ("/health", "/ready"):
        assert secure.get(path, headers={"Host": "10.0.0.1"}).status_code == 200


def test_the_redirect_can_be_switched_off(upstream: Upstream, start_frontend: Callable[..., Frontend]) -> None:
    with start_frontend(upstream.url, PUBLIC_URL=SITE, HTTPS_REDIRECT="false").client() as client:
        answer = client.get("/signin/", headers={"Host": "mimir.example"})
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"]


def test_a_site_without_tls_has_neither(frontend: Frontend) -> None:
    with frontend.client() as client:
        answer: Any = client.get("/signin/")
    assert answer.status_code == 200
    assert "Strict-Transport-Security" not in answer.headers
    assert "geolocation=()" in answer.headers["Permissions-Policy"]
