"""Write memberships of a project.

A project always has a maintainer: only a site administrator can remove the last one. Changes of one
project's members run one after another under the project's row lock, so that two maintainers cannot
remove each other at the same time.
"""

from typing import TYPE_CHECKING

from django.db import transaction

from mimir.api.etags import Preconditions, check_etag
from mimir.lib.errors import Conflict
from projects.core.audit import audit_record
from projects.members.read import member_list, not_a_member
from projects.models import AuditKind, Membership, Project, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def member_add(*, project: Project, user: "User", role: Role) -> Membership:
    """Add `user` as a member. Raises: Conflict for an existing member."""
    with transaction.atomic():
        membership, is_new = Membership.objects.get_or_create(
            project=project, user=user, defaults={"role": role}
        )
        if is_new:
            _record(AuditKind.MEMBER_ADDED, membership, role=role)
    if not is_new:
        fault = f"is already a member, with the role {membership.role}. Change the role instead"
        raise Conflict(
            f"{user.get_username()} {fault}.", code="member_exists", detail={"username": fault}
        )
    return membership


def member_etag(membership: Membership) -> str:
    """Return an ETag that changes with the role, and with a new membership of the same user."""
    return f'"{membership.role}.{membership.created_at:%Y%m%d%H%M%S%f}"'


def member_change(
    *, project: Project, user: "User", role: Role, by: "User", etags: Preconditions | None = None
) -> Membership:
    """Change a member's role.

    Raises: NotFound without a membership, Conflict for the last maintainer, PreconditionFailed.
    """
    with transaction.atomic():
        membership = _locked(project, user)
        if membership is None:
            raise not_a_member(user)
        check_etag(member_etag(membership), etags)
        return _set(membership, role, by)


def member_set(
    *, project: Project, user: "User", role: Role, by: "User", etags: Preconditions | None = None
) -> Membership:
    """Make `user` a member with `role`, or change their role.

    Raises: Conflict for the last maintainer, PreconditionFailed.
    """
    with transaction.atomic():
        membership = _locked(project, user)
        check_etag(member_etag(membership) if membership else None, etags)
        if membership is not None:
            return _set(membership, role, by)
        membership = Membership.objects.create(project=project, user=user, role=role)
        _record(AuditKind.MEMBER_ADDED, membership, role=role)
        return membership


def member_remove(
    *, project: Project, user: "User", by: "User", etags: Preconditions | None = None
) -> None:
    """End a membership, if there is one.

    Raises: Conflict for the last maintainer, PreconditionFailed.
    """
    with transaction.atomic():
        membership = _locked(project, user)
        check_etag(member_etag(membership) if membership else None, etags)
        if membership is not None:
            _demand_another_maintainer(membership, by)
            _record(AuditKind.MEMBER_REMOVED, membership, role=membership.role)
            membership.delete()


def _locked(project: Project, user: "User") -> Membership | None:
    """Return the membership, with the project's row locked until the transaction ends."""
    Project.objects.select_for_update().get(id=project.id)
    return member_list(project=project).filter(user=user).first()


def _set(membership: Membership, role: Role, by: "User") -> Membership:
    if role != Role.MAINTAINER:
        _demand_another_maintainer(membership, by)
    _record(AuditKind.MEMBER_CHANGED, membership, role=role, before=membership.role)
    membership.role = role
    membership.save(update_fields=["role"])
    return membership


def _record(kind: AuditKind, membership: Membership, **detail: str) -> None:
    roles = {name: str(Role(role).value) for name, role in detail.items()}
    audit_record(
        kind, subject=membership.user.get_username(), project_slug=membership.project.slug, **roles
    )


def _demand_another_maintainer(membership: Membership, by: "User") -> None:
    others = Membership.objects.filter(project=membership.project_id, role=Role.MAINTAINER).exclude(
        id=membership.id
    )
    if membership.role == Role.MAINTAINER and not by.is_superuser and not others.exists():
        raise Conflict(
            f"{membership.user.get_username()} is the last maintainer of this project."
            " Make another member a maintainer first.",
            code="last_maintainer",
        )
