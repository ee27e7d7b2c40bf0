"""Wait for a condition, with a timeout."""

import time
from collections.abc import Callable
from typing import Any

PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.02, 0.25


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Return the value of `condition` once it is true. Raises: TimeoutError.

    The interval between checks grows with the waiting time, because most conditions poll the server
    that they wait for. The value is returned with a delay of at most a tenth.
    """
    began = time.monotonic()
    while True:
        found = condition()
        if found:
            return found
        waited = time.monotonic() - began
        if waited > seconds:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(min(max(PAUSE_SECONDS, waited / 10), PAUSE_SECONDS_MAX))
