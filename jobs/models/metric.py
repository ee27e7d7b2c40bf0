"""Counts for `/metrics`."""

from enum import StrEnum

from django.db import models


class Metric(StrEnum):
    """Quantities counted for `/metrics`; docs/how-to/monitor.md lists their Prometheus names."""

    SUBMITTED = "submitted"
    FINISHED = "finished"  # jobs by final status; label: the reason
    TRIED_AGAIN = (
        # attempts that were retried; label: the reason
        "tried_again"
    )
    # attempts by the time from admission to claim; label: the bucket, amount: microseconds
    LAUNCH = "launch"
    # jobs by the time from first claim to end; label: the bucket, amount: microseconds
    DURATION = "duration"
    LOG = "log"  # closed logs; amount: bytes


class _Counted(models.Model):
    """Columns of a count. Integers only: their sums do not depend on the order or on rounding."""

    metric = models.CharField(max_length=16)  # a Metric
    type = models.CharField(max_length=32)  # of the job
    status = models.CharField(max_length=16, blank=True, default="")
    label = models.CharField(max_length=32, blank=True, default="")
    count = models.BigIntegerField(default=1)
    amount = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class MetricDelta(_Counted):
    """One counted event, inserted in the transaction in which it happens.

    Rows are never updated, so no transaction waits for another.
    """


class MetricTotal(_Counted):
    """Sums of folded deltas. A reader adds both tables in one snapshot."""

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("metric", "type", "status", "label"), name="metric_total_once"
            ),
        )
