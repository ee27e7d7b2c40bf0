"""A site whose PUBLIC_URL is an IPv6 address: pages, forms, API and WebSockets accept it."""

import json
import socket
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.frontend.process import CSRF_SECRET, Frontend, running_frontend, session_cookie
from tests.frontend.upstream import Upstream

SITE, HOST = "http://[fd00::1]:3000", "[fd00::1]:3000"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.frontend.small_settings"}


@pytest.fixture(scope="module")
def pages(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frontend]:
    # As an administrator may write it; browsers send it in the short form.
    public_url = "http://[FD00:0:0::1]:3000/"
    folder = tmp_path_factory.mktemp("ipv6")
    with running_frontend(folder, upstream.url, PUBLIC_URL=public_url, **SETTINGS) as running:
        yield running


@pytest.fixture
def browser(pages: Frontend) -> Iterator[httpx.Client]:
    with pages.client(headers={"Host": HOST}) as client:
        yield client


def test_a_page_is_served_and_its_policy_has_only_valid_sources(browser: httpx.Client) -> None:
    answer = browser.get("/")
    assert answer.status_code == 200
    # The grammar of a content security policy has no IPv6 address: a browser reports an error.
    assert "connect-src 'self';" in answer.headers["content-security-policy"]


def test_a_form_of_this_site_is_accepted_and_one_of_another_is_not(browser: httpx.Client) -> None:
    token = browser.get("/").json()["csrf"]
    form = {"username": "ada", "password": "right"}
    for origin, status in ((SITE, 302), ("http://[fd00::2]:3000", 403)):
        headers = {"X-CSRFToken": token, "Origin": origin}
        assert browser.post("/signin/", data=form, headers=headers).status_code == status


def test_a_change_through_the_api_is_accepted_from_a_page_of_this_site(pages: Frontend) -> None:
    with pages.client(session=True, headers={"Host": HOST}) as browser:
        for origin, status in ((SITE, 200), ("http://[fd00::2]:3000", 403)):
            headers = {"X-CSRFToken": CSRF_SECRET, "Origin": origin}
            assert browser.post("/api/v1/echo/", headers=headers).status_code == status


def test_a_socket_of_a_page_of_this_site_opens(pages: Frontend) -> None:
    port = int(pages.url.rpartition(":")[2])
    with connect(
        f"ws://{HOST}/ws/echo/",
        sock=socket.create_connection(("127.0.0.1", port), timeout=10),
        origin=Origin(SITE),
        additional_headers={"Cookie": f"mimir_session={session_cookie()}; mimir_csrf=x"},
        proxy=None,
    ) as connection:
        assert dict(json.loads(connection.recv(10))["headers"])["host"] == HOST
