"""Projects with very many jobs, inserted directly into the table.

For tests of the cost of reads.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from jobs.models import Job

RARE_NAME, RARE_LABEL = "Quarterly closing", {"case": "K-4711"}  # for one job in ten thousand
SHARES = (
    "CASE WHEN mod(n, 20) = 0 THEN 'failed' WHEN mod(n, 50) = 1 THEN 'cancelled' ELSE 'succeeded' "
    "END"
)
TYPES = (
    "CASE WHEN mod(n, 10) < 7 THEN 'pipeline_execution' WHEN mod(n, 10) = 7 THEN 'ml_training' "
    "WHEN mod(n, 10) = 8 THEN 'ml_inference' "
    "ELSE 'digital_twin_update' END"
)
NAMES = (
    f"CASE WHEN mod(n, 10000) = 77 THEN '{RARE_NAME}' WHEN mod(n, 2) = 0 THEN 'Nightly load of "
    "region ' || mod(n, 100) ELSE '' END"
)
LABELS = (
    'CASE WHEN mod(n, 10000) = 77 THEN \'{"case": "K-4711"}\'::jsonb WHEN mod(n, 4) = 0 THEN '
    "jsonb_build_object('team', 'team ' || mod(n, 5)) "
    "ELSE '{}'::jsonb END"
)
PARAMETERS = (
    "CASE WHEN mod(n, 10) < 7 THEN jsonb_build_object('pipeline', 'p' || mod(n, 25)) "
    "WHEN mod(n, 10) = 7 THEN jsonb_build_object('model', 'm' || mod(n, 30)) "
    "WHEN mod(n, 10) = 8 THEN jsonb_build_object('model', 'm1', 'output', 'o' || mod(n, 30)) "
    "ELSE jsonb_build_object('twin', 't' || mod(n, 30)) END"
)
DIAGNOSIS = '{"category": "exit_code", "summary": "It broke.", "detail": "", "next_steps": []}'
OWN = {
    "id": "(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || "
    "substr(md5(random()::text), 1, 3) || '8' "
    "|| substr(md5(random()::text), 1, 15))::uuid",
    "name": NAMES,
    "labels": LABELS,
    "type": TYPES,
    "status": SHARES,
    "parameters": PARAMETERS,
    "diagnosis": f"CASE WHEN mod(n, 20) = 0 THEN '{DIAGNOSIS}'::jsonb END",
    "reason": "CASE WHEN mod(n, 20) = 0 THEN 'exit_code' ELSE '' END",
    "created_at": "at",
    "queued_at": "at",
    "started_at": "at + interval '2 seconds'",
    "finished_at": "at + interval '2 seconds' + (mod(n, 60)) * interval '1 second'",
    "idempotency_key": "NULL",
    "retry_of_id": "NULL",
}


@contextmanager
def loading() -> Iterator[None]:
    """Insert many rows faster.

    Foreign keys are not checked, and search indexes are built after the rows. The trigger for
    search rows runs.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes "
            "WHERE tablename = 'jobs_jobsearch' AND indexdef LIKE '%% USING gin %%'"
        )
        indexes = cursor.fetchall()
        assert indexes
        cursor.execute("; ".join(f"DROP INDEX {name}" for name, _ in indexes))
        cursor.execute("ALTER TABLE jobs_job ENABLE ALWAYS TRIGGER job_search_added")
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = origin")
            cursor.execute("ALTER TABLE jobs_job ENABLE TRIGGER job_search_added")
            cursor.execute("; ".join(definition for _, definition in indexes))
            cursor.execute("ANALYZE jobs_jobsearch")  # with the expressions of the indexes


def jobs_like(job: Job, count: int, *, days: int = 60) -> None:
    """Insert `count` ended jobs like `job`, over the last `days`, of all types, names and statuses.

    Then update the statistics of the query planner.
    """
    columns = [str(field.column) for field in Job._meta.concrete_fields]
    values = ", ".join(OWN.get(column, f'like_it."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO jobs_job ({names}) SELECT {values} FROM jobs_job like_it, "
            "(SELECT n, now() - n * %s / %s * interval '1 day' - interval '90 seconds' AS at FROM "
            "generate_series(1, %s) n) made "
            "WHERE like_it.id = %s",
            [float(days), float(count), count, job.id],
        )
        cursor.execute("ANALYZE jobs_job, jobs_jobsearch")
