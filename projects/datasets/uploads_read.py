"""Queries of staged uploads. Each user sees their own uploads that have not expired."""

from typing import TYPE_CHECKING
from uuid import UUID

from mimir.lib.clock import utc_now
from mimir.lib.errors import NotFound
from projects.models import Project, StagedUpload

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


def uploads_of(*, project: Project, user: "User") -> "QuerySet[StagedUpload, StagedUpload]":
    """Return the user's staged uploads in a project. The caller orders by `-id`."""
    return StagedUpload.objects.filter(
        project=project, created_by=user, expires_at__gt=utc_now()
    ).select_related("project")


def upload_get(*, project: Project, user: "User", upload_id: UUID) -> StagedUpload:
    """Return one of the user's staged uploads. Raises: NotFound."""
    upload = uploads_of(project=project, user=user).filter(id=upload_id).first()
    if upload is None:
        raise NotFound("There is no such upload. It was accepted or deleted, or it has expired.")
    return upload
