"""End of sessions, tokens and sockets: changed password, deactivation, lost role, own request."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from jobs.live.routing import websocket_application
from projects.models import AccessToken, AuditEvent, AuditKind, Membership, Role
from projects.tokens.write import session_create, token_create
from projects.users.passwords import password_stamp
from tests.support import make

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(60)]
OLD, NEW = "correct-horse", "another-long-password"


def _status(token: str) -> int:
    return (
        Client().get("/api/v1/session/", headers={"Authorization": f"Bearer {token}"}).status_code
    )


def _call(token: str, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    if body is None:
        return Client().generic(method, f"/api/v1/{path}", headers=headers)
    return getattr(Client(), method.lower())(
        f"/api/v1/{path}", body, content_type="application/json", headers=headers
    )


def _both(user: User) -> list[str]:
    return [
        session_create(user=user).token,
        token_create(user=user, name="t", expires_at=None).token,
    ]


def _admin(user: User) -> Client:
    client = Client()
    assert (
        client.post("/admin/login/", {"username": user.username, "password": OLD}).status_code
        == 302
    )
    assert client.get("/admin/").status_code == 200
    return client


def _set_password(user: User) -> None:
    user.set_password(NEW)
    user.save()


def _update_password(user: User) -> None:
    User.objects.filter(pk=user.pk).update(password="pbkdf2_sha256$1$x$y")


def _deactivate(user: User) -> None:
    user.is_active = False
    user.save()


def _deactivate_and_back(user: User) -> None:
    _deactivate(user)
    user.is_active = True
    user.save()


def _lose(right: str) -> Callable[[User], None]:
    def change(user: User) -> None:
        setattr(user, right, False)
        user.save()

    return change


ENDS: dict[str, Callable[[User], None]] = {
    "set_password": _set_password,
    "an update past the models": _update_password,
    "deactivation": _deactivate,
    "deactivation and re-activation": _deactivate_and_back,
    "no superuser any more": _lose("is_superuser"),
    "no staff any more": _lose("is_staff"),
}


@pytest.mark.parametrize("name", ENDS)
def test_it_ends_sessions_tokens_and_the_admin_permanently(name: str) -> None:
    user, other = (
        make.user("ada", is_staff=True, is_superuser=True),
        make.user("bob", is_staff=True, is_superuser=True),
    )
    tokens, kept, admin, other_admin = _both(user), _both(other), _admin(user), _admin(other)
    assert [_status(token) for token in tokens] == [200, 200]
    ENDS[name](user)
    assert [_status(token) for token in tokens] == [401, 401]
    assert admin.get("/admin/").status_code == 302
    User.objects.filter(pk=user.pk).update(is_active=True, is_staff=True, is_superuser=True)
    assert [_status(token) for token in tokens] == [401, 401]
    assert admin.get("/admin/").status_code == 302
    assert [_status(token) for token in kept] == [200, 200]
    assert other_admin.get("/admin/").status_code == 200


def test_a_user_deactivated_past_the_models_is_swept() -> None:
    from projects.storage.sweep import expired_tokens_sweep

    user = make.user()
    tokens = _both(user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert _status(tokens[0]) == 401
    assert not AccessToken.objects.filter(user=user).exists(), "the first use ends all of them"
    tokens = _both(user)
    assert expired_tokens_sweep() == 2
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert [_status(token) for token in tokens] == [401, 401]


def test_a_sign_in_and_other_changes_of_a_user_end_nothing() -> None:
    user = make.user("ada", is_staff=True)
    tokens, admin = _both(user), _admin(user)
    user.refresh_from_db()
    user.email, user.is_superuser = "ada@example.org", True
    user.save()
    assert [_status(token) for token in tokens] == [200, 200]
    assert admin.get("/admin/").status_code == 200


def test_a_token_of_the_release_before_gets_its_stamp_at_its_next_use() -> None:
    user = make.user()
    [session, _token] = _both(user)
    AccessToken.objects.filter(user=user).update(password_stamp="")
    assert _status(session) == 200
    assert AccessToken.objects.filter(user=user, password_stamp=password_stamp(user)).count() == 1
    _set_password(user)
    assert _status(session) == 401


def test_a_child_token_ends_with_its_parent() -> None:
    user = make.user()
    session = session_create(user=user)
    parent = _call(session.token, "POST", "tokens/", {"name": "parent"}).json()
    child = _call(parent["token"], "POST", "tokens/", {"name": "child"}).json()
    grandchild = _call(child["token"], "POST", "tokens/", {"name": "grandchild"}).json()
    assert _call(session.token, "DELETE", f"tokens/{parent['id']}/").status_code == 204
    assert [_status(each["token"]) for each in (parent, child, grandchild)] == [401, 401, 401]
    beside = _call(session.token, "POST", "tokens/", {"name": "beside"}).json()
    assert _call(session.token, "DELETE", "session/").status_code == 204
    assert _status(beside["token"]) == 200, (
        "a token that a session made is its user's: signing out ends the session alone"
    )


@pytest.mark.parametrize(
    ("end_tokens", "statuses"),
    [(None, [200, 401, 401]), (True, [200, 401, 401]), (False, [200, 401, 200])],
)
def test_a_user_changes_the_password(end_tokens: bool | None, statuses: list[int]) -> None:
    user = make.user()
    mine, [other, token] = session_create(user=user).token, _both(user)
    body = {"current_password": OLD, "new_password": NEW} | (
        {} if end_tokens is None else {"end_tokens": end_tokens}
    )
    answer = _call(mine, "POST", "password/", body)
    assert (answer.status_code, answer.json()["ended_sessions"]) == (200, 1)
    assert [_status(each) for each in (mine, other, token)] == statuses
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert AuditEvent.objects.filter(kind=AuditKind.PASSWORD_CHANGED, actor=user).count() == 1
    assert (
        _call(
            mine, "POST", "password/", {"current_password": NEW, "new_password": OLD + "-battery"}
        ).status_code
        == 200
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"current_password": "wrong", "new_password": NEW}, "current_password"),
        ({"current_password": OLD, "new_password": "short"}, "new_password"),
        ({"current_password": OLD, "new_password": "elevenchars"}, "new_password"),
        ({"current_password": OLD, "new_password": OLD}, "new_password"),
        ({"new_password": NEW}, "current_password"),
        ({"current_password": OLD}, "new_password"),
    ],
)
def test_a_password_is_changed_with_the_current_one_to_a_good_one(
    body: dict[str, str], field: str
) -> None:
    user = make.user()
    token = session_create(user=user).token
    answer = _call(token, "POST", "password/", body)
    assert (answer.status_code, list(answer.json()["detail"])) == (400, [field])
    assert _status(token) == 200


def test_the_current_password_cannot_be_guessed_without_limit() -> None:
    token = session_create(user=make.user()).token
    statuses = [
        _call(
            token, "POST", "password/", {"current_password": f"x{number}", "new_password": NEW}
        ).status_code
        for number in range(12)
    ]
    assert statuses[:9] == [400] * 9
    assert statuses[-1] == 429


def test_a_user_sees_and_ends_sessions() -> None:
    user, other = make.user("ada", is_staff=True), make.user("bob")
    response = Client().post(
        "/api/v1/session/",
        {"username": "ada", "password": OLD},
        content_type="application/json",
        headers={"User-Agent": "Browser é 1"},
    )
    mine, [second, api_token], [foreign, _token] = (
        response.json()["token"],
        _both(user),
        _both(other),
    )
    rows = _call(mine, "GET", "sessions/").json()["results"]
    assert [(row["current"], row["address"], row["client"]) for row in rows] == [
        (False, "", ""),
        (True, "127.0.0.1", "Browser é 1"),
    ]
    assert _call(mine, "DELETE", f"sessions/{rows[0]['id']}/").status_code == 204
    assert [_status(each) for each in (mine, second, api_token)] == [200, 401, 200]
    foreign_id = AccessToken.objects.get(user=other, kind="session").id
    assert _call(mine, "DELETE", f"sessions/{foreign_id}/").status_code == 404
    third = session_create(user=user).token
    assert _call(mine, "DELETE", "sessions/?others=true").json() == {"ended_sessions": 1}
    assert [_status(each) for each in (mine, third)] == [200, 401]
    admin = _admin(user)
    assert _call(mine, "DELETE", "sessions/").json() == {"ended_sessions": 2}
    assert [_status(each) for each in (mine, api_token, foreign)] == [401, 200, 200]
    assert admin.get("/admin/").status_code == 302


async def _closes_with(change: Callable[[], Any]) -> int:
    job = await database_sync_to_async(make.job)()
    reader = await database_sync_to_async(make.member)(job.project, "reader", Role.VIEWER)
    token = (await database_sync_to_async(session_create)(user=reader)).token
    socket = WebsocketCommunicator(
        websocket_application,
        f"/ws/jobs/{job.id}/",
        headers=[(b"authorization", f"Bearer {token}".encode())],
    )
    assert (await socket.connect())[0]
    await database_sync_to_async(change)()
    loop = asyncio.get_running_loop()
    end = loop.time() + 8
    while loop.time() < end:
        message = await socket.receive_output(timeout=8)
        if message["type"] == "websocket.close":
            await socket.disconnect()
            return int(message["code"])
    raise AssertionError("it stayed open")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda: _set_password(User.objects.get(username="reader")), 4401),
        (lambda: _deactivate(User.objects.get(username="reader")), 4401),
        (lambda: AccessToken.objects.filter(user__username="reader").delete(), 4401),
        (lambda: Membership.objects.filter(user__username="reader").delete(), 4404),
    ],
)
@pytest.mark.django_db(transaction=True)
async def test_an_open_socket_ends_within_seconds(change: Callable[[], Any], code: int) -> None:
    assert await _closes_with(change) == code


def test_the_changepassword_command_ends_sessions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    user = make.user()
    tokens = _both(user)
    monkeypatch.setattr("getpass.getpass", lambda **_: NEW)
    call_command("changepassword", "ada", verbosity=0)
    assert [_status(token) for token in tokens] == [401, 401]
