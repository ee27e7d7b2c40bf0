"""The domain's metrics, as Prometheus reads them. docs/how-to/monitor.md lists them; HTTP's own come from django-prometheus.

Nothing is kept in this process: each scrape reads the database, so that every replica tells the same and a restart forgets nothing.
"""

import time
from collections.abc import Iterable, Iterator

import psycopg
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from jobs.contract import JobStatus, Priority
from jobs.core.metrics import DURATION_BOUNDS, LAUNCH_BOUNDS
from jobs.core.states import is_terminal
from jobs.models import Metric as Kind
from jobs.types.registry import job_type_names
from monitoring.selectors.metrics import Counted, Row, counted

log = structlog.get_logger(__name__)
LIVE = tuple(status for status in JobStatus if not is_terminal(status))
MICROSECONDS = 1_000_000


class DomainCollector(Collector):
    """Asked at each scrape. With the database away it tells just that: a scrape is answered all the same."""

    def describe(self) -> Iterable[Metric]:
        """Nothing: asked at the start, when the database may not be there yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        began = time.monotonic()
        try:
            rows = counted()
        except psycopg.Error as error:
            log.warning("the database does not answer a scrape", error=type(error).__name__)
            yield GaugeMetricFamily(
                "mimir_database_up", "Whether the database answered this scrape.", value=0
            )
            return
        yield GaugeMetricFamily(
            "mimir_database_up", "Whether the database answered this scrape.", value=1
        )
        yield from families(rows)
        yield GaugeMetricFamily(
            "mimir_scrape_seconds",
            "What reading the figures for this scrape took.",
            value=time.monotonic() - began,
        )


def families(rows: Counted) -> Iterator[Metric]:
    """Every metric family of the domain from what was read. Pure."""
    yield from _gauges(rows)
    yield _counter(rows, Kind.SUBMITTED, "mimir_jobs_submitted", "Jobs submitted.", ("type",))
    yield _counter(
        rows, Kind.FINISHED, "mimir_jobs_finished", "Jobs that ended.", ("type", "status", "reason")
    )
    yield _counter(
        rows,
        Kind.TRIED_AGAIN,
        "mimir_attempts_tried_again",
        "Attempts that failed and were followed by another.",
        ("type", "reason"),
    )
    yield _log_bytes(rows)
    yield _histogram(
        rows,
        Kind.LAUNCH,
        "mimir_job_launch_seconds",
        "From admission to claim, by attempt.",
        LAUNCH_BOUNDS,
    )
    yield _histogram(
        rows,
        Kind.DURATION,
        "mimir_job_duration_seconds",
        "From first claim to end, by job.",
        DURATION_BOUNDS,
    )


def _gauges(rows: Counted) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("mimir_jobs", "Jobs that have not ended.", labels=("type", "status"))
    found = {(kind, status): count for kind, status, count in rows.live}
    for kind, _priority, count, _oldest in rows.queued:
        found[kind, JobStatus.QUEUED] = found.get((kind, JobStatus.QUEUED), 0) + count
    for kind in job_type_names():
        for status in LIVE:
            jobs.add_metric((kind, status.value), found.get((kind, status), 0))
    yield jobs
    length = GaugeMetricFamily("mimir_queue_jobs", "Waiting jobs.", labels=("priority",))
    oldest = GaugeMetricFamily(
        "mimir_queue_oldest_seconds",
        "How long the job that has waited longest waits.",
        labels=("priority",),
    )
    for priority in Priority:
        waiting = [row for row in rows.queued if row[1] == priority]
        length.add_metric((priority.value,), sum(row[2] for row in waiting))
        oldest.add_metric((priority.value,), max((0.0, *(row[3] for row in waiting))))
    yield length
    yield oldest
    yield _gauge("mimir_workers", "Workers that are there.", "cluster", rows.workers)
    yield _gauge(
        "mimir_reconcile_lag_seconds",
        "Since the reconciler last saw the cluster whole.",
        "cluster",
        rows.lag,
    )
    yield _gauge(
        "mimir_loop_beat_age_seconds",
        "Since any process of this loop last went round.",
        "component",
        rows.beats,
    )


def _gauge(name: str, text: str, label: str, rows: list[Row]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, figure in rows:
        family.add_metric((value,), max(0.0, figure))
    return family


def _counter(rows: Counted, kind: Kind, name: str, text: str, labels: tuple[str, ...]) -> Metric:
    """`labels` are among type, status and reason."""
    family = CounterMetricFamily(name, text, labels=labels)
    for metric, job_type, status, label, count, _amount in rows.counted:
        if metric == kind:
            known = {"type": job_type, "status": status, "reason": label}
            family.add_metric([known[each] for each in labels], count)
    return family


def _log_bytes(rows: Counted) -> Metric:
    family = CounterMetricFamily("mimir_log_bytes", "Bytes of closed logs.", labels=("type",))
    for metric, job_type, _status, _label, _count, amount in rows.counted:
        if metric == Kind.LOG:
            family.add_metric((job_type,), amount)
    return family


def _histogram(
    rows: Counted, kind: Kind, name: str, text: str, bounds: tuple[float, ...]
) -> Metric:
    """Cumulative buckets by type; bounds that an earlier release counted under stay beside those of this one."""
    found: dict[str, dict[str, int]] = {job_type: {} for job_type in job_type_names()}
    sums: dict[str, int] = {}
    for metric, job_type, _status, label, count, amount in rows.counted:
        if metric == kind:
            buckets = found.setdefault(job_type, {})
            buckets[label] = buckets.get(label, 0) + count
            sums[job_type] = sums.get(job_type, 0) + amount
    every = sorted(
        {*map(str, bounds), "+Inf", *(label for buckets in found.values() for label in buckets)},
        key=float,
    )
    family = HistogramMetricFamily(name, text, labels=("type",))
    for job_type, buckets in found.items():
        upto, cumulative = 0, []
        for bound in every:
            upto += buckets.get(bound, 0)
            cumulative.append((bound, upto))
        family.add_metric(
            (job_type,), buckets=cumulative, sum_value=sums.get(job_type, 0) / MICROSECONDS
        )
    return family


def register(registry: CollectorRegistry) -> None:
    """Called once at the start of a process."""
    registry.register(DomainCollector())
