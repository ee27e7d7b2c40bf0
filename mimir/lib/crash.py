"""Crash points: named places where tests kill or pause a process.

They do nothing unless `MIMIR_CRASH_POINTS` names a folder. A test creates a file there; the first
process that reaches the point takes it (by an atomic rename):

- `<name>.kill` becomes `<name>.hit`: SIGKILL to this process.
- `<name>.hold` becomes `<name>.held`: the process waits until `<name>.go` exists, at most 60 s.

With `ENVIRONMENT=production`, `mimir.env` refuses to start while the variable is set. The worker
reads its own environment, so its points work too.
"""

import os
import signal
import time
from pathlib import Path

HOLD_LIMIT_SECONDS = 60.0


def crash_point(name: str) -> None:
    """Do what the files for `name` say."""
    folder = os.environ.get("MIMIR_CRASH_POINTS")
    if not folder:
        return
    if _taken(Path(folder, f"{name}.kill"), "hit"):
        os.kill(os.getpid(), signal.SIGKILL)
    if _taken(Path(folder, f"{name}.hold"), "held"):
        end = time.monotonic() + HOLD_LIMIT_SECONDS
        while not Path(folder, f"{name}.go").exists() and time.monotonic() < end:
            time.sleep(0.005)


def _taken(armed: Path, mark: str) -> bool:
    """Whether this call took the file."""
    try:
        armed.rename(armed.with_suffix(f".{mark}"))
    except FileNotFoundError:
        return False
    return True
