"""Check of the phases of a job's time."""

import datetime as dt
from collections.abc import Sequence

from jobs.queries.time_phases import Phase, time_by_cause


def cover_fault(phases: Sequence[Phase], start: dt.datetime, end: dt.datetime) -> str:
    """Return why the phases do not cover the time from `start` to `end` exactly, or ""."""
    end = max(start, end)
    borders = [start, *(each.end for each in phases)]
    if [each.start for each in phases] != borders[:-1]:
        return f"a gap or an overlap: {phases}"
    if borders[-1] != end:
        return f"the phases end at {borders[-1]}, not at {end}"
    if any(each.start >= each.end for each in phases):
        return f"an empty phase: {phases}"
    if sum((each.duration for each in phases), dt.timedelta()) != end - start:
        return "the sum of the phases is not the whole time"
    if sum(time_by_cause(phases).values(), dt.timedelta()) != end - start:
        return "the sum of the causes is not the whole time"
    return ""
