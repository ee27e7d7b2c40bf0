"""Heartbeats of many workers in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from jobs.contract.protocol import HeartbeatResponse
from jobs.lifecycle.report import heartbeat_response
from mimir.lib.clock import utc_now


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Heartbeat of the worker whose claim `claim_id` holds `attempt_id`."""

    attempt_id: UUID
    claim_id: UUID
    memory_bytes: int
    peak_memory_bytes: int
    cpu_millicores: int


def heartbeats_record(*, heartbeats: Sequence[Heartbeat]) -> dict[UUID, HeartbeatResponse]:
    """Record heartbeats of different attempts; return the responses by attempt.

    No response means that nothing was stored: the attempt is fenced, has ended or has another
    claim, or another transaction has locked its row. `heartbeat_record` waits for the lock and
    distinguishes these cases. This function waits for no lock, so it cannot cause a deadlock.
    """
    columns = zip(
        *(
            (
                each.attempt_id,
                each.claim_id,
                each.memory_bytes,
                each.peak_memory_bytes,
                each.cpu_millicores,
            )
            for each in heartbeats
        ),
        strict=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(_BEATS, [*(list(column) for column in columns), utc_now()])
        return {row[0]: heartbeat_response(*row[1:]) for row in cursor.fetchall()}


# The rows are locked before the comparison, so the fence and claim cannot change before the update.
# The time comes from the database, whose clock also measures the age of heartbeats.
_BEATS = """
WITH given AS (
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[])
        AS given (id, claim_id, memory, peak, cpu)
), held AS (
    SELECT attempt.id, given.memory, given.peak, given.cpu
    FROM given JOIN jobs_attempt AS attempt
        ON attempt.id = given.id AND attempt.claim_id = given.claim_id
    WHERE attempt.fenced_at IS NULL AND attempt.ended_at IS NULL
    FOR NO KEY UPDATE OF attempt SKIP LOCKED
), beat AS (
    UPDATE jobs_attempt AS attempt SET heartbeat_at = clock_timestamp(),
        peak_memory_bytes = greatest(coalesce(attempt.peak_memory_bytes, 0), held.peak)
    FROM held WHERE attempt.id = held.id
    RETURNING attempt.id, attempt.job_id, attempt.claimed_at, held.memory, held.cpu
), sample AS (
    INSERT INTO jobs_usagesample (attempt_id, at, memory_bytes, cpu_millicores)
    SELECT id, %s, memory, cpu FROM beat
)
SELECT beat.id, beat.claimed_at, job.status, job.timeout_seconds
FROM beat JOIN jobs_job AS job ON job.id = beat.job_id
"""
