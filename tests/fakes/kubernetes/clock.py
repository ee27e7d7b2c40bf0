"""Clock of the cluster.

The time, in seconds since 1970, advances only by request or with the real time. Scheduled callbacks
wait here.
"""

import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class Clock:
    """Heap of scheduled callbacks.

    A callback runs with `now` set to the time when it was due. Callbacks run in order of due time,
    then of scheduling.
    """

    def __init__(self, now: float = START, *, real: bool = False) -> None:
        self.real = real
        self._now = time.time() if real else now
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._stamp = (0, "")

    @property
    def now(self) -> float:
        return self._now

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Schedule a callback in `seconds`; even with 0 it never runs inside this call."""
        heapq.heappush(self._heap, (self._now + seconds, next(self._order), what))

    def run_due(self) -> None:
        """Run the due callbacks, and those that they schedule for the same time."""
        self.advance_to(time.time() if self.real else self._now)

    def advance(self, seconds: float) -> None:
        self.advance_to(self._now + seconds)

    def advance_to(self, then: float) -> None:
        heap = self._heap
        while heap and heap[0][0] <= then:
            due, _, what = heapq.heappop(heap)
            self._now = max(self._now, due)
            what()
        self._now = max(self._now, then)

    @property
    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def stop(self) -> None:
        """Cancel all scheduled callbacks."""
        self._heap.clear()

    def stamp(self, at: float | None = None) -> str:
        """Format the time as objects show it: RFC 3339 in whole seconds."""
        second = int(self._now if at is None else at)
        if self._stamp[0] != second:
            self._stamp = (
                second,
                datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
        return self._stamp[1]

    def micro_stamp(self, at: float | None = None) -> str:
        then = datetime.fromtimestamp(self._now if at is None else at, UTC)
        return then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
