"""How much a project stores and a user has created, and what is allowed.

Stored bytes are uploads, accepted or staged, and all artifacts of jobs (versions that jobs write are artifacts too). Jobs live in an app above
this one, which registers the function that counts artifacts.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from mimir.lib.errors import MimirError
from projects.models import DatasetVersion, Project, StagedUpload, VersionSource
from projects.parsing.remembered import Remembered

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_artifact_bytes: Callable[[UUID], int] | None = None
_lately: Remembered[int] = Remembered(entries=1000, weight=1000, seconds=5)


class QuotaExceeded(MimirError):
    """More than a project or a user may have. Answered with 413: trying again does not help, removing something or a higher quota does."""

    status, code = 413, "quota_exceeded"


def register_artifact_bytes(count: Callable[[UUID], int]) -> None:
    """Called once at start: `count` returns the bytes of all artifacts of a project's jobs."""
    global _artifact_bytes
    _artifact_bytes = count


def stored_bytes(project: Project) -> int:
    """What the project stores now."""
    uploads = DatasetVersion.objects.filter(dataset__project=project, source=VersionSource.UPLOAD)
    sizes = uploads.aggregate(files=Sum("size_bytes"), tables=Sum("table_size_bytes"))
    staged = StagedUpload.objects.filter(project=project).aggregate(files=Sum("size_bytes"))
    held = [sizes["files"], sizes["tables"], staged["files"]]
    return sum(int(size or 0) for size in held) + (
        _artifact_bytes(project.id) if _artifact_bytes else 0
    )


def _stored_lately(project: Project) -> int:
    """The same, at most some seconds old: jobs may leave a thousand artifacts, and each asks."""
    known = _lately.get(str(project.id))
    if known is None:
        known = stored_bytes(project)
        _lately.put(str(project.id), known)
    return known


def stored_bytes_max(project: Project) -> int:
    """What the project may store; 0: no limit. An administrator may set it for a project, else PROJECT_BYTES_MAX holds."""
    default: int = settings.ENV.project_bytes_max
    return default if project.stored_bytes_max is None else project.stored_bytes_max


def storage_demand(project: Project, size_bytes: int) -> None:
    """Refuse what would exceed the project's quota. What arrives within seconds may exceed it by its own size. Raises: QuotaExceeded."""
    most = stored_bytes_max(project)
    if not most:
        return
    stored = _stored_lately(project)
    if stored + size_bytes > most:
        raise QuotaExceeded(
            f"The project {project.slug} stores {stored:,} bytes of {most:,}; {size_bytes:,} more do not fit. "
            "Delete dataset versions that nothing needs, or ask an administrator for a higher quota of the project.",
            detail={"stored_bytes": stored, "stored_bytes_max": most},
        )


def projects_max(user: "User") -> int:
    """How many projects `user` may create; 0: no limit. A site administrator may create any number."""
    most: int = settings.ENV.projects_per_user
    return 0 if user.is_superuser else most


def project_demand(user: "User") -> None:
    """Refuse one project more than allowed. To be called with the user's row locked. Raises: QuotaExceeded."""
    most = projects_max(user)
    if most and Project.objects.filter(created_by=user).count() >= most:
        raise QuotaExceeded(
            f"You have created {most} projects, as many as are allowed. Use one of them, or ask an administrator to create one for you "
            "(PROJECTS_PER_USER).",
            detail={"projects_max": most},
        )
