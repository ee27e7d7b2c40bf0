"""Who is a member of a project, and as what."""

from typing import TYPE_CHECKING

from projects.models import Membership, Project, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def member_set(*, project: Project, user: "User", role: Role) -> Membership:
    """Make `user` a member with `role`, or change the role they have."""
    membership, _ = Membership.objects.update_or_create(project=project, user=user, defaults={"role": role})
    return membership


def member_remove(*, project: Project, user: "User") -> None:
    """End a membership; harmless when there is none. A project without maintainers is a site administrator's to mend."""
    Membership.objects.filter(project=project, user=user).delete()
