"""The access function of projects.

One query, the same 404 for missing and for inaccessible projects, 403 for a lesser role.
"""

from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.clusters.rows import cluster_ensure
from mimir.lib.errors import NotFound, PermissionDenied
from projects.core.access import (
    ProjectArchived,
    demand_active,
    fetched_role,
    project_for,
    projects_visible_to,
)
from projects.models import Project, ProjectStatus, Role
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make.project()


@pytest.mark.parametrize("role", list(Role))
def test_a_member_may_what_lesser_roles_may_and_no_more(project: Project, role: Role) -> None:
    member = make.member(project, "member", role)
    order = list(Role)
    for need in order:
        if order.index(need) <= order.index(role):
            assert fetched_role(project_for(member, "demo", need)) == role
        else:
            with pytest.raises(PermissionDenied) as refused:
                project_for(member, "demo", need)
            assert refused.value.detail == {"role": role.value, "needed": need.value}


def test_missing_and_not_theirs_are_the_same(project: Project) -> None:
    stranger, said = make.user("stranger"), set()
    for slug in (project.slug, "none", "", "a\x00b", "x" * 1000):
        with pytest.raises(NotFound) as refused:
            project_for(stranger, slug)
        said.add((refused.value.message, refused.value.code, str(refused.value.detail)))
    assert len(said) == 1


def test_it_is_one_query(project: Project, django_assert_num_queries: Any) -> None:
    member = make.member(project, "member", Role.VIEWER)
    boss = make.user("boss", is_superuser=True)
    for user in (member, boss):
        with django_assert_num_queries(1):
            project_for(user, "demo")


def test_a_site_administrator_is_a_maintainer_everywhere(project: Project) -> None:
    boss = make.user("boss", is_superuser=True)
    assert fetched_role(project_for(boss, "demo", Role.MAINTAINER)) == Role.MAINTAINER
    assert list(projects_visible_to(boss)) == [project]


def test_one_sees_the_projects_one_is_a_member_of(project: Project) -> None:
    other = make.project("other", make.user("bob"))
    viewer = make.member(other, "viewer", Role.VIEWER)
    assert [row.slug for row in projects_visible_to(viewer)] == ["other"]
    assert not projects_visible_to(make.user("stranger")).exists()


def test_an_archived_project_is_read_only(project: Project) -> None:
    demand_active(project)
    project.status = ProjectStatus.ARCHIVED
    with pytest.raises(ProjectArchived):
        demand_active(project)


def test_a_right_ends_with_the_membership_and_a_token_with_its_user(project: Project) -> None:
    member = make.member(project, "member", Role.VIEWER)
    caller = Caller(member)
    assert caller.get("projects/demo/").status_code == 200
    project.memberships.filter(user=member).delete()
    assert caller.get("projects/demo/").status_code == 404
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert caller.get("projects/demo/").status_code == 401


@pytest.fixture
def listed() -> Caller:
    """A user with two projects, the first of which has two objects of each kind."""
    project = make.project()
    owner = project.created_by
    assert owner is not None
    make.project("other")
    make.member(project, "viewer", Role.VIEWER)
    cluster_ensure()
    for _ in range(2):
        make.job(project)
    return Caller(owner)


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("projects/", lambda number: make.project(f"more-{number}")),
        (
            "projects/demo/members/",
            lambda number: make.member(
                Project.objects.get(slug="demo"), f"more-{number}", Role.VIEWER
            ),
        ),
        ("projects/demo/pipelines/", lambda number: _pipeline(f"more-{number}")),
        ("projects/demo/jobs/", lambda number: make.job()),
        ("tokens/", lambda number: _token(f"more-{number}")),
    ],
)
def test_a_longer_list_asks_no_more_queries(
    listed: Caller, path: str, more: Any, django_assert_max_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    more(0)
    with CaptureQueriesContext(connection) as few:
        short = listed.get(path).json()["results"]
    for number in range(1, 8):
        more(number)
    with django_assert_max_num_queries(len(few)):
        long = listed.get(path).json()["results"]
    assert len(long) == len(short) + 7


def _pipeline(name: str) -> None:
    from projects.pipelines.write import pipeline_save

    project = Project.objects.get(slug="demo")
    assert project.created_by is not None
    pipeline_save(project=project, name=name, definition=make.ECHO, user=project.created_by)


def _token(name: str) -> None:
    from projects.tokens.write import token_create

    token_create(user=User.objects.get(username="ada"), name=name, expires_at=None)
