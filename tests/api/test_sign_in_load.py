"""Load of sign-ins: few concurrent hashes, no database connection, limits per address and name.

Signed-in users are not affected.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client, RequestFactory
from django.test.client import MULTIPART_CONTENT

from mimir.api.request_limits import with_limits
from mimir.lib.clients import SIGN_INS_AT_ONCE
from mimir.lib.errors import TooMany
from projects.tokens.write import session_create
from projects.users import backends, hashing, lockout
from tests.support import make

pytestmark = pytest.mark.timeout(60)


class Hasher:
    """Replaces password hashing: counts calls and blocks each one until it is released."""

    def __init__(self) -> None:
        self.go, self.lock = threading.Event(), threading.Lock()
        self.running = self.most = self.calls = 0
        self.connected: list[bool] = []

    def __call__(self, *_: Any) -> tuple[bool, bool]:
        with self.lock:
            self.calls, self.running = self.calls + 1, self.running + 1
            self.most = max(self.most, self.running)
        self.go.wait(20)
        with self.lock:
            self.running -= 1
        return False, False


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hasher]:
    held = Hasher()
    monkeypatch.setattr(backends, "_verified", held)
    yield held
    held.go.set()


def _sign_in(name: str, address: str) -> Any:
    try:
        return Client(REMOTE_ADDR=address).post(
            "/api/v1/session/", {"username": name, "password": "x"}, content_type="application/json"
        )
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_beyond_the_pool_sign_ins_are_refused_at_once_and_none_holds_a_connection(
    hasher: Hasher,
) -> None:
    with ThreadPoolExecutor(40) as threads:
        begun, before = time.monotonic(), _connections()
        responses = [
            threads.submit(_sign_in, f"u{number}", f"192.0.2.{number}") for number in range(24)
        ]
        while (
            sum(each.done() for each in responses) < 24 - hashing.WAITING_MAX
            or _connections() > before
        ) and time.monotonic() - begun < 20:
            time.sleep(0.01)
        refused = [each.result() for each in responses if each.done()]
        held = _connections()
        hasher.go.set()
        statuses = sorted(each.result().status_code for each in responses)
    assert [each.status_code for each in refused] == [429] * 12
    assert {each.json()["code"] for each in refused} == {"busy"}
    assert all(int(each["Retry-After"]) > 0 for each in refused)
    assert statuses == [401] * 12 + [429] * 12
    assert hasher.most == hashing.AT_ONCE
    assert held <= before, "each waiting sign-in has given its connection back"


def _connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
            "pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_one_address_cannot_take_the_whole_pool(hasher: Hasher) -> None:
    with ThreadPoolExecutor(20) as threads:
        mine = [
            threads.submit(_sign_in, f"u{number}", f"2001:db8::{number}") for number in range(8)
        ]
        while sum(each.done() for each in mine) < 8 - SIGN_INS_AT_ONCE:
            time.sleep(0.01)
        other = threads.submit(_sign_in, "somebody", "198.51.100.7")
        time.sleep(0.2)
        assert not other.done(), "it waits for its turn, and is not refused"
        hasher.go.set()
        assert sorted(each.result().status_code for each in mine) == [401] * 4 + [429] * 4
        assert other.result().status_code == 401


@pytest.mark.django_db
def test_one_password_tried_on_many_names_is_limited_by_its_address() -> None:
    statuses = [
        _post("/api/v1/session/", f"user-{number}", "203.0.113.5").status_code
        for number in range(45)
    ]
    assert statuses == [401] * lockout.ADDRESS_FAILURES_MAX + [429] * 5
    assert _post("/api/v1/session/", "user-1", "203.0.113.6").status_code == 401
    assert _post("/admin/login/", "user-1", "203.0.113.5").status_code == 429
    attempts = AccessAttempt.objects.count()
    _post("/api/v1/session/", "yet-another", "203.0.113.5")
    assert AccessAttempt.objects.count() == attempts, "what is refused makes no rows"


def _post(path: str, name: str, address: str, password: str = "wrong") -> Any:
    client = Client(REMOTE_ADDR=address, raise_request_exception=False)
    kind = "application/json" if path.startswith("/api/") else MULTIPART_CONTENT
    return client.post(path, {"username": name, "password": password}, content_type=kind)


@pytest.mark.django_db
def test_one_name_tried_from_many_addresses_is_limited() -> None:
    make.user()
    statuses = [
        _post("/api/v1/session/", "ada", f"198.51.{number}.1").status_code for number in range(102)
    ]
    assert statuses == [401] * lockout.NAME_FAILURES_MAX + [429] * 2
    assert _post("/api/v1/session/", "bob", "198.51.1.1").status_code == 401


@pytest.mark.django_db
def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    statuses = [
        _post("/api/v1/session/", "ada", f"2001:db8:1:2::{number:x}").status_code
        for number in range(12)
    ]
    assert statuses[:9] == [401] * 9
    assert statuses[-1] == 429
    assert _post("/api/v1/session/", "ada", "2001:db8:1:3::1").status_code == 401


@pytest.mark.django_db
def test_a_forwarded_header_says_nothing_to_the_lock_out() -> None:
    statuses = []
    for number in range(12):
        headers = {"X-Forwarded-For": f"9.9.9.{number}", "X-Real-IP": f"9.9.9.{number}"}
        answer = Client(headers=headers).post(
            "/api/v1/session/",
            {"username": "ada", "password": "x"},
            content_type="application/json",
        )
        statuses.append(answer.status_code)
    assert statuses[-1] == 429


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["known", "unknown", "inactive", "no password"])
def test_every_wrong_sign_in_makes_one_hash(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The duration must not reveal whether the user exists."""
    created: list[str] = []
    user = make.user()
    if kind == "inactive":
        User.objects.filter(pk=user.pk).update(is_active=False)
    if kind == "no password":
        user.set_unusable_password()
        user.save()
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, *given: Any) -> str:
        created.append("x")
        return encode(self, *given)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    request = RequestFactory().post("/api/v1/session/")
    assert (
        authenticate(
            request,
            username="nobody" if kind == "unknown" else "ada",
            password="correct-horse" if kind == "inactive" else "x",
        )
        is None
    )
    assert len(created) == 1


