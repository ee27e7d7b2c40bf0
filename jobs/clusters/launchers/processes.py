"""Finding and ending operating system processes by what they bear, never by a remembered pid alone.

psutil's handles compare the start time before each signal, so that a reused pid is never hit.
"""

import contextlib
import os
import signal
import time
from collections import defaultdict
from pathlib import Path

import psutil

_PROC = Path("/proc")
_KEY = b"ATTEMPT_ID="
ROUNDS = 100  # a workload that forks while it is being killed: each round stops what it sees first


def bearers() -> dict[str, list[int]]:
    """Attempt id -> pids of the processes that bear it in their environment. Unreadable ones (other users', non-dumpable) are left out."""
    found: dict[str, list[int]] = defaultdict(list)
    for pid in psutil.pids():
        attempt_id = _attempt_of(pid)
        if attempt_id:
            found[attempt_id].append(pid)
    return found


def _attempt_of(pid: int) -> str:
    try:
        environ = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return ""
    return next(
        (
            part[len(_KEY) :].decode("ascii", "replace")
            for part in environ.split(b"\0")
            if part.startswith(_KEY)
        ),
        "",
    )


def is_zombie(pid: int) -> bool:
    """Whether nothing of the process runs any more but its entry."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def kill_tree(pid: int) -> None:
    """Kill a supervisor and all its descendants; the supervisor last, since what escaped its session is still its child."""
    try:
        supervisor = psutil.Process(pid)
        supervisor.send_signal(signal.SIGSTOP)  # it must not start or release anything meanwhile
    except psutil.Error:
        return
    for _ in range(ROUNDS):
        children = [child for child in _descendants(supervisor) if not _is_dead(child)]
        if not children:
            break
        for child in children:
            _send(child, signal.SIGSTOP)
        for child in children:
            _send(child, signal.SIGKILL)
        time.sleep(0.002)
    _send(supervisor, signal.SIGKILL)


def kill_bearers(attempt_id: str) -> int:
    """Kill every process that bears `attempt_id` until none is left; how many were seen."""
    seen = 0
    for _ in range(ROUNDS):
        pids = [
            pid
            for pid in bearers().get(attempt_id, [])
            if pid != os.getpid() and not is_zombie(pid)
        ]
        if not pids:
            return seen
        seen += len(pids)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(pid)
                    if _attempt_of(pid) == attempt_id:
                        process.send_signal(number)
        time.sleep(0.002)
    return seen


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _is_dead(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _send(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)
