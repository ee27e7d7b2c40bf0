"""Quotas: stored bytes of a project, and projects of a user.

Stored bytes are uploads, accepted or staged, and all artifacts of jobs, which include the versions
that jobs write. The jobs app, which this app does not import, registers the function that counts
artifacts.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from mimir.lib.errors import MimirError
from projects.models import DatasetVersion, Project, StagedUpload, VersionSource
from projects.parsing.cache import ExpiringCache

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_artifact_bytes: Callable[[UUID], int] | None = None
_recent_bytes: ExpiringCache[int] = ExpiringCache(entries=1000, weight=1000, seconds=5)


class QuotaExceeded(MimirError):
    """A project or a user exceeds a quota. Answered with 413.

    A retry does not help: delete something, or raise the quota.
    """

    status, code = 413, "quota_exceeded"


def register_artifact_bytes(count: Callable[[UUID], int]) -> None:
    """Register `count`, which returns the bytes of all artifacts of a project's jobs.

    Called once, when the server starts.
    """
    global _artifact_bytes
    _artifact_bytes = count


def stored_bytes(project: Project) -> int:
    """Return the number of bytes that the project stores now."""
    uploads = DatasetVersion.objects.filter(dataset__project=project, source=VersionSource.UPLOAD)
    sizes = uploads.aggregate(files=Sum("size_bytes"), tables=Sum("table_size_bytes"))
    staged = StagedUpload.objects.filter(project=project).aggregate(files=Sum("size_bytes"))
    held = [sizes["files"], sizes["tables"], staged["files"]]
    return sum(int(size or 0) for size in held) + (
        _artifact_bytes(project.id) if _artifact_bytes else 0
    )


def _recent_stored_bytes(project: Project) -> int:
    """Return `stored_bytes`, at most 5 s old.

    A job can write a thousand artifacts, and each of them is checked.
    """
    known = _recent_bytes.get(str(project.id))
    if known is None:
        known = stored_bytes(project)
        _recent_bytes.put(str(project.id), known)
    return known


def stored_bytes_max(project: Project) -> int:
    """Return the byte quota of the project; 0: no limit.

    The default is PROJECT_BYTES_MAX. An administrator can set another value for a project.
    """
    default: int = settings.ENV.project_bytes_max
    return default if project.stored_bytes_max is None else project.stored_bytes_max


def storage_demand(project: Project, size_bytes: int) -> None:
    """Check that `size_bytes` more fit into the project's quota.

    Objects that arrive within the same seconds can exceed the quota by their own size.

    Raises: QuotaExceeded.
    """
    most = stored_bytes_max(project)
    if not most:
        return
    stored = _recent_stored_bytes(project)
    if stored + size_bytes > most:
        raise QuotaExceeded(
            f"The project {project.slug} stores {stored:,} of {most:,} bytes."
            f" {size_bytes:,} more would exceed the quota. Delete unused dataset versions,"
            " or ask an administrator for a higher quota.",
            detail={"stored_bytes": stored, "stored_bytes_max": most},
        )


def projects_max(user: "User") -> int:
    """Return how many projects `user` can create; 0: no limit, as for site administrators."""
    most: int = settings.ENV.projects_per_user
    return 0 if user.is_superuser else most


def project_demand(user: "User") -> None:
    """Check that `user` can create another project. The caller holds the lock of the user's row.

    Raises: QuotaExceeded.
    """
    most = projects_max(user)
    if most and Project.objects.filter(created_by=user).count() >= most:
        raise QuotaExceeded(
            f"You have created {most} projects, the maximum (PROJECTS_PER_USER)."
            " Use one of them, or ask an administrator to create one for you.",
            detail={"projects_max": most},
        )