@pytest.mark.django_db
def test_the_admins_form_says_that_it_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any) -> None:
        raise TooMany(
            "Too many sign-ins at once. Try again in a moment.", code="busy", retry_after_seconds=2
        )

    monkeypatch.setattr(backends, "hashed", busy)
    answer = _post("/admin/login/", "ada", "203.0.113.5")
    assert (answer.status_code, answer["Retry-After"]) == (429, "2")
    assert b"Try again" in answer.content


@pytest.mark.django_db
def test_a_sign_in_with_an_outdated_hash_keeps_sessions(settings: Any) -> None:
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    user = make.user()
    User.objects.filter(pk=user.pk).update(
        password=MD5PasswordHasher().encode("correct-horse", "salt")
    )
    user.refresh_from_db()
    token = session_create(user=user).token
    assert _post("/api/v1/session/", "ada", "203.0.113.5", "correct-horse").status_code == 201
    user.refresh_from_db()
    assert user.password.startswith("pbkdf2_sha256$")
    assert (
        Client().get("/api/v1/session/", headers={"Authorization": f"Bearer {token}"}).status_code
        == 200
    )


async def test_more_sign_ins_of_one_client_are_refused_before_the_application() -> None:
    release, entered = asyncio.Event(), list[str]()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        entered.append(scope["client"][0])
        await release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    limited = with_limits(application)
    statuses: list[int] = []

    async def ask(method: str, address: str) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await limited(
            {
                "type": "http",
                "method": method,
                "path": "/api/v1/session/",
                "headers": [],
                "client": (address, 1),
            },
            receive,
            send,
        )

    waiting = [asyncio.create_task(ask("POST", "192.0.2.1")) for _ in range(SIGN_INS_AT_ONCE)]
    waiting += [
        asyncio.create_task(ask("GET", "192.0.2.1")),
        asyncio.create_task(ask("POST", "192.0.2.2")),
    ]
    while len(entered) < len(waiting):
        await asyncio.sleep(0)
    await ask("POST", "192.0.2.1")
    assert (statuses, len(entered)) == ([429], len(waiting))
    release.set()
    await asyncio.gather(*waiting)
    await ask("POST", "192.0.2.1")
    assert statuses == [429] + [200] * (len(waiting) + 1)
