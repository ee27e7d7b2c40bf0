"""Access to the orchestrator's own port.

Requests that need no proof of the frontend, and the rights that a proof gives.
"""

import ipaddress
import json
import time
from typing import Any, cast

import httpx
import pytest

from mimir.api.port_access import PortAccess, Rules, rules
from mimir.lib.request_signature import HEADER_NAME, Client, sign

KEYS = ("n" * 40, "o" * 40)
TOKEN = "scrape-token-of-the-tests"
BEARER = {"Authorization": "Bearer x"}
PERSON = Client("203.0.113.9", True, "mimir.example.com")
SIGN_IN, NEEDS_FRONTEND = ("POST", "/api/v1/session/"), 403


async def _shows(scope: Any, receive: Any, send: Any) -> None:
    """Application that responds with the scope that it receives."""
    body = {
        "client": (scope["client"] or [""])[0],
        "scheme": scope["scheme"],
        "headers": {name.decode(): value.decode("latin-1") for name, value in scope["headers"]},
    }
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


async def _ask(
    method: str,
    path: str,
    headers: dict[str, str] | dict[str, bytes] | None = None,
    *,
    peer: str = "10.1.2.3",
    by: Rules | None = None,
) -> httpx.Response:
    by = by or rules(
        frontend_keys=KEYS,
        direct_sources=[],
        metrics_token=TOKEN,
        metrics_sources=["192.0.2.0/24"],
        public_url="https://mimir.example.com",
    )
    transport = httpx.ASGITransport(app=PortAccess(_shows, by), client=(peer, 4711))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://orchestrator:8080"
    ) as client:
        return await client.request(method, path, headers=cast(Any, headers))


