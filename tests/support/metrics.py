"""Checks of `/metrics`.

Compare a scrape with the rows of the database, and with the previous scrape.
"""

from collections.abc import Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
Samples = dict[tuple[str, Labels], float]
# Counters that can be checked against rows: name, labels, and the statement that counts the rows;
# zero if it returns none.
_ROWS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("mimir_jobs_submitted_total", ("type",), "SELECT type, count(*) FROM jobs_job GROUP BY 1"),
    (
        "mimir_jobs_finished_total",
        ("type", "status", "reason"),
        "SELECT type, status, reason, count(*) FROM jobs_job WHERE finished_at IS NOT NULL GROUP "
        "BY 1, 2, 3",
    ),
    (
        "mimir_attempts_tried_again_total",
        ("type", "reason"),
        "SELECT type, e.data ->> 'reason', count(*) FROM jobs_jobevent e JOIN jobs_job j ON j.id "
        "= e.job_id "
        "WHERE kind = 'job.attempt_ended' GROUP BY 1, 2",
    ),
    (
        "mimir_log_bytes_total",
        ("type",),
        "SELECT type, sum(log_end) FROM jobs_attempt a JOIN jobs_job j ON j.id = a.job_id WHERE "
        "log_closed_at IS NOT NULL GROUP BY 1",
    ),
    (
        "mimir_job_launch_seconds_count",
        ("type",),
        "SELECT type, count(*) FROM jobs_attempt a JOIN jobs_job j ON j.id = a.job_id WHERE "
        "claimed_at IS NOT NULL GROUP BY 1",
    ),
    (
        "mimir_job_duration_seconds_count",
        ("type",),
        "SELECT type, count(*) FROM jobs_job WHERE finished_at IS NOT NULL AND started_at IS NOT "
        "NULL GROUP BY 1",
    ),
    (
        "mimir_job_duration_seconds_sum",
        ("type",),
        "SELECT type, sum(greatest(0, extract(epoch FROM finished_at - started_at))) FROM "
        "jobs_job WHERE finished_at IS NOT NULL "
        "AND started_at IS NOT NULL GROUP BY 1",
    ),
    (
        "mimir_jobs",
        ("type", "status"),
        "SELECT type, status, count(*) FROM jobs_job WHERE finished_at IS NULL GROUP BY 1, 2",
    ),
)
_COUNTERS = ("_total", "_bucket", "_count", "_sum")
_OF_ONE_PROCESS = ("mimir_heartbeat_seconds", "mimir_requests_refused")  # restart with it


def samples(text: str) -> Samples:
    """Return every sample of a scrape. Raises: ValueError for a page that Prometheus rejects."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def disagreements(found: Samples, connection: Any) -> list[str]:
    """Return one sentence for each metric that differs from the rows.

    `connection` gives cursors; there must be no concurrent writes.
    """
    told = []
    for name, labels, statement in _ROWS:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            expected = {_labels(labels, row): float(row[-1]) for row in cursor.fetchall()}
        scraped = {key: value for (each, key), value in found.items() if each == name and value}
        for key in expected.keys() | scraped.keys():
            row, figure = expected.get(key, 0.0), scraped.get(key, 0.0)
            if abs(row - figure) > 1e-6 * max(1.0, row):
                told.append(f"{name}{dict(key)} is {figure}, the rows say {row}")
    return told


def backwards(before: Samples, after: Samples) -> list[str]:
    """Return the domain counters that decreased or disappeared between two scrapes.

    Without those that each process of web counts for itself.
    """
    return [
        f"{name}{dict(labels)} went from {value} to {after.get((name, labels))}"
        for (name, labels), value in before.items()
        if name.startswith("mimir_")
        and not name.startswith(_OF_ONE_PROCESS)
        and name.endswith(_COUNTERS)
        and after.get((name, labels), -1.0) < value
    ]


def unbalanced(found: Samples) -> list[str]:
    """Return the errors in the totals: every submitted job either has ended or has not.

    Detects metrics of one scrape that were read at different times.
    """
    sums: dict[str, float] = {}
    for (name, _of), value in found.items():
        sums[name] = sums.get(name, 0.0) + value
    submitted, finished, live = (
        sums.get(name, 0.0)
        for name in ("mimir_jobs_submitted_total", "mimir_jobs_finished_total", "mimir_jobs")
    )
    return (
        []
        if submitted == finished + live
        else [f"{submitted} submitted, {finished} finished and {live} live"]
    )


def _labels(names: tuple[str, ...], row: Any) -> Labels:
    return tuple(sorted(zip(names, map(str, row), strict=False)))


def figure(found: Mapping[tuple[str, Labels], float], name: str, **labels: str) -> float | None:
    """Return the value of one sample."""
    return found.get((name, tuple(sorted(labels.items()))))
