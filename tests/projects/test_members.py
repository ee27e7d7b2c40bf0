"""Adding, changing and removing members. A project keeps at least one maintainer."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from mimir.lib.errors import Conflict
from projects.members.write import member_remove
from projects.models import Membership, Project, Role
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

MEMBERS = "projects/demo/members/"


@pytest.fixture
def project() -> Project:
    """A project whose only maintainer is ada."""
    return make.project()


@pytest.fixture
def ada(project: Project) -> Caller:
    return Caller(project.created_by)


def _roles(project: Project) -> dict[str, str]:
    return dict(Membership.objects.filter(project=project).values_list("user__username", "role"))


def test_a_user_is_added_once(project: Project, ada: Caller) -> None:
    make.user("bob")
    answer = ada.post(MEMBERS, {"username": "bob", "role": "viewer"})
    assert (answer.status_code, answer.json()["username"], answer.json()["role"]) == (
        201,
        "bob",
        "viewer",
    )
    again = ada.post(MEMBERS, {"username": "bob", "role": "operator"})
    assert (again.status_code, again.json()["code"], list(again.json()["detail"])) == (
        409,
        "member_exists",
        ["username"],
    )
    assert _roles(project) == {"ada": "maintainer", "bob": "viewer"}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"username": "nobody", "role": "viewer"}, 400, "username"),
        ({"username": "nobody", "role": "king"}, 400, "role"),
        ({"role": "viewer"}, 400, "username"),
        ({"username": "ada"}, 400, "role"),
        ({"username": "ada", "role": "viewer", "until": "x"}, 400, "until"),
    ],
)
def test_what_cannot_be_added_is_refused_at_its_field(
    project: Project, ada: Caller, body: Any, status: int, field: str
) -> None:
    answer = ada.post(MEMBERS, body)
    assert (answer.status_code, field in answer.json()["detail"]) == (status, True)
    assert _roles(project) == {"ada": "maintainer"}


def test_a_role_is_changed_of_members_only(project: Project, ada: Caller) -> None:
    make.member(project, "bob", Role.VIEWER)
    make.user("eve")
    assert ada.send("PATCH", f"{MEMBERS}bob/", {"role": "operator"}).json()["role"] == "operator"
    assert [
        ada.send("PATCH", f"{MEMBERS}{name}/", {"role": "viewer"}).status_code
        for name in ("eve", "nobody")
    ] == [404, 404]
    assert _roles(project) == {"ada": "maintainer", "bob": "operator"}


@pytest.mark.parametrize(
    ("method", "body"),
    [("PATCH", {"role": "operator"}), ("PUT", {"role": "viewer"}), ("DELETE", None)],
)
def test_the_last_maintainer_stays_one_unless_a_site_administrator_says_otherwise(
    project: Project, ada: Caller, method: str, body: Any
) -> None:
    make.member(project, "bob", Role.OPERATOR)
    refused = ada.send(method, f"{MEMBERS}ada/", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "last_maintainer")
    assert "Make another member a maintainer first." in refused.json()["message"]
    assert _roles(project)["ada"] == "maintainer"
    assert ada.send("PATCH", f"{MEMBERS}ada/", {"role": "maintainer"}).status_code == 200
    site = Caller(make.user("root", is_superuser=True))
    assert site.send(method, f"{MEMBERS}ada/", body).status_code in (200, 204)
    assert _roles(project).get("ada") == (body or {}).get("role")


def test_a_maintainer_can_leave_if_another_one_exists(project: Project, ada: Caller) -> None:
    make.member(project, "bob", Role.MAINTAINER)
    assert ada.send("DELETE", f"{MEMBERS}ada/").status_code == 204
    assert _roles(project) == {"bob": "maintainer"}


@pytest.mark.django_db(transaction=True)
def test_two_maintainers_who_remove_each_other_at_once_leave_one(project: Project) -> None:
    bob = make.member(project, "bob", Role.MAINTAINER)
    ada = User.objects.get(username="ada")
    start, refused = threading.Barrier(2), []

    def remove(user: User, by: User) -> None:
        start.wait()
        try:
            member_remove(project=project, user=user, by=by)
        except Conflict as error:
            refused.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=pair) for pair in ((ada, bob), (bob, ada))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["last_maintainer"]
    assert len(_roles(project)) == 1
