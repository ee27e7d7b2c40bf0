"""Descendants of the supervisor: resource use and termination.

The supervisor is a child subreaper: a process that leaves its session or loses its parent becomes
its child. A walk down from it finds every process, whatever its name, session or environment.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections import defaultdict
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_PROC = Path("/proc")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
ROUNDS = 500


def become_supervisor() -> None:
    """Become a subreaper and not dumpable: user code must not read the token from /proc."""
    _prctl(_PR_SET_DUMPABLE, 0)
    become_subreaper()


def become_subreaper() -> None:
    """Adopt descendants that lose their parent."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def forget_token(name: str) -> None:
    """Blank a variable in the memory that /proc shows as our environment.

    Not being dumpable hides it from everybody but root, and the worker may run as root.
    """
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    address = libc.getenv(name.encode())
    if address:
        ctypes.memset(address, ord("x"), len(ctypes.string_at(address)))


def die_with_parent() -> None:
    """Receive SIGKILL when the parent dies. Raises: SystemExit if it is dead already."""
    parent = os.getppid()
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
    """Reap ended children, except `keep`, whose exit its owner waits for."""
    for pid in _zombies():
        if pid != keep:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _zombies() -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir(_PROC / "self" / "task"):
            for child in (_PROC / "self" / "task" / task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    state = (_PROC / child / "stat").read_bytes().rpartition(b")")[2].split()[0]
                    if state == b"Z":
                        found.append(int(child))
    return found


def signal_all(number: int) -> None:
    """Send a signal to every descendant once."""
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_all() -> bool:
    """Kill all descendants; return whether none is left. SIGSTOP first, because they could fork."""
    for _ in range(ROUNDS):
        left = descendants()
        if not left:
            return True
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        time.sleep(0.002)
    return not descendants()


def memory_bytes() -> int:
    """Return the resident memory of all descendants."""
    total = 0
    for pid in descendants():
        with contextlib.suppress(OSError, IndexError, ValueError):
            total += int((_PROC / str(pid) / "statm").read_bytes().split()[1]) * _PAGE
    return total


def cpu_seconds() -> float:
    """Return the CPU time of living descendants and of those already reaped."""
    times = os.times()
    total = times.children_user + times.children_system
    for pid in descendants():
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total
