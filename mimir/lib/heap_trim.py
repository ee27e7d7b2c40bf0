"""Return of freed memory to the system after a burst: glibc keeps it until it is trimmed."""

import asyncio
import contextlib
import ctypes
import functools
from typing import Any

_DELAY_SECONDS = 1.0
_pending: asyncio.TimerHandle | None = None


def trim_soon() -> None:
    """Schedule one trim in a second; further calls until then change nothing.

    It must be called on the thread of the event loop.
    """
    global _pending
    if _pending is None:
        _pending = asyncio.get_running_loop().call_later(_DELAY_SECONDS, _trim)


def _trim() -> None:
    global _pending
    _pending = None
    if (function := _malloc_trim()) is not None:
        asyncio.get_running_loop().run_in_executor(None, function, 0)  # ctypes releases the GIL


@functools.cache
def _malloc_trim() -> Any:
    """Return glibc's function; None with another C library."""
    with contextlib.suppress(OSError, AttributeError):
        return ctypes.CDLL(None).malloc_trim
    return None
