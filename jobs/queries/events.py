"""The events of a job, in their order."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from jobs.models import JobEvent


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order; `next_after` is where the next page begins, or None when this was the last."""

    events: list[JobEvent]
    next_after: int | None


def event_page(*, job_id: UUID, after: int, limit: int) -> EventPage:
    """At most `limit` events with a seq greater than `after`."""
    rows = list(JobEvent.objects.filter(job_id=job_id, seq__gt=after).order_by("seq")[: limit + 1])
    more = len(rows) > limit
    events = rows[:limit]
    return EventPage(events=events, next_after=events[-1].seq if more else None)


def event_dict(event: JobEvent) -> dict[str, Any]:
    """An event as the API shows it. Who acted is for the admin: a worker's actor names its attempt id, which is nobody's business."""
    return {
        "seq": event.seq,
        "at": event.at.isoformat(),
        "attempt": event.attempt,
        "kind": event.kind,
        "data": event.data,
    }
