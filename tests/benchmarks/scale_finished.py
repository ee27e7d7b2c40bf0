"""Finished jobs of the scale benchmark, inserted by SQL in a process of its own.

They look like real ones: several projects, all types and statuses, over the last 60 days, each with
an attempt, events and a usage sample. Ids begin with the time and rows are in this order: indexes
grow at their end.
"""

import time
from typing import Any

from django.db import connection

from jobs.models import Attempt, Job
from projects.models import Project
from tests.support import many

PORTION, DAYS, PROJECTS = 50_000, 60, 8
_ID = (
    "(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0') || '7' || "
    "substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid"
)
# Half of the jobs are in the project of the template, the others in one of further projects.
_JOB = {
    **many.OWN,
    "project_id": "CASE WHEN mod(n, 2) = 0 THEN like_it.project_id ELSE "
    "(%(projects)s::uuid[])[1 + mod(n / 2, array_length(%(projects)s::uuid[], 1))] END",
    "message": "CASE WHEN mod(n, 20) = 0 THEN 'It broke.' ELSE '' END",
    "result": f"CASE WHEN {many.SHARES} = 'succeeded' THEN like_it.result END",
}
_ATTEMPT = {
    "id": _ID.format(at="made.created_at"),
    "job_id": "made.id",
    "name": "'worker-job-' || made.id || '-1'",
    "uid": "gen_random_uuid()::text",
    "claim_id": "gen_random_uuid()",
    "created_at": "made.created_at + interval '1 second'",
    "launched_at": "made.created_at + interval '1 second'",
    "claimed_at": "made.started_at",
    "heartbeat_at": "made.finished_at",
    "ended_at": "made.finished_at",
    "end_status": "made.status",
    "reason": "made.reason",
    "message": "made.message",
    "counts": "made.status <> 'cancelled'",
    "exit_code": "CASE made.status WHEN 'succeeded' THEN 0 WHEN 'failed' THEN 1 ELSE 143 END",
    "gone_at": "made.finished_at + interval '1 second'",
    "cleaned_up_at": "made.finished_at + interval '2 seconds'",
    "log_closed_at": "made.finished_at",
}


def insert(template: str, count: int) -> None:
    """Insert `count` finished jobs like the succeeded `template`; print the progress."""
    like_it = Job.objects.select_related("project").get(id=template)
    owner = like_it.project.created_by
    others = [
        Project.objects.create(slug=f"scale-{number}", name=f"Scale {number}", created_by=owner)
        for number in range(1, PROJECTS)
    ]
    statement = _statement()
    began = shown_at = time.monotonic()
    with many.loading(), connection.cursor() as cursor:
        for first in range(0, count, PORTION):
            last = min(count, first + PORTION)
            values: dict[str, Any] = {
                "template": like_it.id,
                "projects": [project.id for project in others],
                "first": first + 1,
                "last": last,
                "count": count,
                "days": float(DAYS),
            }
            cursor.execute(statement, values)
            if time.monotonic() - shown_at > 30 or last == count:
                shown_at = time.monotonic()
                print(f"  {last:>9,} inserted after {shown_at - began:.0f} s", flush=True)


def _statement() -> str:
    """Return the INSERT of jobs, attempts, events and usage samples."""
    job = _columns(Job, _JOB, "like_it")
    attempt = _columns(Attempt, _ATTEMPT, "first_attempt")
    return f"""
    WITH like_it AS MATERIALIZED (
        SELECT * FROM jobs_job WHERE id = %(template)s
    ), first_attempt AS MATERIALIZED (
        SELECT * FROM jobs_attempt WHERE job_id = %(template)s AND number = 1
    ), one AS (
        SELECT n, now() - (%(count)s - n) * %(days)s / %(count)s * interval '1 day'
            - interval '90 seconds' AS at
        FROM generate_series(%(first)s::int, %(last)s) AS n
    ), made AS (
        INSERT INTO jobs_job ({job[0]}) SELECT {job[1]} FROM like_it, one ORDER BY n
        RETURNING id, status, reason, message, created_at, started_at, finished_at
    ), attempt AS (
        INSERT INTO jobs_attempt ({attempt[0]}) SELECT {attempt[1]} FROM first_attempt, made
        RETURNING id, claimed_at, peak_memory_bytes
    ), sample AS (
        INSERT INTO jobs_usagesample (attempt_id, at, memory_bytes, cpu_millicores)
        SELECT id, claimed_at, coalesce(peak_memory_bytes, 0), 100 FROM attempt
    )
    INSERT INTO jobs_jobevent (job_id, seq, at, attempt, kind, actor, data)
    SELECT made.id, event.seq, least(
            made.created_at + (event.at - like_it.created_at), made.finished_at
        ), 1,
        CASE event.kind WHEN 'job.succeeded' THEN 'job.' || made.status ELSE event.kind END,
        event.actor, event.data
    FROM made, like_it, jobs_jobevent AS event
    WHERE event.job_id = %(template)s
    """


def _columns(model: Any, own: dict[str, str], copied: str) -> tuple[str, str]:
    """Return the names of the columns and their values: `own`, or those of the row `copied`."""
    names = [str(field.column) for field in model._meta.concrete_fields]
    return (
        ", ".join(f'"{name}"' for name in names),
        ", ".join(own.get(name, f'{copied}."{name}"') for name in names),
    )
