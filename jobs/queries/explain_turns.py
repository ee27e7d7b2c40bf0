"""Queue of explanations: one at a time per process, a few waiting, all others refused.

An explanation takes 0.1 to 0.25 s of CPU. Explaining threads share the interpreter lock with claims
and pages, so many at once would slow these down. A waiting request holds no database connection and
no slot of its lane.

The form sends a request after each change, so only the newest request of a user waits.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from mimir.lib.errors import TooMany
from projects.core.connection import connection_release

WAITING_MAX = 8
WAIT_SECONDS = 3.0
USUAL_SECONDS = 0.25  # of one explanation


class ExplanationsBusy(TooMany):
    """Too many explanations wait, or the user sent a newer one. Status 429."""

    code = "explanations_busy"


class ExplainTurns:
    """Queue of one process. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_taken = False
        self._waiting: deque[tuple[str, object]] = deque()  # user and request, in order

    @contextmanager
    def held(self, user: str, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
        """Wait for a turn, at most `wait_seconds`, and hold it during the block.

        `user`: a newer request of the same user replaces a waiting one. Raises: ExplanationsBusy.
        """
        self._take(user, wait_seconds)
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()

    def _take(self, user: str, wait_seconds: float) -> None:
        with self._changed:
            if not self._is_taken and not self._waiting:
                self._is_taken = True
                return
            mine = self._enter(user)
        try:
            connection_release()
            self._wait(mine, time.monotonic() + wait_seconds)
        finally:
            with self._changed:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                self._changed.notify_all()

    def _wait(self, mine: tuple[str, object], end: float) -> None:
        with self._changed:
            while mine in self._waiting:
                if not self._is_taken and self._waiting[0] is mine:
                    self._waiting.popleft()
                    self._is_taken = True
                    return
                left = end - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            raise self._busy()

    def _enter(self, user: str) -> tuple[str, object]:
        """Queue a request, replacing an older one of the same user."""
        mine = (user, object())
        older = next((each for each in self._waiting if each[0] == user), None)
        if older is not None:
            self._waiting[self._waiting.index(older)] = mine
            self._changed.notify_all()
        elif len(self._waiting) >= WAITING_MAX:
            raise self._busy()
        else:
            self._waiting.append(mine)
        return mine

    def _busy(self) -> ExplanationsBusy:
        seconds = math.ceil(USUAL_SECONDS * (len(self._waiting) + 1))
        return ExplanationsBusy(
            f"The server is explaining other requests. Try again in {seconds} s.",
            retry_after_seconds=seconds,
        )


EXPLAIN_TURNS = ExplainTurns()
