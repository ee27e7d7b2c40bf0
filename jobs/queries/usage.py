"""Resource usage of a worker over time, downsampled for a plot; artifact bytes of a project."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from jobs.models import Artifact, Attempt

POINTS_MAX = 500

# Buckets of equal time between first and last sample. Each keeps its maxima, at the time of the
# largest memory, so that no peak is lost.
_THINNED = """
WITH samples AS (
    SELECT at, memory_bytes, cpu_millicores, min(at) OVER () AS first, max(at) OVER () AS last
    FROM jobs_usagesample WHERE attempt_id = %s
), bucketed AS (
    SELECT at, memory_bytes, cpu_millicores,
        least(
            %s - 1,
            floor(
                extract(epoch FROM at - first) * %s / nullif(extract(epoch FROM last - first), 0)
            )
        )::int AS bucket
    FROM samples
)
SELECT (array_agg(at ORDER BY memory_bytes DESC, at))[1], max(memory_bytes), max(cpu_millicores)
FROM bucketed GROUP BY bucket ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """Maximum usage around `at` (ISO 8601)."""

    at: str
    memory_bytes: int
    cpu_millicores: int


def usage_points(*, attempt: Attempt, limit: int = POINTS_MAX) -> list[UsagePoint]:
    """Return at most `limit` points over the life of the attempt, in time order."""
    with connection.cursor() as cursor:
        cursor.execute(_THINNED, [attempt.id, limit, limit])
        return [UsagePoint(at.isoformat(), memory, cpu) for at, memory, cpu in cursor.fetchall()]


def artifact_bytes(project_id: UUID) -> int:
    """Return the bytes of all artifacts of a project's jobs."""
    return (
        Artifact.objects.filter(attempt__job__project_id=project_id).aggregate(
            size=Sum("size_bytes")
        )["size"]
        or 0
    )
