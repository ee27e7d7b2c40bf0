"""Prometheus metrics of jobs and clusters, listed in docs/how-to/monitor.md.

HTTP metrics come from django-prometheus. Nothing is stored in this process: each scrape reads the
database, so replicas agree and a restart loses nothing.
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
    """Collector that reads the database at each scrape.

    Without the database, it returns only `mimir_database_up` with 0.
    """

    def describe(self) -> Iterable[Metric]:
        """Return nothing: it is called at start, when the database may be unavailable."""
        return []

    def collect(self) -> Iterator[Metric]:
        began = time.monotonic()
        try:
            rows = counted()
        except psycopg.Error as error:
            log.warning("no database for the metrics", error=type(error).__name__)
            yield GaugeMetricFamily(
                "mimir_database_up", "1 if the database responded to this scrape.", value=0
            )
            return
        yield GaugeMetricFamily(
            "mimir_database_up", "1 if the database responded to this scrape.", value=1
        )
        yield from families(rows)
        yield GaugeMetricFamily(
            "mimir_scrape_seconds",
            "Seconds to read the figures of this scrape.",
            value=time.monotonic() - began,
        )


def families(rows: Counted) -> Iterator[Metric]:
    """Return every metric family for the figures. Pure."""
    yield from _gauges(rows)
    yield _counter(rows, Kind.SUBMITTED, "mimir_jobs_submitted", "Jobs submitted.", ("type",))
    yield _counter(
        rows, Kind.FINISHED, "mimir_jobs_finished", "Ended jobs.", ("type", "status", "reason")
    )
    yield _counter(
        rows,
        Kind.TRIED_AGAIN,
        "mimir_attempts_tried_again",
        "Failed attempts that were retried.",
        ("type", "reason"),
    )
    yield _log_bytes(rows)
    yield _histogram(
        rows,
        Kind.LAUNCH,
        "mimir_job_launch_seconds",
        "Seconds from admission to claim of an attempt.",
        LAUNCH_BOUNDS,
    )
    yield _histogram(
        rows,
        Kind.DURATION,
        "mimir_job_duration_seconds",
        "Seconds from first claim to end of a job.",
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
        "Waiting time of the oldest waiting job, in seconds.",
        labels=("priority",),
    )
    for priority in Priority:
        waiting = [row for row in rows.queued if row[1] == priority]
        length.add_metric((priority.value,), sum(row[2] for row in waiting))
        oldest.add_metric((priority.value,), max((0.0, *(row[3] for row in waiting))))
    yield length
    yield oldest
    yield _gauge("mimir_workers", "Existing workers.", "cluster", rows.workers)
    yield _gauge(
        "mimir_reconcile_lag_seconds",
        "Seconds since the last complete observation of the cluster.",
        "cluster",
        rows.lag,
    )
    yield _gauge(
        "mimir_loop_beat_age_seconds",
        "Seconds since the last pass of this loop.",
        "component",
        rows.beats,
    )


def _gauge(name: str, text: str, label: str, rows: list[Row]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, figure in rows:
        family.add_metric((value,), max(0.0, figure))
    return family


def _counter(rows: Counted, kind: Kind, name: str, text: str, labels: tuple[str, ...]) -> Metric:
    """Return a counter. `labels` are some of `type`, `status` and `reason`."""
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
    """Return a histogram by type.

    Buckets are cumulative. Bounds of earlier releases stay beside current ones.
    """
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
    """Register the collector. Called once at start."""
    registry.register(DomainCollector())
