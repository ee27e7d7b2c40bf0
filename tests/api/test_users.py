"""Users through the API.

Permissions, the end of access, and the one-time link with which a user sets a password.
"""

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from mimir.lib.clock import utc_now
from mimir.lib.redaction import redact
from projects.models import AccessToken, AuditEvent, Membership, Role
from projects.tokens.write import token_create
from projects.users.write import user_change
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db
NEW = "an-even-longer-password"
NOBODY = Caller(None)


@pytest.fixture
def boss() -> Caller:
    return Caller(make.user("boss", is_superuser=True, is_staff=True))


def _use(link: dict[str, Any], new_password: str | None = NEW) -> Any:
    body = {"uid": link["uid"], "token": link["token"]}
    return NOBODY.post(
        "password-link/", body if new_password is None else {**body, "new_password": new_password}
    )


def _signs_in(username: str, password: str) -> bool:
    return bool(
        NOBODY.post("session/", {"username": username, "password": password}).status_code == 201
    )


def test_a_new_user_sets_a_password_with_a_link_that_works_once(boss: Caller) -> None:
    answer = boss.post("users/", {"username": "ines", "email": "ines@example.org"})
    assert answer.status_code == 201, answer.content
    created = answer.json()
    link = created.pop("password_link")
    assert (
        created["username"],
        created["is_active"],
        created["is_superuser"],
        created["has_password"],
    ) == (
        "ines",
        True,
        False,
        False,
    )
    assert created == boss.get("users/ines/").json()
    expires = dt.datetime.fromisoformat(link["expires_at"]) - utc_now()
    assert dt.timedelta(hours=23, minutes=59) < expires <= dt.timedelta(hours=24)
    assert not _signs_in("ines", "")
    assert _use(link, None).json() == {"username": "ines", "changed": False}
    weak = _use(link, "short")
    assert (weak.status_code, "12 characters" in weak.json()["detail"]["new_password"]) == (
        400,
        True,
    )
    assert _use(link).json() == {"username": "ines", "changed": True}
    assert _use(link, NEW + "2").json()["code"] == "link_invalid"
    assert _signs_in("ines", NEW)
    kinds = list(
        AuditEvent.objects.filter(subject="ines").order_by("id").values_list("kind", "actor_name")
    )
    assert kinds == [
        ("user_created", "boss"),
        ("password_link_created", "boss"),
        ("password_changed", "ines"),
        ("signed_in", "ines"),
    ]
    assert link["token"] not in str(list(AuditEvent.objects.values_list("detail", flat=True)))


def test_a_reset_link_ends_nothing_until_it_is_used(boss: Caller) -> None:
    bob = make.user("bob")
    session = Caller(bob)
    token_create(user=bob, name="nightly", expires_at=None)
    link = boss.post("users/bob/reset-link/").json()
    assert session.get("session/").status_code == 200
    assert _use(link).status_code == 200
    assert session.get("session/").status_code == 401
    assert not AccessToken.objects.filter(user=bob).exists()
    assert (_signs_in("bob", "correct-horse"), _signs_in("bob", NEW)) == (False, True)


def _expired(link: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    later = dt.datetime.now() + dt.timedelta(hours=24, seconds=5)
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: later)


