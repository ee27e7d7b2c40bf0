"""Named places where tests kill or hold a process. Nothing happens unless `MIMIR_CRASH_POINTS` is set.

`MIMIR_CRASH_POINTS` is a comma list of `name=action`:

- `kill`: SIGKILL to this process, once over all processes: the first to make `<dir>/<name>.hit` dies.
- `hold`: writes `<dir>/<name>.held`, then waits until `<dir>/<name>.go` exists (at most 60 s), once over all processes.

`<dir>` is `MIMIR_CRASH_DIR`. `mimir.env` refuses to start with `ENVIRONMENT=production` while the variable is set. The worker reads
its own environment, so that its points work too.
"""

import os
import signal
import time
from pathlib import Path

HOLD_LIMIT_SECONDS = 60.0


def crash_point(name: str) -> None:
    """Do what `MIMIR_CRASH_POINTS` says for `name`, if it says anything and no process has done it before."""
    wanted = os.environ.get("MIMIR_CRASH_POINTS")
    if not wanted:
        return
    action = dict(part.partition("=")[::2] for part in wanted.split(",")).get(name)
    if action is None:
        return
    folder = Path(os.environ["MIMIR_CRASH_DIR"])
    if action == "kill" and _first(folder / f"{name}.hit"):
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "hold" and _first(folder / f"{name}.held"):
        end = time.monotonic() + HOLD_LIMIT_SECONDS
        while not (folder / f"{name}.go").exists() and time.monotonic() < end:
            time.sleep(0.005)


def _first(path: Path) -> bool:
    """Whether this call made the file: O_EXCL is atomic over processes."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True
