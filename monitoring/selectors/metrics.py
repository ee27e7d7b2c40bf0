"""Figures for `/metrics`, read from one snapshot of the database.

They are consistent with each other, and the same from every replica.
"""

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import IsolationLevel

from monitoring.readiness import own_connection

STATEMENT_MILLISECONDS = 5000

_COUNTED = """
SELECT metric, type, status, label, sum(count)::bigint, sum(amount)::bigint FROM (
    SELECT metric, type, status, label, count, amount FROM jobs_metrictotal
    UNION ALL SELECT metric, type, status, label, count, amount FROM jobs_metricdelta
) counted GROUP BY metric, type, status, label
"""
# Each uses a partial index: job_queue_groups, job_live, attempt_holds_room.
_QUEUED = """
SELECT type, priority, count(*), extract(epoch FROM clock_timestamp() - min(queued_at))::float
FROM jobs_job WHERE status = 'queued' GROUP BY type, priority
"""
_LIVE = (
    "SELECT type, status, count(*) FROM jobs_job WHERE status IN ('launching', 'running', "
    "'cancelling') GROUP BY type, status"
)
_WORKERS = "SELECT cluster_id, count(*) FROM jobs_attempt WHERE gone_at IS NULL GROUP BY cluster_id"
_LAG = (
    "SELECT name, extract(epoch FROM clock_timestamp() - reached_at)::float FROM jobs_cluster "
    "WHERE enabled AND reached_at IS NOT NULL"
)
_BEATS = (
    "SELECT component, extract(epoch FROM clock_timestamp() - max(beat_at))::float FROM "
    "jobs_loopbeat GROUP BY component"
)
Row = tuple[Any, ...]


@dataclass(slots=True)
class Counted:
    """Rows by kind. `counted`: (metric, type, status, label, count, amount)."""

    counted: list[Row] = field(default_factory=list)
    queued: list[Row] = field(
        default_factory=list
    )  # (type, priority, jobs, waiting seconds of the oldest)
    live: list[Row] = field(default_factory=list)  # (type, status, jobs)
    workers: list[Row] = field(default_factory=list)  # (cluster, workers)
    lag: list[Row] = field(default_factory=list)  # (cluster, seconds)
    beats: list[Row] = field(default_factory=list)  # (component, seconds)


def counted() -> Counted:
    """Return all figures from one read-only snapshot.

    Raises: psycopg.Error soon, without the database.
    """
    with own_connection() as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_MILLISECONDS}")
        return Counted(
            *(
                _rows(connection, statement)
                for statement in (_COUNTED, _QUEUED, _LIVE, _WORKERS, _LAG, _BEATS)
            )
        )


def _rows(connection: "psycopg.Connection[Row]", statement: str) -> list[Row]:
    return connection.execute(statement.encode()).fetchall()
