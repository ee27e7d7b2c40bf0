"""Sign-in and sign-out, and the response of a page if the API returns an error."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.frontend.process import Frontend, running_frontend, session_cookie
from tests.frontend.upstream import Upstream, free_port

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.frontend.small_settings"}
MIB = 1024 * 1024


@pytest.fixture(scope="session")
def pages(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    with running_frontend(tmp_path_factory.mktemp("pages"), upstream.url, **SETTINGS) as running:
        yield running


@pytest.fixture
def browser(pages: Frontend) -> Iterator[httpx.Client]:
    with pages.client() as client:
        yield client


def _post(
    browser: httpx.Client, path: str, data: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    token = browser.get("/").json()["csrf"]
    return browser.post(
        path,
        data=data or {},
        headers={"X-CSRFToken": token, "Origin": str(browser.base_url)},
        **more,
    )


def _sign_in(browser: httpx.Client, password: str = "right", **more: str) -> httpx.Response:
    return _post(browser, "/signin/", {"username": "ada", "password": password, **more})


def test_a_session_begins_and_ends(browser: httpx.Client, upstream: Upstream) -> None:
    upstream.tokens.clear()
    signed_in = _sign_in(browser)
    assert (signed_in.status_code, signed_in.headers["location"]) == (302, "/projects/")
    cookie = next(
        value
        for value in signed_in.headers.get_list("set-cookie")
        if value.startswith("mimir_session=")
    )
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert 3500 < int(cookie.partition("Max-Age=")[2].partition(";")[0]) <= 3600
    page = browser.get("/projects/").json()
    assert page == {"username": "ada", "is_staff": True, "results": [{"slug": "one"}], "next": None}
    assert len(upstream.tokens) == 1
    _post(browser, "/signout/")
    assert not upstream.tokens
    assert browser.get("/projects/").headers["location"] == "/signin/?next=%2Fprojects%2F"


def test_a_wrong_password_is_reported_on_the_page(browser: httpx.Client) -> None:
    answer = _sign_in(browser, "wrong")
    assert (answer.status_code, answer.text) == (400, "The user name or the password is wrong.")
    assert "mimir_session" not in browser.cookies


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/projects/a/?b=c", "/projects/a/?b=c"),
        ("https://evil.example/", "/projects/"),
        ("//evil.example/", "/projects/"),
        ("/\\evil.example/", "/projects/"),
        ("javascript:alert(1)", "/projects/"),
        ("/signout/", "/projects/"),
        ("", "/projects/"),
    ],
)
def test_signing_in_leads_back_to_our_own_pages_only(
    browser: httpx.Client, wanted: str, found: str
) -> None:
    assert _sign_in(browser, next=wanted).headers["location"] == found


@pytest.mark.parametrize("ended_by", ["the API", "its cookie"])
def test_a_script_that_posts_without_session_gets_401_and_no_cookie(
    browser: httpx.Client, upstream: Upstream, ended_by: str
) -> None:
    """The response may arrive after a new sign-in: a cookie in it would undo the sign-in."""
    _sign_in(browser)
    token = browser.get("/").json()["csrf"]
    if ended_by == "the API":
        upstream.tokens.clear()
    else:
        browser.cookies.delete("mimir_session")
    headers = {"X-CSRFToken": token, "Origin": str(browser.base_url), "Sec-Fetch-Dest": "empty"}
    answer = browser.post("/projects/", headers=headers)
    assert (answer.status_code, answer.content, answer.headers.get_list("set-cookie")) == (
        401,
        b"",
        [],
    )


def test_a_session_that_the_api_ended_leads_to_the_sign_in_page(
    browser: httpx.Client, upstream: Upstream
) -> None:
    _sign_in(browser)
    upstream.tokens.clear()
    answer = browser.get("/projects/?q=1")
    assert (answer.status_code, answer.headers["location"]) == (
        302,
        "/signin/?next=%2Fprojects%2F%3Fq%3D1",
    )
    assert "mimir_session" not in browser.cookies


@pytest.mark.parametrize(
    ("upstream_status", "status", "shown"),
    [
        (404, 404, "Refused as asked."),
        (403, 403, "Refused as asked."),
        (409, 409, "Refused as asked."),
        (500, 502, "error"),
    ],
)
def test_an_error_of_the_api_is_a_page(
    browser: httpx.Client, upstream_status: int, status: int, shown: str
) -> None:
    _sign_in(browser)
    answer = browser.get(
        f"/projects/?status={upstream_status}", headers={"X-Request-ID": "id-of-this-request"}
    )
    assert answer.status_code == status
    assert shown in answer.text
    assert "id-of-this-request" in answer.text
    assert "ada" in answer.text


def test_an_overloaded_orchestrator_returns_a_retry_time(browser: httpx.Client) -> None:
    _sign_in(browser)
    answer = browser.get("/projects/?status=503")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert "<p>7</p>" in answer.text


def test_pages_work_while_the_orchestrator_is_unreachable(
    start_frontend: Callable[..., Frontend],
) -> None:
    started = start_frontend(f"http://127.0.0.1:{free_port()}", **SETTINGS)
    with started.client() as client:
        assert client.get("/").status_code == 200
        assert client.get("/health").status_code == 200
        ready = client.get("/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert (
            client.get(
                "/projects/", headers={"Cookie": f"mimir_session={session_cookie()}"}
            ).status_code
            == 503
        )


def test_unknown_and_broken_pages_are_pages_too(browser: httpx.Client) -> None:
    unknown, broken = browser.get("/nowhere/"), browser.get("/broken/")
    assert (unknown.status_code, broken.status_code) == (404, 500)
    assert unknown.headers["x-request-id"] in unknown.text
    assert "ZeroDivisionError" not in broken.text


def test_a_form_from_another_site_is_rejected(browser: httpx.Client) -> None:
    token = browser.get("/").json()["csrf"]
    answers = [
        browser.post("/signin/", data={"username": "ada", "password": "right"}),
        browser.post(
            "/signin/",
            data={"csrfmiddlewaretoken": token},
            headers={"Origin": "https://evil.example"},
        ),
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert "out of date" in answers[0].text


def test_every_page_has_its_headers(browser: httpx.Client, pages: Frontend) -> None:
    headers = browser.get("/").headers
    policy = headers["content-security-policy"]
    assert (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:;" in policy
    )
    assert f"connect-src 'self' {pages.socket_url};" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_a_static_file_is_served_once(browser: httpx.Client, pages: Frontend) -> None:
    whole = browser.get("/static/answer.js")
    assert (whole.status_code, whole.text) == (200, "export const answer = 42;\n")
    assert whole.headers["content-type"].startswith("text/javascript")
    assert "max-age" in whole.headers["cache-control"]
    head = browser.head("/static/answer.js")
    assert (head.status_code, head.content, head.headers["content-length"]) == (
        200,
        b"",
        whole.headers["content-length"],
    )
    again = browser.get(
        "/static/answer.js", headers={"If-Modified-Since": whole.headers["last-modified"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert browser.get("/static/../process.py").status_code == 404
    assert "Warning" not in pages.log.read_text()


def test_a_page_trusts_no_forwarded_header(browser: httpx.Client) -> None:
    answer = browser.get(
        "/", headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
    ).json()
    assert (answer["address"], answer["secure"]) == ("127.0.0.1", False)


def test_a_cookie_is_secure_if_the_site_uses_https(
    upstream: Upstream, start_frontend: Callable[..., Frontend]
) -> None:
    started = start_frontend(
        upstream.url, PUBLIC_URL="https://mimir.example", TRUSTED_PROXIES="127.0.0.1", **SETTINGS
    )
    with started.client() as client:
        answer = client.get("/", headers={"Host": "mimir.example", "X-Forwarded-Proto": "https"})
    assert answer.json()["secure"] is True
    assert "Secure" in answer.headers["set-cookie"]
    assert "wss://mimir.example" in answer.headers["content-security-policy"]


def test_only_signed_in_users_can_send_large_forms(browser: httpx.Client) -> None:
    file = {"file": ("a.csv", b"x" * 2 * MIB, "text/csv")}
    assert browser.post("/size/", files=file).status_code == 413
    _sign_in(browser)
    answer = _post(browser, "/size/", files=file)
    assert (answer.status_code, answer.text) == (200, str(2 * MIB))
