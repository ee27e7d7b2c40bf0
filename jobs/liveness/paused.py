"""Time in which web did not serve claims. Pure."""

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple


class Pause(NamedTuple):
    """An interval in which web did not serve claims."""

    from_at: dt.datetime
    to_at: dt.datetime


def paused_seconds(pauses: Iterable[Pause], since: dt.datetime, until: dt.datetime) -> float:
    """Return the seconds between `since` and `until` that lie in at least one pause."""
    total, counted_to = dt.timedelta(), since
    for pause in sorted(pauses):
        begin, end = max(pause.from_at, counted_to), min(pause.to_at, until)
        if end > begin:
            total += end - begin
            counted_to = end
    return total.total_seconds()
