"""The limits a parsing child puts on itself before it touches what a user sent. They hold even when the server that started it is gone."""

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
    """Apply `limits`: {"seconds", "cpu_seconds", "address_bytes", "file_bytes", "nice"}. To be called before a thread or a parser starts."""
    signal.alarm(int(limits["seconds"]) + 5)  # nobody waits for it any more
    cpu_seconds = int(limits["cpu_seconds"])
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits["address_bytes"], limits["address_bytes"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file_bytes"], limits["file_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(
        signal.SIGXFSZ, signal.SIG_IGN
    )  # a write past the limit then fails with EFBIG, which can be reported
    with contextlib.suppress(OSError):
        os.nice(limits["nice"])
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(
                "1000"
            )  # where memory runs out, the kernel ends this process first
        # A network namespace without a device. Where the kernel refuses it, DuckDB's own locks must do.
        ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NET)
