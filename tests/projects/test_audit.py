"""Audit trail: actor, action, time and address, as a row and as a log line."""

import tempfile
from typing import IO, Any, cast

import pytest
from django.test import Client

from projects.datasets.uploads_write import dataset_upload
from projects.models import AuditEvent, AuditKind, Role
from projects.tokens.write import session_create
from tests.support import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Lines of the audit log.

    Its logger may be cached, so structlog's own capture would miss them.
    """
    found: list[dict[str, Any]] = []

    class Recorder:
        def info(self, event: str, **facts: Any) -> None:
            found.append({"event": event, **facts})

    monkeypatch.setattr("mimir.api.audit.log", Recorder())
    return found


def _rows() -> list[tuple[str, str, str, str, str]]:
    return [
        (row.kind, row.actor_name, row.subject, row.project_slug, row.address)
        for row in AuditEvent.objects.order_by("id")
    ]


def _as(user: Any) -> Client:
    return Client(
        headers={"Authorization": f"Bearer {session_create(user=user).token}"},
        REMOTE_ADDR="203.0.113.7",
    )


def test_changes_of_members_name_their_author() -> None:
    project = make.project()
    make.user("bob")
    client = _as(project.created_by)
    path = "/api/v1/projects/demo/members/"
    assert (
        client.post(
            path, {"username": "bob", "role": "viewer"}, content_type="application/json"
        ).status_code
        == 201
    )
    assert (
        client.put(f"{path}bob/", {"role": "operator"}, content_type="application/json").status_code
        == 200
    )
    assert client.delete(f"{path}bob/").status_code == 204
    who = ("ada", "bob", "demo", "203.0.113.7")
    assert _rows() == [("member_added", *who), ("member_changed", *who), ("member_removed", *who)]
    changed = AuditEvent.objects.get(kind=AuditKind.MEMBER_CHANGED)
    assert changed.detail == {"role": Role.OPERATOR, "before": Role.VIEWER}
    assert changed.actor == project.created_by


def test_tokens_and_sign_ins_are_recorded_without_the_secret(lines: list[dict[str, Any]]) -> None:
    user = make.user()
    client = Client(REMOTE_ADDR="203.0.113.7")
    body = {"username": "ada", "password": "correct-horse"}
    token = client.post("/api/v1/session/", body, content_type="application/json").json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    created = client.post(
        "/api/v1/tokens/", {"name": "nightly"}, content_type="application/json", headers=headers
    ).json()
    assert client.delete(f"/api/v1/tokens/{created['id']}/", headers=headers).status_code == 204
    assert client.delete("/api/v1/session/", headers=headers).status_code == 204
    assert (
        client.post(
            "/api/v1/session/", body | {"password": "wrong"}, content_type="application/json"
        ).status_code
        == 401
    )
    assert [row[:3] for row in _rows()] == [
        ("signed_in", "ada", "ada"),
        ("token_created", "ada", "nightly"),
        ("token_deleted", "ada", "nightly"),
        ("signed_out", "ada", "ada"),
    ]
    assert {row[4] for row in _rows()} == {"203.0.113.7"}
    acts = [line for line in lines if line["event"] == "audit"]
    assert [line["act"] for line in acts] == [
        "signed_in",
        "token_created",
        "token_deleted",
        "signed_out",
        "sign_in_failed",
    ]
    assert acts[0]["user_id"] == user.pk
    assert (acts[-1]["subject"], acts[-1]["address"]) == ("ada", "203.0.113.7")
    assert token not in str(acts) + str(list(AuditEvent.objects.values()))
    assert created["token"] not in str(acts) + str(list(AuditEvent.objects.values()))


def test_a_download_is_a_line_of_the_log(lines: list[dict[str, Any]]) -> None:
    project = make.project()
    owner = project.created_by
    assert owner is not None
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"a\n1\n")
        file.flush()
        dataset_upload(
            project=project,
            name="t",
            file=cast(IO[bytes], file),
            path=file.name,
            size_bytes=4,
            user=owner,
        )
    for name in ("t", "none"):
        _as(project.created_by).get(f"/api/v1/projects/demo/datasets/{name}/versions/1/content/")
    [line] = [line for line in lines if line["event"] == "audit"]
    path = "/api/v1/projects/demo/datasets/t/versions/1/content/"
    assert (line["act"], line["user"], line["address"], line["path"]) == (
        "download",
        "ada",
        "203.0.113.7",
        path,
    )


def test_the_trail_outlives_the_user_and_cannot_be_changed_in_the_admin() -> None:
    user, boss = make.user(), make.user("boss", is_staff=True, is_superuser=True)
    _as(user).post("/api/v1/tokens/", {"name": "t"}, content_type="application/json")
    user.delete()
    row = AuditEvent.objects.get(kind=AuditKind.TOKEN_CREATED)
    assert (row.actor, row.actor_name) == (None, "ada")
    client = Client()
    client.force_login(boss, backend="projects.users.backends.PasswordBackend")
    page = client.get("/admin/projects/auditevent/?q=ada")
    assert page.status_code == 200
    assert b"Token created" in page.content
    assert (
        client.post(f"/admin/projects/auditevent/{row.pk}/change/", {"actor_name": "x"}).status_code
        == 403
    )
    assert client.post("/admin/projects/auditevent/add/", {}).status_code == 403
