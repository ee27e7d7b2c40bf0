"""Queue positions of a few jobs of a long queue, counted in the database."""

from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import connection

from jobs.admission import decide
from jobs.admission.snapshot_types import Candidate, Snapshot
from jobs.contract import PRIORITIES, Priority
from projects.models import ProjectStatus


def effective_class(job: str) -> str:
    """Return `decide.effective_class` as an SQL expression of a row of jobs.

    Takes the parameters `now` and `ageing`.
    """
    cases = " ".join(f"WHEN '{name.value}' THEN {index}" for index, name in enumerate(PRIORITIES))
    own = f"CASE {job}.priority {cases} END"
    waited = f"greatest(0, %(now)s - extract(epoch FROM {job}.queued_at)::float8)"
    high = PRIORITIES.index(Priority.HIGH)
    return f"least({own}, greatest({high}, {own} - floor({waited} / %(ageing)s)))"


# The order of `decide`: class, then the jobs that the project runs at the job's turn, then age.
# Jobs in back-off are not counted, unless a pause or an archived project blocks them first: see
# `queue_state.places_of`.
_POSITIONS = f"""
WITH queued AS (
    SELECT job.id, job.project_id, job.queued_at, coalesce(running.jobs, 0) AS running,
        {effective_class("job")} AS class,
        job.id = ANY(%(admitted)s::uuid[]) AS admitted,
        job.not_before IS NULL OR extract(epoch FROM job.not_before)::float8 <= %(now)s
            OR %(paused)s OR project.status = %(archived)s
            OR project.slug = ANY(%(paused_projects)s::text[])
            OR job.type = ANY(%(paused_types)s::text[])
            AS counted
    FROM jobs_job job
    JOIN projects_project project ON project.id = job.project_id
    LEFT JOIN unnest(%(projects)s::text[], %(running)s::int[]) AS running (project, jobs)
        ON running.project = project.slug
    WHERE job.status = 'queued'
    UNION ALL
    SELECT asked.id, project.id, to_timestamp(asked.queued_at), coalesce(running.jobs, 0),
        asked.class, FALSE, FALSE
    FROM unnest(%(new_ids)s::uuid[], %(new_projects)s::text[], %(new_queued_at)s::float8[],
        %(new_classes)s::float8[]) AS asked (id, project, queued_at, class)
    JOIN projects_project project ON project.slug = asked.project
    LEFT JOIN unnest(%(projects)s::text[], %(running)s::int[]) AS running (project, jobs)
        ON running.project = asked.project
), at_their_turn AS (
    SELECT id, queued_at, class, counted, running + count(*) FILTER (WHERE admitted) OVER (
        PARTITION BY project_id ORDER BY class, queued_at, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS running
    FROM queued
), placed AS (
    SELECT id, 1 + count(*) FILTER (WHERE counted) OVER (
        ORDER BY class, running, queued_at, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS position
    FROM at_their_turn
)
SELECT id, position FROM placed WHERE id = ANY(%(wanted)s::uuid[])
"""


def queue_positions(
    view: Snapshot,
    admitted: Sequence[UUID],
    wanted: Collection[UUID],
    new: Sequence[Candidate] = (),
) -> dict[UUID, int]:
    """Return the positions of the `wanted` jobs in the order in which a pass considers jobs.

    `admitted`: the jobs that the pass admits. `new`: jobs that are not in the database; they do
    not change the positions of others. Waiting jobs of `view` are not used.
    """
    running = Counter[str]()
    for allocation in view.allocations:
        running[allocation.project] += allocation.workers
    with connection.cursor() as cursor:
        cursor.execute(
            _POSITIONS,
            {
                "now": view.now,
                "ageing": view.ageing_seconds,
                "projects": list(running),
                "running": list(running.values()),
                "admitted": list(admitted),
                "wanted": list(wanted),
                "paused": view.limits.paused,
                "paused_projects": list(view.limits.paused_projects),
                "paused_types": list(view.limits.paused_types),
                "archived": ProjectStatus.ARCHIVED.value,
                "new_ids": [job.job_id for job in new],
                "new_projects": [job.project for job in new],
                "new_queued_at": [job.queued_at for job in new],
                "new_classes": [decide.effective_class(job, view) for job in new],
            },
        )
        return dict(cursor.fetchall())
