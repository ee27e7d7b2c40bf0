"""Queries of memberships and of the users that a request names."""

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model

from mimir.lib.errors import Invalid, NotFound
from projects.models import Membership, Project

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


def member_list(*, project: Project) -> "QuerySet[Membership, Membership]":
    """Return the memberships of `project` with their users. The caller orders by user name."""
    return Membership.objects.filter(project=project).select_related("user")


def member_get(*, project: Project, user: "User") -> Membership:
    """Return the membership of `user`. Raises: NotFound."""
    membership = member_list(project=project).filter(user=user).first()
    if membership is None:
        raise not_a_member(user)
    return membership


def not_a_member(user: "User") -> NotFound:
    """Return the error for a user without a membership."""
    return NotFound(f"{user.get_username()} is not a member of this project. Add the user first.")


def user_find(username: str) -> "User | None":
    """Return a user by name, also for a name that PostgreSQL cannot store."""
    if "\x00" in username:
        return None
    return get_user_model().objects.filter(username=username).first()


def user_of_path(username: str) -> "User":
    """Return the user of a path. Raises: NotFound."""
    found = user_find(username)
    if found is None:
        raise NotFound(_no_user(username), detail={"username": "does not exist"})
    return found


def user_of_body(username: str) -> "User":
    """Return the user of a body. Raises: Invalid, since 404 would mean a missing project."""
    found = user_find(username)
    if found is None:
        raise Invalid(_no_user(username), detail={"username": _no_user(username)})
    return found


def _no_user(username: str) -> str:
    return f"There is no user {username[:150]}. An administrator creates users under System, Users."
