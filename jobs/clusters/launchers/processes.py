"""Find and end operating system processes by their environment, never by a remembered pid alone.

psutil compares the start time of a process before each signal, which excludes a reused pid.
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
# A workload may fork while it is killed: each round stops the processes that it finds first.
ROUNDS = 100


def bearers() -> dict[str, list[int]]:
    """Return the pids of worker processes by the attempt id in their environment.

    Processes with an unreadable environment (of other users, non-dumpable) are not found.
    """
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
    """Return whether the process has ended and only its table entry remains."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def kill_tree(pid: int) -> None:
    """Kill the first process of a worker and all its descendants, the first process last.

    A process that left the worker's session is still a descendant.
    """
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
    """Kill every process of the attempt `attempt_id`; return how many were killed."""
    killed = 0
    for _ in range(ROUNDS):
        pids = [
            pid
            for pid in bearers().get(attempt_id, [])
            if pid != os.getpid() and not is_zombie(pid)
        ]
        if not pids:
            return killed
        killed += len(pids)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(pid)
                    if _attempt_of(pid) == attempt_id:
                        process.send_signal(number)
        time.sleep(0.002)
    return killed


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
