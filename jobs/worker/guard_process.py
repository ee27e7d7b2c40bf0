"""Guardian: the supervisor's parent under the process launcher. It kills processes that remain.

A killed supervisor cannot end the processes of its workload, and a launcher cannot find a process
that left its session and cleared its environment. When the supervisor dies, such a process becomes
a child of the nearest subreaper, which is the guardian.
"""

import contextlib
import os
import signal
from pathlib import Path

from jobs.worker import process_tree

ROUNDS = 3  # each takes a second when a process cannot be killed


def start_guardian(folder: Path) -> None:
    """Fork. The child becomes the supervisor; the parent waits, kills the rest and exits.

    Both hold the worker's lock, which is free when both have ended. The parent creates the file
    `empty` in the worker's folder when no other process is left: without that file, a launcher
    cannot know whether the parent exited by itself or was killed. The parent forwards SIGTERM.
    """
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    process_tree.become_subreaper()
    supervisor = os.fork()
    if supervisor:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(supervisor, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_SETMASK, held)
    if not supervisor:
        return
    _wait_for(supervisor)
    if _kill_rest():
        with contextlib.suppress(OSError):
            (folder / "empty").touch()
    os._exit(0)


def _kill_rest() -> bool:
    """Kill and reap the other processes; return whether none is left.

    A subreaper without children has no descendants. A list of processes proves nothing: it can
    miss the child of a process that forks and exits while the list is read.
    """
    for _ in range(ROUNDS):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        process_tree.kill_all()
    return False


def _wait_for(supervisor: int) -> None:
    """Reap children until the supervisor has ended.

    WNOWAIT: its pid stays reserved until SIGTERM is no longer forwarded to it.
    """
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if ended is not None and ended.si_pid == supervisor:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if ended is not None:
            os.waitpid(ended.si_pid, 0)
            if ended.si_pid == supervisor:
                return
