"""Time of the next call after a failed one, shortened while the worker ends.

A server that is busy asks for a pause of up to a minute (Retry-After). A worker that must end
within its grace period would still sleep when it is killed, and its end would not be reported.
"""

import math
import time

SHARE = 0.25  # of the time until the end, in one pause
LEAST_SECONDS = 0.5  # pauses shorter than this are not shortened


def shortened(pause_seconds: float, left_seconds: float) -> float:
    """Return the pause, or less if a further call is needed within `left_seconds`."""
    return min(pause_seconds, max(LEAST_SECONDS, SHARE * left_seconds))


class RetryTime:
    """Time before which a thread does not call again, by the monotonic clock. Not thread-safe."""

    def __init__(self) -> None:
        self.at = 0.0
        self._end_by = math.inf

    @property
    def left_seconds(self) -> float:
        """Seconds until the next call; at least 0."""
        return max(0.0, self.at - time.monotonic())

    def set(self, pause_seconds: float) -> None:
        """Begin a pause."""
        now = time.monotonic()
        self.at = now + shortened(pause_seconds, self._end_by - now)

    def end_by(self, at: float) -> None:
        """Shorten the present pause and all later ones: the worker ends by then."""
        self._end_by = at
        self.set(self.left_seconds)
