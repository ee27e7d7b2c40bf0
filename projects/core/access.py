"""Who may do what in a project. Everything guarded is fetched through here: one query, one 404 for missing and for not theirs."""

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
    """An archived project takes no changes. Answered with 409."""

    code = "project_archived"


def project_for(user: "User", slug: str, need: Role = Role.VIEWER) -> Project:
    """The project at `slug`, if `user` may at least `need` there. Its `access_role` is what they may.

    Raises: NotFound for missing and for not a member, PermissionDenied for a member of a lesser role.
    """
    return _project(user, slug, need) if "\x00" not in slug else _nothing()


def _project(user: "User", slug: str, need: Role) -> Project:
    project = (
        Project.objects.filter(slug=slug).annotate(access_role=role_subquery(user, "pk")).first()
    )
    if project is None:
        return _nothing()
    demand(project.access_role, need)
    return project


def fetched_role(project: Project) -> str:
    """The role that `project_for` or `projects_visible_to` fetched with a project."""
    role: str = getattr(project, "access_role")  # noqa: B009 - an annotation of the query
    return role


def _nothing() -> Project:
    raise NotFound("Not found.")


def role_subquery(user: "User", project_reference: str) -> Expression | Combinable:
    """The effective role of `user` in the project that a query's `project_reference` (`pk`, `project_id`) names; null for none.

    So that a job, say, is fetched with the right to it in one query; then `demand` judges. A site administrator may all.
    """
    if user.is_superuser:
        return Value(Role.MAINTAINER.value, output_field=CharField())
    members = Membership.objects.filter(project=OuterRef(project_reference), user_id=user.pk)
    return Subquery(members.values("role")[:1])


def demand(role: str | None, need: Role) -> None:
    """Raises: NotFound without any role, PermissionDenied with a lesser one than `need`."""
    if role is None:
        _nothing()
    elif _RANK[role] < _RANK[need]:
        raise PermissionDenied(
            f"This needs the role {need.value} in the project; yours is {role}.",
            detail={"role": role, "needed": need.value},
        )


def allows(role: str | None, need: Role) -> bool:
    """Whether `role` may what `need` may."""
    return role is not None and _RANK[role] >= _RANK[need]


def projects_visible_to(user: "User") -> "QuerySet[Project, Any]":
    """Every project `user` may see, each with `access_role`."""
    projects = Project.objects.annotate(access_role=role_subquery(user, "pk"))
    return projects if user.is_superuser else projects.filter(memberships__user_id=user.pk)


def demand_active(project: Project) -> None:
    """Raises: ProjectArchived."""
    if project.status != ProjectStatus.ACTIVE:
        raise ProjectArchived(
            f"The project {project.slug} is archived and takes no changes. A maintainer can make it active again."
        )
