"""Interval of workers' heartbeats. It is longer with very many workers: web must serve them all."""

import threading
import time

from django.conf import settings

from jobs.contract import HEARTBEAT_SECONDS
from jobs.models import Attempt

PER_SECOND = 100.0  # heartbeats of all workers together
LONGEST_SECONDS = 5.0  # a worker learns of a cancel in the response to a heartbeat
_COUNT_SECONDS = 5.0  # between two counts of the workers in one process
_lock = threading.Lock()
_counted_at = float("-inf")
_seconds = HEARTBEAT_SECONDS


def heartbeat_seconds() -> float:
    """Return the current interval in seconds. Counts the workers at most once in 5 s."""
    global _counted_at, _seconds
    with _lock:
        now = time.monotonic()
        if now - _counted_at < _COUNT_SECONDS:
            return _seconds
        _counted_at = now
    live = Attempt.objects.filter(gone_at__isnull=True).count()
    _seconds = interval(live, cancel_grace=settings.ENV.cancel_grace)
    return _seconds


def interval(live: int, *, cancel_grace: float) -> float:
    """Return the interval in seconds for `live` workers. Pure.

    At most half of `cancel_grace`: a cancelled worker needs the rest to stop.
    """
    longest = max(HEARTBEAT_SECONDS, min(LONGEST_SECONDS, cancel_grace / 2))
    return min(max(HEARTBEAT_SECONDS, live / PER_SECOND), longest)
