"""What a worker used over time, thinned for a plot; what a project's artifacts take of the storage."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from jobs.models import Artifact, Attempt

POINTS_MAX = 500

# Buckets of equal time between the first and the last sample; of each the largest values at the time of the largest memory, so that a
# peak is never thinned away.
_THINNED = """
WITH samples AS (
    SELECT at, memory_bytes, cpu_millicores, min(at) OVER () AS first, max(at) OVER () AS last
    FROM jobs_usagesample WHERE attempt_id = %s
), bucketed AS (
    SELECT at, memory_bytes, cpu_millicores,
        least(%s - 1, floor(extract(epoch FROM at - first) * %s / nullif(extract(epoch FROM last - first), 0)))::int AS bucket
    FROM samples
)
SELECT (array_agg(at ORDER BY memory_bytes DESC, at))[1], max(memory_bytes), max(cpu_millicores)
FROM bucketed GROUP BY bucket ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """The most that was used around `at` (ISO 8601)."""

    at: str
    memory_bytes: int
    cpu_millicores: int


def usage_points(*, attempt: Attempt, limit: int = POINTS_MAX) -> list[UsagePoint]:
    """At most `limit` points over the life of the attempt, in order of time."""
    with connection.cursor() as cursor:
        cursor.execute(_THINNED, [attempt.id, limit, limit])
        return [UsagePoint(at.isoformat(), memory, cpu) for at, memory, cpu in cursor.fetchall()]


def artifact_bytes(project_id: UUID) -> int:
    """Bytes of all artifacts of a project's jobs."""
    return (
        Artifact.objects.filter(attempt__job__project_id=project_id).aggregate(
            size=Sum("size_bytes")
        )["size"]
        or 0
    )
