"""Named places where tests kill or hold a process. Nothing happens unless `MIMIR_CRASH_POINTS` names a folder.

In that folder a test arms a point by making a file; the first process that comes by takes it (a rename, atomic over processes):

- `<name>.kill` becomes `<name>.hit`: SIGKILL to this process.
- `<name>.hold` becomes `<name>.held`: this process waits there until `<name>.go` exists, at most 60 s.

`mimir.env` refuses to start with `ENVIRONMENT=production` while the variable is set. The worker reads its own environment, so that its
points work too.
"""

import os
import signal
import time
from pathlib import Path

HOLD_LIMIT_SECONDS = 60.0


def crash_point(name: str) -> None:
    """Do what is armed for `name`, if anything is."""
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
    """Whether this call took what was armed."""
    try:
        armed.rename(armed.with_suffix(f".{mark}"))
    except FileNotFoundError:
        return False
    return True
