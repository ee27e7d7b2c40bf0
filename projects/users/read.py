"""Queries of users for site administrators."""

from django.contrib.auth.models import User
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from mimir.lib.errors import NotFound
from projects.models import Membership


def user_list(
    *, search: str = "", is_active: bool | None = None, is_superuser: bool | None = None
) -> "QuerySet[User, User]":
    """Return users with `project_count`, filtered by the given conditions.

    `search` is text in the user name or the e-mail address. The caller orders by `username`.
    """
    memberships = (
        Membership.objects.filter(user=OuterRef("pk"))
        .order_by()
        .values("user")
        .annotate(count=Count("pk"))
        .values("count")
    )
    rows = User.objects.annotate(
        project_count=Coalesce(Subquery(memberships, output_field=IntegerField()), 0)
    )
    if search:
        rows = rows.filter(Q(username__icontains=search) | Q(email__icontains=search))
    if is_active is not None:
        rows = rows.filter(is_active=is_active)
    if is_superuser is not None:
        rows = rows.filter(is_superuser=is_superuser)
    return rows


def user_get(*, username: str) -> User:
    """Return a user by name. Raises: NotFound."""
    found = User.objects.filter(username=username).first()
    if found is None:
        raise no_user(username)
    return found


def no_user(username: str) -> NotFound:
    """Return the error for an unknown user name."""
    return NotFound(f"There is no user {username[:150]}.", detail={"username": "does not exist"})


def project_count(user: User) -> int:
    """Return the number of projects with `user` as a member, counted once by `user_list`."""
    known: int | None = getattr(user, "project_count", None)
    return known if known is not None else Membership.objects.filter(user=user).count()
