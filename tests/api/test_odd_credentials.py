"""Credentials outside ASCII, in every place that accepts credentials.

They are refused like wrong ones, never with a 500.
"""

import base64
import uuid
from typing import Any

import pytest
from django.test import Client

from tests.support import make

pytestmark = pytest.mark.django_db

ODD = ["é", "Ã©", "\x80", "ÿ" * 600, "a\x00b", "\u00a0", "mimir_api_é", "", "a" * 10_000]
TEXTS = ["é", "日本語", "🙂", "a\u202eb", "İ", "ß", "\ufeff", "e\u0301"]
ID = uuid.UUID(int=0)


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def _worker_paths(attempt: object) -> list[tuple[str, str]]:
    base = f"/worker/v1/attempts/{attempt}"
    calls = [
        ("POST", "claim"),
        ("POST", "heartbeat"),
        ("POST", "events"),
        ("POST", "logs"),
        ("POST", "finish"),
        ("POST", "finish-with-events"),
    ]
    return [(method, f"{base}/{name}") for method, name in calls] + [
        ("PUT", f"{base}/artifacts/a"),
        ("GET", f"{base}/inputs/a"),
    ]


@pytest.mark.parametrize("token", ODD)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "é", ""])
def test_an_odd_authorization_is_refused_on_the_public_api(
    client: Client, scheme: str, token: str
) -> None:
    answer = client.get("/api/v1/session/", headers={"Authorization": f"{scheme} {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("token", ODD)
def test_an_odd_authorization_is_refused_on_the_worker_api(client: Client, token: str) -> None:
    for method, path in _worker_paths(ID):
        answer = client.generic(
            method,
            path,
            b"{}",
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 401, (path, answer.content)


def test_an_odd_token_does_not_open_a_claimed_attempt(client: Client) -> None:
    """A request with a claim compares the token, which raised an error for text outside ASCII."""
    attempt = make.claimed()
    assert attempt.claim_id is not None
    for token in ODD:
        for method, path in _worker_paths(attempt.id)[1:]:
            answer = client.generic(
                method,
                path,
                b"{}",
                content_type="application/json",
                headers={"Authorization": f"Bearer {token}"},
            )
            assert answer.status_code == 401, (path, token, answer.content)


@pytest.mark.parametrize("name", TEXTS)
def test_odd_user_names_and_passwords_are_only_wrong(client: Client, name: str) -> None:
    for body in ({"username": name, "password": "x"}, {"username": "ada", "password": name}):
        assert (
            client.post("/api/v1/session/", body, content_type="application/json").status_code
            == 401
        )
    assert client.post("/admin/login/", {"username": name, "password": name}).status_code in (
        200,
        403,
    )


@pytest.mark.parametrize(
    "raw",
    [
        b'{"username": "\\ud800", "password": "x"}',
        b'{"username": "a", "password": "\\udfff"}',
        b'{"username": "\\u0000"}',
    ],
)
def test_text_that_is_not_unicode_is_refused(client: Client, raw: bytes) -> None:
    assert client.post("/api/v1/session/", raw, content_type="application/json").status_code in (
        400,
        401,
    )


@pytest.mark.parametrize("value", ODD)
def test_odd_cookies_and_headers_do_no_harm(client: Client, value: str) -> None:
    for name in ("mimir_admin_session", "mimir_admin_csrf", "mimir_session"):
        client.cookies[name] = "x"
    odd: dict[str, Any] = {"HTTP_COOKIE": f"mimir_admin_session={value}; mimir_admin_csrf={value}"}
    assert client.get("/admin/", **odd).status_code == 302
    for header in (
        "X-Forwarded-For",
        "X-Request-ID",
        "User-Agent",
        "If-Match",
        "Idempotency-Key",
        "X-CSRFToken",
        "Origin",
        "Accept",
    ):
        assert client.get("/api/v1/session/", headers={header: value}).status_code == 401, header


def test_basic_credentials_are_refused_as_no_bearer_token(client: Client) -> None:
    basic = base64.b64encode("é:ü".encode("latin-1")).decode()
    assert (
        client.get("/api/v1/session/", headers={"Authorization": f"Basic {basic}"}).status_code
        == 401
    )
