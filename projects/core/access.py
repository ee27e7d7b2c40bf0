"""Access to projects: every guarded object is fetched through this module.

One query, and the same 404 for a missing project and for one that the user cannot see.
"""

from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable, Expression
from django.db.models.fields import CharField

from mimir.lib.errors import Conflict, NotFound, PermissionDenied
from projects.models import Membership, Project, ProjectStatus, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_RANK: dict[str, int] = {Role.VIEWER: 1, Role.OPERATOR: 2, Role.MAINTAINER: 3}


class ProjectArchived(Conflict):
    """An archived project cannot be changed. Answered with 409."""

    code = "project_archived"


def project_for(user: "User", slug: str, need: Role = Role.VIEWER) -> Project:
    """Return the project at `slug` if `user` has at least the role `need` in it.

    The role of the user is on the result, see `fetched_role`.

    Raises: NotFound for a missing project and for users without a role in it, PermissionDenied for
    a lesser role.
    """
    return _project(user, slug, need) if "\x00" not in slug else _not_found()


def _project(user: "User", slug: str, need: Role) -> Project:
    project = (
        Project.objects.filter(slug=slug).annotate(access_role=role_subquery(user, "pk")).first()
    )
    if project is None:
        return _not_found()
    demand(project.access_role, need)
    return project


def fetched_role(project: Project) -> str:
    """Return the role that `project_for` or `projects_visible_to` fetched with the project."""
    role: str = getattr(project, "access_role")  # noqa: B009 - an annotation of the query
    return role


def _not_found() -> Project:
    raise NotFound()


def role_subquery(user: "User", project_reference: str) -> Expression | Combinable:
    """Return SQL for the role of `user` in the project that a query's row refers to, or null.

    `project_reference` is the path to the project's id (`pk`, `project_id`). A query fetches an
    object together with the user's role by one round trip; `demand` then checks the role. A site
    administrator has the role maintainer everywhere.
    """
    if user.is_superuser:
        return Value(Role.MAINTAINER.value, output_field=CharField())
    members = Membership.objects.filter(project=OuterRef(project_reference), user_id=user.pk)
    return Subquery(members.values("role")[:1])


def demand(role: str | None, need: Role) -> None:
    """Check a role against `need`.

    Raises: NotFound without any role, PermissionDenied with a lesser one.
    """
    if role is None:
        _not_found()
    elif _RANK[role] < _RANK[need]:
        raise PermissionDenied(
            f"You need the role {need.value} in this project. Your role is {role}.",
            detail={"role": role, "needed": need.value},
        )


def allows(role: str | None, need: Role) -> bool:
    """Return whether `role` includes the rights of `need`."""
    return role is not None and _RANK[role] >= _RANK[need]


def projects_visible_to(user: "User") -> "QuerySet[Project, Any]":
    """Return every project that `user` can see, each with `access_role`."""
    projects = Project.objects.annotate(access_role=role_subquery(user, "pk"))
    return projects if user.is_superuser else projects.filter(memberships__user_id=user.pk)


def demand_active(project: Project) -> None:
    """Check that the project can be changed. Raises: ProjectArchived."""
    if project.status != ProjectStatus.ACTIVE:
        raise ProjectArchived(
            f"The project {project.slug} is archived and cannot be changed."
            " A maintainer can activate it again."
        )
