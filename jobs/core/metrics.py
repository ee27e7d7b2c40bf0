"""Counters and histograms for `/metrics`, stored in the database.

Each transaction appends delta rows for what it changes; the leader folds them into totals. A
single counter row would serialise all jobs on one lock. Appended rows lock nothing, roll back with
the change they count, and are exact for any number of processes.
"""

import datetime as dt
from bisect import bisect_left

from django.db import connection

from jobs.contract import JobStatus
from jobs.models import Attempt, Job, Metric, MetricDelta

# Upper bounds of the buckets, in seconds. A release may change them; totals keep the old ones.
LAUNCH_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
DURATION_BOUNDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
FOLD_ROWS = 20_000

# One statement, because a reader must never see a delta and its total together, or neither. Rows
# locked by another leader are skipped; totals are locked in one order to prevent deadlocks.
_FOLD = """
WITH folded AS (
    DELETE FROM jobs_metricdelta WHERE id IN (
        SELECT id FROM jobs_metricdelta ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    )
    RETURNING metric, type, status, label, count, amount
), summed AS (
    SELECT metric, type, status, label, sum(count)::bigint AS count, sum(amount)::bigint AS amount
    FROM folded GROUP BY metric, type, status, label
), kept AS (
    INSERT INTO jobs_metrictotal AS total (metric, type, status, label, count, amount)
    SELECT metric, type, status, label, count, amount FROM summed
    ORDER BY metric, type, status, label
    ON CONFLICT (metric, type, status, label) DO UPDATE
    SET count = total.count + excluded.count, amount = total.amount + excluded.amount
)
SELECT count(*) FROM folded
"""


def submitted_count(*, job: Job) -> None:
    """Count a submitted job."""
    MetricDelta.objects.create(metric=Metric.SUBMITTED, type=job.type)


def ended_count(*, job: Job) -> None:
    """Count an ended job by status and reason, with its duration if a worker claimed it."""
    rows = [MetricDelta(metric=Metric.FINISHED, type=job.type, status=job.status, label=job.reason)]
    if job.started_at is not None and job.finished_at is not None:
        duration = job.finished_at - job.started_at
        rows.append(
            MetricDelta(
                metric=Metric.DURATION,
                type=job.type,
                status=job.status,
                label=bucket(duration, DURATION_BOUNDS),
                amount=_microseconds(duration),
            )
        )
    MetricDelta.objects.bulk_create(rows)


def retried_count(*, job: Job) -> None:
    """Count a retry: the job returned to the queue with the reason in its row."""
    MetricDelta.objects.create(
        metric=Metric.TRIED_AGAIN, type=job.type, status=JobStatus.QUEUED, label=job.reason
    )


def launch_count(*, job: Job, attempt: Attempt) -> None:
    """Count the claim of an attempt, with the launch duration."""
    assert attempt.claimed_at is not None
    duration = attempt.claimed_at - attempt.created_at
    MetricDelta.objects.create(
        metric=Metric.LAUNCH,
        type=job.type,
        label=bucket(duration, LAUNCH_BOUNDS),
        amount=_microseconds(duration),
    )


def log_count(*, attempt: Attempt) -> None:
    """Count a closed log."""
    MetricDelta.objects.create(metric=Metric.LOG, type=attempt.job.type, amount=attempt.log_end)


def bucket(duration: dt.timedelta, bounds: tuple[float, ...]) -> str:
    """Return the upper bound of the bucket for `duration`, in Prometheus notation."""
    place = bisect_left(bounds, duration.total_seconds())
    return str(bounds[place]) if place < len(bounds) else "+Inf"


def _microseconds(duration: dt.timedelta) -> int:
    """Return the duration, at least 0: its two times can come from the clocks of two machines."""
    return max(0, duration // dt.timedelta(microseconds=1))


def deltas_fold() -> int:
    """Fold deltas into totals in batches until few remain; return the number folded.

    Safe in several processes at once.
    """
    folded = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_FOLD, [FOLD_ROWS])
            count = int(cursor.fetchone()[0])
            folded += count
            if count < FOLD_ROWS:
                return folded
