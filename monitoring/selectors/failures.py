"""Reasons of recent failures, with remedies."""

from django.db import connection

from jobs.contract import JobStatus
from jobs.reasons import remedy
from monitoring.state_types import FailureCount

HOURS = 24
# Uses the partial index job_finished: recently ended jobs, however many jobs there are.
_BY_REASON = """
SELECT reason, count(*), max(finished_at), (array_agg(id ORDER BY finished_at DESC))[1]
FROM jobs_job WHERE finished_at >= now() - make_interval(hours => %s) AND status = %s
GROUP BY reason ORDER BY 2 DESC, reason
"""


def recent_failures() -> list[FailureCount]:
    """Return failures of the last HOURS hours by reason, the most frequent first.

    Each has the latest job and the remedy.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BY_REASON, [HOURS, JobStatus.FAILED])
        return [
            {
                "reason": reason,
                "count": count,
                "last_at": last_at,
                "job": str(job),
                "remedy": remedy(reason),
            }
            for reason, count, last_at, job in cursor.fetchall()
        ]
