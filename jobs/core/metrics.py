"""Counting for `/metrics`: a row appended in the transaction that makes it true, folded into totals by the leader.

One counter row that every job updates would make every job wait for every other; appended rows make nobody wait, are rolled back with
what they count, and are right from any process.
"""

import datetime as dt
from bisect import bisect_left

from django.db import connection

from jobs.contract import JobStatus
from jobs.models import Attempt, Job, Metric, MetricDelta

# Upper bounds of the buckets, in seconds. A new release may change them: totals keep the bounds they were counted under.
LAUNCH_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
DURATION_BOUNDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
FOLD_ROWS = 20_000

# One statement: no reader sees a delta and its total, or neither. What another leader folds is skipped; totals are taken in one order,
# so that two leaders cannot wait for each other.
_FOLD = """
WITH folded AS (
    DELETE FROM jobs_metricdelta WHERE id IN (SELECT id FROM jobs_metricdelta ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
    RETURNING metric, type, status, label, count, amount
), summed AS (
    SELECT metric, type, status, label, sum(count)::bigint AS count, sum(amount)::bigint AS amount
    FROM folded GROUP BY metric, type, status, label
), kept AS (
    INSERT INTO jobs_metrictotal AS total (metric, type, status, label, count, amount)
    SELECT metric, type, status, label, count, amount FROM summed ORDER BY metric, type, status, label
    ON CONFLICT (metric, type, status, label) DO UPDATE SET count = total.count + excluded.count, amount = total.amount + excluded.amount
)
SELECT count(*) FROM folded
"""


def submitted_count(*, job: Job) -> None:
    """A job came into being."""
    MetricDelta.objects.create(metric=Metric.SUBMITTED, type=job.type)


def ended_count(*, job: Job) -> None:
    """A job has ended, as its row says: its status and reason, and how long it took if a worker ever had it."""
    rows = [MetricDelta(metric=Metric.FINISHED, type=job.type, status=job.status, label=job.reason)]
    if job.started_at is not None and job.finished_at is not None:
        took = job.finished_at - job.started_at
        rows.append(
            MetricDelta(
                metric=Metric.DURATION,
                type=job.type,
                status=job.status,
                label=bucket(took, DURATION_BOUNDS),
                amount=_microseconds(took),
            )
        )
    MetricDelta.objects.bulk_create(rows)


def tried_again_count(*, job: Job) -> None:
    """A job went back in the line after an attempt; its row has the reason."""
    MetricDelta.objects.create(
        metric=Metric.TRIED_AGAIN, type=job.type, status=JobStatus.QUEUED, label=job.reason
    )


def launch_count(*, job: Job, attempt: Attempt) -> None:
    """A worker has claimed its attempt."""
    assert attempt.claimed_at is not None
    took = attempt.claimed_at - attempt.created_at
    MetricDelta.objects.create(
        metric=Metric.LAUNCH,
        type=job.type,
        label=bucket(took, LAUNCH_BOUNDS),
        amount=_microseconds(took),
    )


def log_count(*, attempt: Attempt) -> None:
    """The end of a log is fixed."""
    MetricDelta.objects.create(metric=Metric.LOG, type=attempt.job.type, amount=attempt.log_end)


def bucket(took: dt.timedelta, bounds: tuple[float, ...]) -> str:
    """The upper bound of the bucket that `took` falls into, as Prometheus writes it."""
    place = bisect_left(bounds, took.total_seconds())
    return str(bounds[place]) if place < len(bounds) else "+Inf"


def _microseconds(took: dt.timedelta) -> int:
    """Not negative: the two ends may have been read from two machines' clocks."""
    return max(0, took // dt.timedelta(microseconds=1))


def deltas_fold() -> int:
    """Fold deltas into totals, batch after batch until few are left; returns how many. Harmless in two processes at once."""
    folded = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_FOLD, [FOLD_ROWS])
            count = int(cursor.fetchone()[0])
            folded += count
            if count < FOLD_ROWS:
                return folded
