"""Usual durations of jobs: the median of the last successful ones of a project and type."""

from collections.abc import Collection

from django.db import connection

HISTORY = 20
KINDS_MAX = 300  # projects and types that one call looks up

_MEDIANS = """
SELECT asked.project, asked.type, percentile_cont(0.5) WITHIN GROUP (ORDER BY ended.seconds)
FROM unnest(%s::text[], %s::text[]) AS asked (project, type)
JOIN projects_project project ON project.slug = asked.project
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM finished_at - started_at)::float8 AS seconds
    FROM jobs_job
    WHERE project_id = project.id AND type = asked.type AND status = 'succeeded'
        AND started_at IS NOT NULL
    ORDER BY created_at DESC LIMIT %s
) ended
GROUP BY asked.project, asked.type
"""


def usual_seconds(kinds: Collection[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Return the usual duration of jobs by project (slug) and type, of the first KINDS_MAX kinds.

    Kinds without a successful job are not returned.
    """
    asked = list(dict.fromkeys(kinds))[:KINDS_MAX]
    if not asked:
        return {}
    with connection.cursor() as cursor:
        projects, types = [project for project, _type in asked], [kind for _project, kind in asked]
        cursor.execute(_MEDIANS, [projects, types, HISTORY])
        return {(project, kind): seconds for project, kind, seconds in cursor.fetchall()}
