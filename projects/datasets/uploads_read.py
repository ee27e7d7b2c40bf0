"""Reads of staged uploads: each user sees their own that have not expired."""

from typing import TYPE_CHECKING
from uuid import UUID

from mimir.lib.clock import utc_now
from mimir.lib.errors import NotFound
from projects.models import Project, StagedUpload

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


def uploads_of(*, project: Project, user: "User") -> "QuerySet[StagedUpload, StagedUpload]":
    """The user's staged uploads in a project, to be ordered by `-id`."""
    return StagedUpload.objects.filter(
        project=project, created_by=user, expires_at__gt=utc_now()
    ).select_related("project")


def upload_get(*, project: Project, user: "User", upload_id: UUID) -> StagedUpload:
    """One of them. Raises: NotFound."""
    upload = uploads_of(project=project, user=user).filter(id=upload_id).first()
    if upload is None:
        raise NotFound("There is no such upload. It was accepted or deleted, or it expired.")
    return upload
