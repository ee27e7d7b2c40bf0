"""Credentials of proxied requests: cookies dropped, tokens forwarded, sessions from our pages."""

import datetime as dt
import json

import pytest

from tests.frontend.process import CSRF_SECRET, Frontend, seen_headers, session_cookie

ECHO = "/api/v1/echo/"


def test_a_session_becomes_a_bearer_token_and_no_cookie_passes(frontend: Frontend) -> None:
    with frontend.client(session=True) as client:
        answer = client.get(ECHO)
    headers = seen_headers(answer)
    assert headers["authorization"] == "Bearer session-token"
    assert "cookie" not in headers
    assert "set-cookie" not in answer.headers


def test_authorization_wins_over_a_session(frontend: Frontend) -> None:
    with frontend.client(session=True) as client:
        answer = client.post(ECHO, headers={"Authorization": "Bearer given"})
    assert seen_headers(answer)["authorization"] == "Bearer given"
    assert "cookie" not in seen_headers(answer)


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "rubbish",
        session_cookie(key="another key, which is long enough too"),
        session_cookie(hours=-1),
        session_cookie()[:-1],
    ],
    ids=["empty", "rubbish", "another key", "ended", "cut"],
)
def test_an_invalid_session_is_anonymous(frontend: Frontend, cookie: str) -> None:
    with frontend.client() as client:
        answer = client.get(ECHO, headers={"Cookie": f"mimir_session={cookie}"})
    assert answer.status_code == 200
    assert "authorization" not in seen_headers(answer)


def _post_status(frontend: Frontend, method: str = "POST", url: str = ECHO, **headers: str) -> int:
    with frontend.client() as client:
        cookies = f"mimir_session={session_cookie()}; mimir_csrf={CSRF_SECRET}; other=x"
        answer = client.request(method, url, headers={"Cookie": cookies, **headers})
    if answer.status_code == 403:
        assert answer.json()["code"] == "csrf_failed"
    return answer.status_code


def test_a_session_may_act_from_our_own_page(frontend: Frontend) -> None:
    own = {"X-CSRFToken": CSRF_SECRET}
    assert _post_status(frontend, Origin=frontend.origin, **own) == 200
    assert _post_status(frontend, "DELETE", Origin=frontend.origin, **own) == 200
    assert _post_status(frontend, Referer=f"{frontend.origin}/projects/", **own) == 200
    spelled_otherwise = frontend.origin.replace("localhost", "127.0.0.1")
    assert (
        _post_status(frontend, url=spelled_otherwise + ECHO, Origin=spelled_otherwise, **own) == 200
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_session_cannot_act_from_another_origin(frontend: Frontend, method: str) -> None:
    own = {"X-CSRFToken": CSRF_SECRET}
    assert _post_status(frontend, method) == 403
    assert _post_status(frontend, method, **own) == 403, "neither Origin nor Referer"
    assert _post_status(frontend, method, Origin=frontend.origin) == 403, "no token"
    assert (
        _post_status(frontend, method, Origin=frontend.origin, **{"X-CSRFToken": "0" * 32}) == 403
    ), "another token"
    for origin in (
        "https://evil.example",
        "null",
        frontend.origin + "1",
        frontend.origin.replace("http:", "https:"),
        "http://localhost",
    ):
        assert _post_status(frontend, method, Origin=origin, **own) == 403, origin
    assert (
        _post_status(frontend, method, Referer=f"https://evil.example/?{frontend.origin}/", **own)
        == 403
    )


def test_signing_in_through_the_api_needs_no_csrf_token(frontend: Frontend) -> None:
    with frontend.client() as client:
        assert (
            client.post(
                "/api/v1/session/", json={"username": "ada", "password": "right"}
            ).status_code
            == 201
        )


def test_the_admin_gets_its_own_cookies_and_gives_no_others(frontend: Frontend) -> None:
    with frontend.client(session=True) as client:
        client.cookies.set("mimir_admin_session", "a")
        client.cookies.set("mimir_admin_csrf", "b")
        answer = client.get("/admin/echo/", headers={"Authorization": "Bearer given"})
    headers = seen_headers(answer)
    assert sorted(headers["cookie"].split("; ")) == ["mimir_admin_csrf=b", "mimir_admin_session=a"]
    assert "authorization" not in headers
    assert answer.headers.get_list("set-cookie") == ["mimir_admin_session=a; Path=/admin"]


def test_headers_of_one_connection_stay_on_it(frontend: Frontend) -> None:
    dropped = {
        "Connection": "X-Mine",
        "X-Mine": "1",
        "TE": "trailers",
        "Proxy-Authorization": "x",
        "X_Forwarded_For": "6.6.6.6",
    }
    with frontend.client() as client:
        answer = client.get(ECHO, headers=dropped)
    headers = seen_headers(answer)
    assert not {name.lower() for name in dropped} - {"connection"} & set(headers)
    assert headers.get("connection", "") != "X-Mine"
    assert "x-internal" not in answer.headers
    assert len(answer.headers.get_list("date")) == len(answer.headers.get_list("server")) == 1


def test_a_request_id_is_forwarded_and_returned(frontend: Frontend) -> None:
    with frontend.client() as client:
        answer = client.get(ECHO, headers={"X-Request-ID": "given-by-the-client"})
        created = client.get(ECHO, headers={"X-Request-ID": "no good\tid"})
    assert (
        answer.headers["x-request-id"]
        == seen_headers(answer)["x-request-id"]
        == "given-by-the-client"
    )
    assert created.headers["x-request-id"] == seen_headers(created)["x-request-id"] != "no good\tid"


def test_no_token_is_logged(frontend: Frontend) -> None:
    with frontend.client(session=True) as client:
        client.get(ECHO)
    lines = [
        json.loads(line) for line in frontend.log.read_text().splitlines() if line.startswith("{")
    ]
    assert any(line.get("path") == ECHO and line["status"] == 200 for line in lines)
    assert "session-token" not in frontend.log.read_text()
    assert dt.datetime.fromisoformat(lines[-1]["timestamp"]).tzinfo is not None