def _proof(
    method: str,
    path: str,
    *,
    keys: tuple[str, ...] = KEYS,
    at: float | None = None,
    client: Client = PERSON,
) -> dict[str, str]:
    return {
        HEADER_NAME: sign(
            client,
            method=method,
            target=path.encode(),
            keys=keys,
            now=time.time() if at is None else at,
        )
    }


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/health", {}, 200),
        ("GET", "/ready/", {}, 200),
        ("POST", "/worker/v1/attempts/1/claim", {}, 200),
        ("GET", "/api/v1/projects/", BEARER, 200),
        ("GET", "/api/v1/projects/", {"authorization": "bearer x"}, 200),
        ("DELETE", "/api/v1/session/", BEARER, 200),
        ("GET", "/api/schema/", BEARER, 200),
        ("GET", "/api/v1/projects/", {}, 401),
        ("GET", "/api/v1/projects/", {"Authorization": "Bearer "}, 401),
        ("GET", "/api/v1/projects/", {"Authorization": "Basic YTpi"}, 401),
        ("GET", "/api/v1/projects/", {"Cookie": "mimir_session=x; mimir_admin_session=y"}, 401),
        ("POST", "/api/v1/session/", {}, 403),
        ("POST", "/api/v1/session", BEARER, 403),
        ("POST", "/api/v1/session/", BEARER, 403),
        ("POST", "/api/v1/password-link/", {}, 403),
        ("POST", "/api/v1/password-link", BEARER, 403),
        ("GET", "/admin/", {}, 403),
        ("POST", "/admin/login/", BEARER, 403),
        ("GET", "/admin/static/admin/css/base.css", {}, 403),
        ("GET", "/api/docs/", BEARER, 403),
        ("GET", "/api/schema/", {}, 403),
        ("GET", "/", {}, 403),
        ("GET", "/anything", BEARER, 403),
        ("GET", "/healthy", {}, 403),
        ("GET", "/worker", {}, 403),
        ("GET", "/metrics", {}, 403),
        ("GET", "/metrics", {"Authorization": "Bearer wrong"}, 403),
        ("GET", "/metrics", {"Authorization": "Bearer é".encode("latin-1").decode("latin-1")}, 403),
        ("GET", "/metrics", {"Authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
async def test_without_a_proof_only_programs_are_answered(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    as_bytes = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = await _ask(method, path, as_bytes)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert sorted(answer.json()) == ["code", "detail", "message"]
        assert answer.headers["Cache-Control"] == "no-store"


async def test_a_refusal_says_what_to_do() -> None:
    message = (await _ask(*SIGN_IN)).json()["message"]
    assert all(
        word in message
        for word in ("https://mimir.example.com", "Authorization: Bearer", "DIRECT_SOURCES")
    )
    assert "METRICS_TOKEN" in (await _ask("GET", "/metrics")).json()["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/session/",
        "/admin/login/?next=/admin/",
        "/api/docs/",
        "/api/v1/projects/?q=%C3%A9&b=",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_with_a_proof_the_person_behind_it_is_believed(method: str, path: str) -> None:
    answer = await _ask(
        method,
        path,
        _proof(method, path) | {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http"},
    )
    body = answer.json()
    assert (body["client"], body["scheme"]) == ("203.0.113.9", "https")
    assert (body["headers"]["x-forwarded-for"], body["headers"]["x-forwarded-host"]) == (
        "203.0.113.9",
        "mimir.example.com",
    )
    assert HEADER_NAME.lower() not in body["headers"]


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "::1", "fd00::1", "203.0.113.1"])
async def test_forwarded_headers_without_a_proof_are_not_believed_from_anywhere(peer: str) -> None:
    forged = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "evil",
        "Forwarded": "for=6.6.6.6",
    }
    forged |= {"X-Real-IP": "6.6.6.6"}
    body = (await _ask("GET", "/api/v1/projects/", BEARER | forged, peer=peer)).json()
    assert (body["client"], body["scheme"], body["headers"]["x-forwarded-for"]) == (
        peer,
        "http",
        peer,
    )
    assert "6.6.6.6" not in json.dumps(body)


PATH = "/api/v1/session/"
CHANGED: dict[str, dict[str, str]] = {
    "another method": _proof("GET", PATH),
    "another path": _proof("POST", "/api/v1/tokens/"),
    "another query": _proof("POST", f"{PATH}?a=b"),
    "another key": _proof("POST", PATH, keys=("x" * 40,)),
    "old": _proof("POST", PATH, at=time.time() - 3600),
    "of the future": _proof("POST", PATH, at=time.time() + 3600),
    "empty": {HEADER_NAME: ""},
    "one part": {HEADER_NAME: "v1"},
    "no number": {HEADER_NAME: "v1.x.y.z"},
    "another version": {HEADER_NAME: "v2." + _proof("POST", PATH)[HEADER_NAME][3:]},
    "too long": {HEADER_NAME: "v1." + "a" * 100_000},
    "outside ASCII": {HEADER_NAME: "v1.é.é.é"},
}


@pytest.mark.parametrize("name", CHANGED)
async def test_a_proof_of_anything_else_is_none(name: str) -> None:
    headers = {key: value.encode("latin-1") for key, value in CHANGED[name].items()}
    answer = await _ask("POST", PATH, headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (403, "direct_refused")
    assert ("signature was rejected" in answer.json()["message"]) == (name != "empty")


async def test_the_facts_of_a_proof_cannot_be_changed() -> None:
    _version, at, payload, proved_by = _proof("POST", PATH)[HEADER_NAME].split(".")
    _other, _at, other, _hash = _proof("POST", PATH, client=Client("6.6.6.6", True, "x"))[
        HEADER_NAME
    ].split(".")
    assert payload != other
    assert (
        await _ask("POST", PATH, {HEADER_NAME: f"v1.{at}.{other}.{proved_by}"})
    ).status_code == 403


async def test_a_bad_proof_takes_nothing_from_a_bearer_token() -> None:
    body = (await _ask("GET", "/api/v1/projects/", BEARER | {HEADER_NAME: "v1.1.2.3"})).json()
    assert body["client"] == "10.1.2.3"


async def test_the_key_that_is_rotated_out_is_still_accepted() -> None:
    assert (await _ask("POST", PATH, _proof("POST", PATH, keys=(KEYS[1],)))).status_code == 200


@pytest.mark.parametrize(
    ("peer", "status"),
    [("127.0.0.1", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.1", 403), ("", 403)],
)
async def test_named_sources_may_ask_directly(peer: str, status: int) -> None:
    by = Rules(frontend_keys=KEYS, direct_sources=(ipaddress.ip_network("127.0.0.0/8"),))
    for method, path in (SIGN_IN, ("GET", "/admin/"), ("GET", "/api/docs/")):
        assert (await _ask(method, path, peer=peer, by=by)).status_code == status
    assert (await _ask("GET", "/metrics", peer=peer, by=by)).status_code == 403, (
        "a source of people is no source of scrapes"
    )


async def test_named_sources_may_scrape() -> None:
    assert (await _ask("GET", "/metrics", peer="192.0.2.7")).status_code == 200
    assert (await _ask("GET", "/metrics", _proof("GET", "/metrics"))).status_code == 403
    assert (
        await _ask("GET", "/metrics", {"Authorization": "Bearer "}, by=Rules(frontend_keys=KEYS))
    ).status_code == 403
