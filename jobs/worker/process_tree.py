"""Descendants of the supervisor: resource use and termination.

The supervisor is a child subreaper: a descendant that loses its parent becomes its child, even in
another session. A walk down from the supervisor therefore finds every process of the workload,
whatever its name, session or environment.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_ENDED_CHILD = os.WEXITED | os.WNOHANG | os.WNOWAIT
_HAS_LISTS = (_PROC / "self" / "task" / str(os.getpid()) / "children").exists()
ROUNDS = 500


def become_supervisor() -> None:
    """Become a subreaper and not dumpable."""
    become_private()
    become_subreaper()


def become_private() -> None:
    """Become not dumpable: user code of the same user must not read or trace this process."""
    _prctl(_PR_SET_DUMPABLE, 0)


def become_subreaper() -> None:
    """Adopt descendants that lose their parent."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def become_dumpable() -> None:
    """Let launchers find this fork of a supervisor by its environment: it has no token."""
    _prctl(_PR_SET_DUMPABLE, 1)


def close_descriptors(keep: Collection[int]) -> None:
    """Close all descriptors except `keep`."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            with contextlib.suppress(OSError):  # os.listdir's own descriptor is closed already
                os.close(int(name))


def die_with_parent(parent: int) -> None:
    """Receive SIGKILL when the parent dies. Raises: SystemExit if it is dead already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def descendants(pid: int | None = None) -> list[int]:
    """Return living descendants of `pid` (default: this process), without zombies."""
    root = os.getpid() if pid is None else pid
    children: dict[int, list[int]] = defaultdict(list)
    states: dict[int, str] = {}
    for name in os.listdir(_PROC):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                fields = (_PROC / name / "stat").read_bytes().rpartition(b")")[2].split()
                states[int(name)] = fields[0].decode()
                children[int(fields[1])].append(int(name))
    found, queue = [], [root]
    while queue:
        for child in children.get(queue.pop(), []):
            queue.append(child)
            if states.get(child) not in ("Z", "X"):
                found.append(child)
    return found


def reap(keep: int | None = None) -> None:
    """Reap ended children; stop at the process `keep`, which its owner reaps."""
    with contextlib.suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, _ENDED_CHILD):
            if ended.si_pid == keep:
                return
            os.waitpid(ended.si_pid, os.WNOHANG)


def _has_children() -> bool:
    """Return whether this process has children, running or not reaped yet."""
    try:
        os.waitid(os.P_ALL, 0, _ENDED_CHILD)
    except ChildProcessError:
        return False
    return True


def signal_all(number: int) -> None:
    """Send a signal to every descendant once."""
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_all() -> bool:
    """Kill all descendants of this subreaper; return whether none is left.

    SIGSTOP first, because they could fork. A subreaper without children has no descendants.
    """
    for _ in range(ROUNDS):
        left = descendants() if _has_children() else []
        if not left:
            return True
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        time.sleep(0.002)
    return not descendants()


def _measured() -> list[int]:
    """Return the descendants, by the kernel's lists of children where it has them.

    This costs less than `descendants`, which reads all processes of the machine, but can miss
    a process while others end.
    """
    if not _HAS_LISTS:
        return descendants()
    found, queue = [], [os.getpid()]
    while queue:
        children = _children(queue.pop())
        found += children
        queue += children
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    tasks = _PROC / str(pid) / "task"
    with contextlib.suppress(OSError):
        for task in os.listdir(tasks):
            with contextlib.suppress(OSError):
                found += map(int, (tasks / task / "children").read_bytes().split())
    return found


def memory_bytes() -> int:
    """Return the resident memory of all descendants."""
    total = 0
    for pid in _measured():
        with contextlib.suppress(OSError, IndexError, ValueError):
            total += int((_PROC / str(pid) / "statm").read_bytes().split()[1]) * _PAGE
    return total


def cpu_seconds() -> float:
    """Return the CPU time of living descendants and of those already reaped."""
    times = os.times()
    total = times.children_user + times.children_system
    for pid in _measured():
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total
