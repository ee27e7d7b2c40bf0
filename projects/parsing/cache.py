"""Cache of results and refusals, with their content as the key.

A text or file that was refused once is not processed a second time.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(slots=True)
class ExpiringCache(Generic[Value]):
    """Cache of at most `entries` values with a limit on their total weight and on their age.

    Values expire after `seconds`. The least recently used are dropped first. Thread-safe.
    """

    entries: int
    weight: int
    seconds: float
    _kept: "OrderedDict[str, tuple[float, int, Value]]" = field(default_factory=OrderedDict)
    _total: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str) -> Value | None:
        """Return the value, or None if there is none or it is too old."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if found[0] < time.monotonic():
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return found[2]

    def put(self, key: str, value: Value, weight: int = 1) -> None:
        """Store `value`, unless it alone exceeds the maximum weight."""
        if weight > self.weight:
            return
        with self._lock:
            if key in self._kept:
                self._drop(key)
            self._kept[key] = (time.monotonic() + self.seconds, weight, value)
            self._total += weight
            while len(self._kept) > self.entries or self._total > self.weight:
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """Remove all values."""
        with self._lock:
            self._kept.clear()
            self._total = 0

    def _drop(self, key: str) -> None:
        self._total -= self._kept.pop(key)[1]
