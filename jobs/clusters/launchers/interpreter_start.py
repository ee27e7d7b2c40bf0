"""Start a worker in an interpreter of its own, whose first stage forks the worker and exits."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from jobs.clusters.launchers.base import LaunchUncertain
from jobs.clusters.launchers.fork_server import WorkerStart
from mimir.lib.crash import crash_point

START_SECONDS, START_PAUSE_SECONDS = 20.0, 0.003
CONSOLE_BYTES = 400  # of the stderr, in the message


def start_interpreter(argv: Sequence[str], wanted: WorkerStart, console: Path) -> None:
    """Run the first stage to its end. `console`: the file with its stderr.

    Raises: LaunchUncertain, with the end of the stderr.
    """
    environment = {
        **wanted.environment,
        "JOB_TOKEN": wanted.token,
        "WORKER_LOCK_FD": str(wanted.lock),
    }
    try:
        starter = subprocess.Popen(
            argv,
            cwd=wanted.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=wanted.console,
            pass_fds=(wanted.lock,),
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchUncertain(f"the worker could not be started: {error}") from error
    crash_point("launch.after_spawn")
    code = _code_of(starter)
    if code is None:
        raise LaunchUncertain("the worker did not start in time")
    if code != 0:
        tail = console.read_bytes()[-CONSOLE_BYTES:].decode("utf-8", "replace").strip()
        raise LaunchUncertain(f"the worker's start ended with {code}: {tail}")


def _code_of(starter: subprocess.Popen[bytes]) -> int | None:
    """Return the exit code of the first stage; None when it timed out and was killed.

    `Popen.wait` with a timeout polls only every 50 ms.
    """
    end = time.monotonic() + START_SECONDS
    while starter.poll() is None:
        if time.monotonic() > end:
            starter.kill()
            starter.wait()
            return None
        time.sleep(START_PAUSE_SECONDS)
    return starter.returncode
