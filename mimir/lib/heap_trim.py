"""Giving memory back to the system after a burst: glibc keeps what was freed in the middle of its heap until it is told to trim."""

import asyncio
import contextlib
import ctypes
import functools
from typing import Any

_DELAY_SECONDS = 1.0
_pending: asyncio.TimerHandle | None = None


def trim_soon() -> None:
    """Trim once, a second from now, however often this is called until then. Call it in the event loop's thread."""
    global _pending
    if _pending is None:
        _pending = asyncio.get_running_loop().call_later(_DELAY_SECONDS, _trim)


def _trim() -> None:
    global _pending
    _pending = None
    if (function := _malloc_trim()) is not None:
        asyncio.get_running_loop().run_in_executor(
            None, function, 0
        )  # ctypes releases the interpreter's lock


@functools.cache
def _malloc_trim() -> Any:
    """glibc's function; None where the C library has none."""
    with contextlib.suppress(OSError, AttributeError):
        return ctypes.CDLL(None).malloc_trim
    return None
