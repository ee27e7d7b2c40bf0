"""Conditional edits (RFC 9110): every editable resource has an ETag that its edits compare."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.clusters.rows import cluster_ensure
from jobs.models import Limit
from projects.models import Membership, Project, Role
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

TOWN = {
    "types": [
        {
            "name": "town",
            "key": {"name": "name"},
            "properties": [{"name": "size", "type": "integer"}],
        }
    ]
}
LARGER = {"types": [*TOWN["types"], {"name": "other", "key": {"name": "k"}, "properties": []}]}
ECHO = {"name": "echo", "definition": make.ECHO}
OTHER = {
    "name": "echo",
    "definition": {"steps": [{"id": "other", "uses": "command", "with": {"argv": ["/bin/true"]}}]},
}


@dataclass(frozen=True)
class Edit:
    """An edit of a resource.

    `read` is the path that returns the ETag. `change` is an edit by another user.
    """

    method: str
    path: str
    body: Any
    read: str
    change: Callable[[Caller], Any]


def _patch(path: str, body: Any, method: str = "PATCH") -> Callable[[Caller], Any]:
    return lambda caller: caller.send(method, path, body)


P, MEMBER, LIMITS = "projects/demo/", "projects/demo/members/bob/", "limits/"
ENTITY = "projects/demo/twins/t/entities/town/A/"
BY_QUERY = "projects/demo/twins/t/entity/{}?type=town&key=A"
ROLE = _patch(MEMBER, {"role": "operator"})
LIMIT = {"scope": "global", "key": "", "max_jobs": 3}
SIZE = _patch(f"{ENTITY}overlay/", {"values": {"size": 5}, "note": ""})
EDITS = {
    "project": Edit("PATCH", P, {"description": "mine"}, P, _patch(P, {"description": "theirs"})),
    "member put": Edit("PUT", MEMBER, {"role": "maintainer"}, MEMBER, ROLE),
    "member patch": Edit("PATCH", MEMBER, {"role": "maintainer"}, MEMBER, ROLE),
    "member delete": Edit("DELETE", MEMBER, None, MEMBER, ROLE),
    "user": Edit("PATCH", "users/bob/", {"email": "mine@example.org"}, "users/bob/", _patch("users/bob/", {"email": "theirs@example.org"})),  # noqa: E501
    "limit": Edit("PATCH", LIMITS, LIMIT, LIMITS, _patch(LIMITS, {**LIMIT, "max_jobs": 9})),
    "cluster": Edit("PATCH", "clusters/local/", {"region": "mine"}, "clusters/local/", _patch("clusters/local/", {"region": "theirs"})),  # noqa: E501
    "cluster delete": Edit("DELETE", "clusters/local/", None, "clusters/local/", _patch("clusters/local/", {"region": "theirs"})),  # noqa: E501
    "pipeline": Edit("POST", "projects/demo/pipelines/", ECHO, "projects/demo/pipelines/echo/", _patch("projects/demo/pipelines/", OTHER, "POST")),  # noqa: E501
    "twin": Edit(
        "PUT", "projects/demo/twins/t/definition/", {"definition": TOWN}, "projects/demo/twins/t/",
        _patch("projects/demo/twins/t/definition/", {"definition": LARGER}, "PUT"),
    ),
    "entity": Edit("PATCH", f"{ENTITY}overlay/", {"values": {"size": 7}, "note": ""}, ENTITY, SIZE),
    "entity by query": Edit("PATCH", BY_QUERY.format("overlay/"), {"values": {"size": 7}, "note": ""}, BY_QUERY.format(""), SIZE),  # noqa: E501
    "dataset": Edit(
        "PATCH", "projects/demo/datasets/d/", {"current_version": 1}, "projects/demo/datasets/d/",
        lambda caller: make.dataset_version(Project.objects.get(slug="demo"), "d"),
    ),
    "dataset delete": Edit(
        "DELETE", "projects/demo/datasets/d/", None, "projects/demo/datasets/d/",
        lambda caller: make.dataset_version(Project.objects.get(slug="demo"), "d"),
    ),
    "dataset version delete": Edit(
        "DELETE", "projects/demo/datasets/d/versions/1/", None, "projects/demo/datasets/d/versions/1/",  # noqa: E501
        lambda caller: make.dataset_version(Project.objects.get(slug="demo"), "d"),
    ),
}  # fmt: skip


@pytest.fixture
def caller() -> Caller:
    boss = make.user("boss", is_superuser=True, is_staff=True)
    project = make.project(owner=boss)
    Membership.objects.create(project=project, user=make.user("bob"), role=Role.VIEWER)
    Limit.objects.create(scope="global", max_jobs=5)
    caller = Caller(boss)
    assert cluster_ensure().name == "local"
    for _ in range(2):
        make.dataset_version(project, "d")
    make.twin(project, "t", TOWN, {"A": {"size": 1}})
    return caller


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_by_somebody_else_is_not_overwritten(caller: Caller, name: str) -> None:
    edit = EDITS[name]
    etag = caller.get(edit.read)["ETag"]
    assert caller.get(edit.read, headers={"If-None-Match": etag}).status_code == 304
    changed = edit.change(caller)
    assert getattr(changed, "status_code", 200) < 300, changed.content
    assert caller.get(edit.read, headers={"If-None-Match": etag}).status_code == 200
    for stale in (etag, '"x"', '"x", "y"', "x", ""):
        answer = caller.send(
            edit.method,
            edit.path,
            edit.body if edit.body is not None else b"",
            headers={"If-Match": stale},
        )
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed"), (
            stale,
            answer.content,
        )
    current = caller.get(edit.read)["ETag"]
    answer = caller.send(
        edit.method,
        edit.path,
        edit.body if edit.body is not None else b"",
        headers={"If-None-Match": "*"},
    )
    assert answer.status_code == 412, answer.content
    answer = caller.send(
        edit.method,
        edit.path,
        edit.body if edit.body is not None else b"",
        headers={"If-Match": f'"x", W/{current}'},
    )
    assert answer.status_code < 300 or answer.status_code == 409, answer.content


def test_a_condition_on_what_does_not_exist(caller: Caller) -> None:
    make.user("cleo")
    path = "projects/demo/members/cleo/"
    assert (
        caller.send("PUT", path, {"role": "viewer"}, headers={"If-Match": "*"}).status_code == 412
    )
    assert (
        caller.send("PUT", path, {"role": "viewer"}, headers={"If-None-Match": "*"}).status_code
        == 200
    )
    assert (
        caller.send("PUT", path, {"role": "operator"}, headers={"If-None-Match": "*"}).status_code
        == 412
    )
    assert (
        caller.send("PUT", path, {"role": "operator"}, headers={"If-Match": "*"}).status_code == 200
    )
    new = {"name": "new", "definition": make.ECHO}
    assert (
        caller.post("projects/demo/pipelines/", new, headers={"If-None-Match": "*"}).status_code
        == 201
    )
    assert (
        caller.post("projects/demo/pipelines/", new, headers={"If-None-Match": "*"}).status_code
        == 412
    )


def test_a_token_is_deleted_on_condition(caller: Caller) -> None:
    token = caller.post("tokens/", {"name": "t"}).json()["id"]
    etag = caller.get(f"tokens/{token}/")["ETag"]
    assert caller.get(f"tokens/{token}/", headers={"If-None-Match": etag}).status_code == 304
    assert (
        caller.send("DELETE", f"tokens/{token}/", b"", headers={"If-Match": '"x"'}).status_code
        == 412
    )
    assert (
        caller.send("DELETE", f"tokens/{token}/", b"", headers={"If-Match": etag}).status_code
        == 204
    )
    assert caller.get(f"tokens/{token}/").status_code == 404


def test_what_changes_without_an_edit_is_sent_again_and_stops_no_edit(caller: Caller) -> None:
    """The caller's role is part of the project's body but not a change of the project."""
    bob = Caller(User.objects.get(username="bob"))
    first = bob.get(P)["ETag"]
    Membership.objects.filter(user__username="bob").update(role=Role.MAINTAINER)
    assert bob.get(P, headers={"If-None-Match": first}).json()["role"] == "maintainer"
    assert (
        bob.send("PATCH", P, {"description": "x"}, headers={"If-Match": first}).status_code == 200
    )


def test_every_edit_documents_its_condition(caller: Caller) -> None:
    document = caller.client.get("/api/schema/?format=json").json()
    missing = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            headers = {
                parameter["name"]
                for parameter in operation.get("parameters", ())
                if parameter["in"] == "header"
            }
            has_etag = "304" in methods.get("get", {"responses": {}})["responses"] or path.endswith(
                ("/overlay/", "/definition/")
            )
            if method in ("put", "patch", "delete") and has_etag and "If-Match" not in headers:
                missing.append(f"{method} {path}")
    assert not missing
