"""Create and update projects."""

from types import EllipsisType
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from mimir.api.etags import Preconditions, check_etag
from mimir.lib.errors import Conflict, Invalid
from projects.core.access import demand_active
from projects.core.names import check_slug
from projects.models import Membership, Project, ProjectStatus, Role
from projects.storage.quota import project_demand

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def project_create(*, slug: str, name: str, description: str = "", user: "User") -> Project:
    """Create a project. The user who creates it becomes its first maintainer.

    Raises: Invalid, QuotaExceeded, Conflict for a slug that is in use.
    """
    check_slug(slug)
    try:
        with transaction.atomic():
            get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
            project_demand(user)
            project = Project.objects.create(
                slug=slug, name=_name(name), description=description, created_by=user
            )
            Membership.objects.create(project=project, user=user, role=Role.MAINTAINER)
    except IntegrityError as error:
        raise Conflict(
            f"The slug {slug} is already in use. Choose another one.",
            code="slug_taken",
            detail={"slug": "is already in use. Choose another one"},
        ) from error
    return project


def project_etag(project: Project) -> str:
    """Return an ETag that changes with every change of the project."""
    return f'"{project.updated_at:%Y%m%d%H%M%S%f}"'


def project_update(
    *,
    project: Project,
    name: str | None = None,
    description: str | None = None,
    status: str | None = None,
    automatic_resources: bool | None = None,
    stored_bytes_max: int | EllipsisType | None = ...,
    etags: Preconditions | None = None,
) -> Project:
    """Change the given fields.

    An archived project accepts only its activation, together with other changes.

    Raises: PreconditionFailed if `etags` does not contain the present ETag, ProjectArchived,
    Invalid.
    """
    with transaction.atomic():
        locked = Project.objects.select_for_update().get(id=project.id)
        check_etag(project_etag(locked), etags)
        if status != ProjectStatus.ACTIVE:
            demand_active(locked)
        locked.name = locked.name if name is None else _name(name)
        locked.description = locked.description if description is None else description
        locked.status = locked.status if status is None else ProjectStatus(status)
        if automatic_resources is not None:
            locked.automatic_resources = automatic_resources
        if not isinstance(stored_bytes_max, EllipsisType):
            # Only administrators pass it. None: the default.
            locked.stored_bytes_max = stored_bytes_max
        locked.save(
            update_fields=[
                "name",
                "description",
                "status",
                "automatic_resources",
                "stored_bytes_max",
                "updated_at",
            ]
        )
    return locked


def _name(name: str) -> str:
    if not name.strip():
        raise Invalid("name: must not be empty.", detail={"name": "must not be empty"})
    return name.strip()