def _deactivated(link: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    User.objects.filter(username="bob").update(is_active=False)


def _deactivated_and_activated(link: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    boss = User.objects.get(username="boss")
    for active in (False, True):
        user_change(username="bob", changes={"is_active": active}, actor=boss)


def _changed(link: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    bob = User.objects.get(username="bob")
    bob.set_password("something-else-entirely")
    bob.save()


def _part(**parts: str) -> Any:
    return lambda link, monkeypatch: link.update(parts)


@pytest.mark.parametrize(
    "spoil",
    [
        *(
            _expired,
            _deactivated,
            _deactivated_and_activated,
            _changed,
            _part(token="x"),
            _part(token="a-b"),
        ),
        *(_part(uid="x"), _part(uid="ÿ"), _part(uid="MTIzNDU2Nzg5"), _part(uid="LTE")),
    ],
)
def test_a_link_that_is_not_valid_says_what_to_do_and_nothing_about_users(
    boss: Caller, spoil: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.user("bob")
    link = boss.post("users/bob/reset-link/").json()
    spoil(link, monkeypatch)
    for password in (None, NEW, "short"):
        answer = _use(link, password)
        assert (answer.status_code, answer.json()["code"], answer.json()["detail"]) == (
            400,
            "link_invalid",
            {},
        )
        assert "Ask an administrator for a new one" in answer.json()["message"]


def test_after_an_activation_a_new_link_works_until_the_next_deactivation(boss: Caller) -> None:
    make.user("bob")
    dead = []
    for _ in range(2):
        dead.append(boss.post("users/bob/reset-link/").json())
        _deactivated_and_activated({}, pytest.MonkeyPatch())
    assert [_use(link, None).status_code for link in dead] == [400, 400]
    new = boss.post("users/bob/reset-link/").json()
    user_change(
        username="bob", changes={"is_superuser": True}, actor=User.objects.get(username="boss")
    )
    user_change(
        username="bob", changes={"is_superuser": False}, actor=User.objects.get(username="boss")
    )
    assert _use(new).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ({}, 400, "username"),
        ({"username": "bad name"}, 400, "username"),
        ({"username": "a/b"}, 400, "username"),
        ({"username": ".."}, 400, "username"),
        ({"username": "x" * 151}, 400, "username"),
        ({"username": "BOSS"}, 409, "username"),
        ({"username": "ok", "email": "no"}, 400, "email"),
        ({"username": "ok", "password": "a-password-of-mine"}, 400, "password"),
        ({"username": "ok", "is_superuser": "maybe"}, 400, "is_superuser"),
    ],
)
def test_an_error_of_a_new_user_is_reported_at_its_field(
    boss: Caller, body: Any, status: int, path: str
) -> None:
    answer = boss.post("users/", body)
    assert (answer.status_code, path in answer.json()["detail"]) == (status, True), answer.content
    assert User.objects.count() == 1


def test_a_list_is_searched_filtered_and_paged(boss: Caller) -> None:
    for name, fields in (
        ("ana", {"email": "x@lab.example"}),
        ("ben", {"is_active": False}),
        ("cleo", {"is_superuser": True}),
        ("lab-bot", {}),
    ):
        make.user(name, **fields)
    Membership.objects.create(
        project=make.project(owner=User.objects.get(username="boss")),
        user=User.objects.get(username="ana"),
        role=Role.VIEWER,
    )

    def names(**query: Any) -> list[str]:
        answer = boss.get("users/", query)
        assert answer.status_code == 200, answer.content
        return [row["username"] for row in answer.json()["results"]]

    assert names() == ["ana", "ben", "boss", "cleo", "lab-bot"]
    assert names(q="LAB") == ["ana", "lab-bot"]
    assert names(active="false") == ["ben"]
    assert names(administrator="true", active="true") == ["boss", "cleo"]
    assert {row["username"]: row["projects"] for row in boss.get("users/").json()["results"]}[
        "ana"
    ] == 1
    first = boss.get("users/", {"limit": 1, "q": "a"}).json()
    assert [
        row["username"]
        for row in boss.get(first["next"].removeprefix("/api/v1/")).json()["results"]
    ] == ["lab-bot"]
    assert boss.get("users/", {"is_active": "true"}).status_code == 400


def test_deactivation_ends_access_permanently(boss: Caller) -> None:
    bob = make.user("bob")
    session = Caller(bob)
    assert boss.send("PATCH", "users/bob/", {"is_active": False}).json()["is_active"] is False
    assert session.get("session/").status_code == 401
    assert boss.post("users/bob/reset-link/").json()["code"] == "user_inactive"
    assert boss.send("PATCH", "users/bob/", {"is_active": True}).status_code == 200
    assert session.get("session/").status_code == 401
    changes = [row.detail for row in AuditEvent.objects.filter(kind="user_changed").order_by("id")]
    assert changes[0] == {"before": {"is_active": True}, "after": {"is_active": False}}


def test_the_administrator_role_is_granted_and_revoked_except_for_the_last(boss: Caller) -> None:
    make.user("bob")
    own = boss.send("PATCH", "users/boss/", {"is_active": False})
    assert (own.status_code, own.json()["code"]) == (409, "own_account")
    assert (
        boss.send("PATCH", "users/boss/", {"is_superuser": False}).json()["code"]
        == "last_administrator"
    )
    assert boss.send("PATCH", "users/bob/", {"is_superuser": True}).status_code == 200
    assert User.objects.get(username="bob").is_staff
    User.objects.filter(username="bob").update(is_active=False)
    assert (
        boss.send("PATCH", "users/boss/", {"is_superuser": False}).json()["code"]
        == "last_administrator"
    )
    User.objects.filter(username="bob").update(is_active=True)
    assert boss.send("PATCH", "users/boss/", {"is_superuser": False}).status_code == 200
    assert not User.objects.get(username="boss").is_staff
    assert boss.get("users/").status_code == 401  # a lost right ends the session, too


def test_an_administrator_who_was_removed_a_moment_ago_changes_nobody() -> None:
    """Two administrators remove each other. The second request waited for the lock."""
    actor = make.user("gone", is_superuser=True)
    other = make.user("other", is_superuser=True)
    User.objects.filter(pk=actor.pk).update(is_superuser=False)
    with pytest.raises(Exception, match="site administrators"):
        user_change(username="other", changes={"is_active": False}, actor=actor)
    other.refresh_from_db()
    assert other.is_active


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "users/ben/"), ("PATCH", "users/ben/"), ("POST", "users/ben/reset-link/")],
)
def test_no_such_user(boss: Caller, method: str, path: str) -> None:
    answer = boss.send(method, path, {"is_active": True} if method == "PATCH" else b"")
    assert (answer.status_code, "There is no user ben" in answer.json()["message"]) == (404, True)


def test_a_link_does_not_reach_a_log() -> None:
    line = {
        "event": "request",
        "path": "/password/MQ/abc-0123456789/",
        "referer": "https://x/password/MQ/abc-0123456789/?a=b",
    }
    assert "0123456789" not in str(redact(line))
