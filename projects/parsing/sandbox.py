"""Limits that a parsing child sets on itself before it touches user input.

They also hold if the server that started the child is gone.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000


def confine(limits: dict[str, Any]) -> None:
    """Apply the limits. Call this before a thread or a parser starts."""
    signal.alarm(int(limits["seconds"]) + 5)  # by then the server no longer waits
    cpu_seconds = int(limits["cpu_seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits["address_bytes"], limits["address_bytes"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file_bytes"], limits["file_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A write past the limit then fails with EFBIG, which can be reported.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(limits["nice"])
    if sys.platform == "linux":
        # If the machine runs out of memory, the kernel kills this process first.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        # A network namespace without a device. If the kernel refuses it, DuckDB's own locks remain.
        ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NET)
