"""Events of a job in order."""

from dataclasses import dataclass
from uuid import UUID

from jobs.models import JobEvent
from jobs.queries.shapes import EventBody


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order; `next_after` starts the next page, None on the last page."""

    events: list[JobEvent]
    next_after: int | None


def event_page(*, job_id: UUID, after: int, limit: int) -> EventPage:
    """Return at most `limit` events with a seq greater than `after`."""
    rows = list(JobEvent.objects.filter(job_id=job_id, seq__gt=after).order_by("seq")[: limit + 1])
    more = len(rows) > limit
    events = rows[:limit]
    return EventPage(events=events, next_after=events[-1].seq if more else None)


def event_dict(event: JobEvent) -> EventBody:
    """Return an event's API body.

    The actor is omitted, because a worker's actor contains its attempt id.
    """
    return {
        "seq": event.seq,
        "at": event.at.isoformat(),
        "attempt": event.attempt,
        "kind": event.kind,
        "data": event.data,
    }
