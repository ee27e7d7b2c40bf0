"""Cookies, forms, pages and sockets behind a load balancer that terminates TLS, in production."""

import asyncio
import json
import re
import ssl
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.contract.balancer import CLIENT, Balanced
from tests.contract.conftest import Admin, Api
from tests.support.waiting import wait_for

AsUser = Callable[[str | None], Api]


def test_the_admins_cookies_are_secure_and_its_own(balanced: Balanced) -> None:
    with balanced.client(headers={"Referer": f"{balanced.url}/admin/"}) as client:
        signed_in = Admin(client, balanced.username, balanced.password).signed_in
        given = [
            *client.get("/admin/login/?next=/admin/").headers.get_list("set-cookie"),
            *signed_in.headers.get_list("set-cookie"),
        ]
    assert {cookie.partition("=")[0] for cookie in given} == {
        "mimir_admin_csrf",
        "mimir_admin_session",
    }
    for cookie in given:
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/admin"} <= {
            part.strip() for part in cookie.split(";")
        }, cookie


def test_a_form_of_another_site_is_refused_by_the_admin(balanced: Balanced) -> None:
    for headers in (
        {},
        {"Referer": "https://evil.example/"},
        {"Origin": "https://evil.example"},
        {"Origin": balanced.url.replace("https", "http")},
    ):
        with balanced.client() as client:
            refused = Admin(client, balanced.username, balanced.password)
            answer = refused.form(
                "/admin/login/",
                {"username": balanced.username, "password": balanced.password},
                **headers,
            )
        assert answer.status_code == 403, headers
        assert "mimir_admin_session" not in client.cookies


def _sign_in(client: httpx.Client, balanced: Balanced) -> None:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/signin/").text)
    assert token
    form = {
        "username": balanced.username,
        "password": balanced.password,
        "csrfmiddlewaretoken": token[1],
        "next": "",
    }
    signed_in = client.post("/signin/", data=form)
    assert signed_in.status_code == 302, signed_in.text
    for cookie in signed_in.headers.get_list("set-cookie"):
        assert "Secure" in cookie, cookie


async def test_pages_and_sockets_work_through_it(balanced: Balanced, ran: dict[str, Any]) -> None:
    with balanced.client(headers={"Referer": f"{balanced.url}/signin/"}) as person:
        _sign_in(person, balanced)
        assert person.get("/projects/").status_code == 200
        cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.cookies.jar)
    trusted = ssl.create_default_context(cafile=str(balanced.certificate))
    url = f"{balanced.url.replace('https', 'wss')}/ws/jobs/{ran['id']}/"
    for origin, code in ((balanced.url, 1000), (balanced.url.replace("https", "http"), 4403)):
        kinds: list[str] = []
        async with connect(
            url,
            ssl=trusted,
            additional_headers={"Cookie": cookie, "Origin": origin},
            max_queue=None,
        ) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    kinds.append(json.loads(await asyncio.wait_for(socket.recv(), 30))["kind"])
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, kinds[-1:]) == (code, ["end"] if code == 1000 else [])


def test_forged_addresses_do_not_pass_the_proxy(balanced: Balanced) -> None:
    """Only the address that the trusted proxy saw counts, not addresses that a client adds."""
    marker = uuid.uuid4().hex
    with balanced.client(headers={"X-Forwarded-For": "6.6.6.6", "X-Request-ID": marker}) as client:
        assert client.get("/api/v1/session/").status_code == 401
    logs = balanced.certificate.parent / "orchestrator.log"
    [line] = wait_for(
        lambda: [line for line in logs.read_text().splitlines() if marker in line],
        "the request is logged",
    )
    assert (json.loads(line)["request_id"], json.loads(line)["ip"]) == (marker, CLIENT)
