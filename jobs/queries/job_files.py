"""Rows and logs of a job for its export, read in pages.

Each page is read completely by one query before it is sent, because the connection is closed
between two pieces of a response.
"""

import csv
import datetime as dt
import io
from collections.abc import Iterator

from django.db.models import Q

from jobs.logs.read import LogDamaged, log_read_raw
from jobs.models import Attempt, Job, UsageSample
from jobs.queries.events import event_dict, event_page
from jobs.queries.shapes import EventBody

EVENTS_PAGE, ATTEMPTS_PAGE, SAMPLES_PAGE = 1000, 200, 5000
DAMAGED = "\n[The stored log is damaged. The rest of this attempt's log is missing.]\n"


def all_events(job: Job) -> Iterator[EventBody]:
    """Yield all events in order."""
    after: int | None = 0
    while after is not None:
        page = event_page(job_id=job.id, after=after, limit=EVENTS_PAGE)
        yield from map(event_dict, page.events)
        after = page.next_after


def all_attempts(job: Job) -> Iterator[Attempt]:
    """Yield all attempts in order."""
    after = 0
    while True:
        rows = Attempt.objects.filter(job=job, number__gt=after).select_related("cluster")
        page = list(rows.order_by("number")[:ATTEMPTS_PAGE])
        yield from page
        if len(page) < ATTEMPTS_PAGE:
            return
        after = page[-1].number


def usage_csv(job: Job) -> Iterator[bytes]:
    """Yield all usage samples as CSV with a header."""
    yield _csv([("attempt", "at", "memory_bytes", "cpu_millicores")])
    for attempt in all_attempts(job):
        if attempt.claimed_at is not None:
            yield from _usage_pages(attempt)


def _usage_pages(attempt: Attempt) -> Iterator[bytes]:
    last: tuple[dt.datetime, int] | None = None
    while True:
        rows = UsageSample.objects.filter(attempt=attempt)
        if last is not None:
            rows = rows.filter(Q(at__gt=last[0]) | Q(at=last[0], id__gt=last[1]), at__gte=last[0])
        page = list(
            rows.order_by("at", "id").values_list("at", "id", "memory_bytes", "cpu_millicores")[
                :SAMPLES_PAGE
            ]
        )
        if page:
            yield _csv((attempt.number, at.isoformat(), memory, cpu) for at, _, memory, cpu in page)
        if len(page) < SAMPLES_PAGE:
            return
        last = (page[-1][0], page[-1][1])


def _csv(rows: "Iterator[tuple[object, ...]] | list[tuple[str, ...]]") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def log_bytes_max(job: Job) -> int:
    """Return an upper limit, in bytes, of the text of all logs with their headings."""
    return sum(
        end + 1000 for end in Attempt.objects.filter(job=job).values_list("log_end", flat=True)
    )


def log_text(job: Job) -> Iterator[bytes]:
    """Yield the text of the logs of all attempts, each under a heading if there are several.

    Raises: StorageAway while it is read.
    """
    logs = [each for each in all_attempts(job) if each.log_end or each.number == job.attempt]
    for attempt in logs:
        if len(logs) > 1:
            yield f"=== Attempt {attempt.number} on {attempt.cluster_id} ===\n".encode()
        try:
            yield from log_read_raw(attempt=attempt).chunks
        except LogDamaged:
            yield DAMAGED.encode()
