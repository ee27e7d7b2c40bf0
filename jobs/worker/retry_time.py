"""Time of the next call after a failed call, with shorter pauses while the worker ends.

A busy server requests a pause of up to a minute (Retry-After). A worker that must end within its
grace period could still be in that pause when it is killed, and its end would not be reported.
"""

import math
import time

SHARE = 0.25  # longest pause, as a share of the time until the end
LEAST_SECONDS = 0.5  # pauses shorter than this are not shortened


def shortened(pause_seconds: float, left_seconds: float) -> float:
    """Return the pause, shortened to leave time for further calls within `left_seconds`."""
    return min(pause_seconds, max(LEAST_SECONDS, SHARE * left_seconds))


class RetryTime:
    """Earliest time of the next call of a thread (monotonic). Not thread-safe."""

    def __init__(self) -> None:
        self.at = 0.0
        self._end_by = math.inf

    @property
    def left_seconds(self) -> float:
        """Seconds until the next call; at least 0."""
        return max(0.0, self.at - time.monotonic())

    def set(self, pause_seconds: float) -> None:
        """Begin a pause, shortened if the worker ends soon."""
        now = time.monotonic()
        self.at = now + shortened(pause_seconds, self._end_by - now)

    def end_by(self, at: float) -> None:
        """Shorten this and all later pauses, because the worker ends at `at` (monotonic)."""
        self._end_by = at
        self.set(self.left_seconds)
