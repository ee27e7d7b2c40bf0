"""Above the supervisor, on one machine: whatever is killed, nothing of an attempt outlives it.

A supervisor that is killed can no longer end what its workload started, and a process that has left its session and emptied its environment
bears no mark by which anybody else would find it. But it then becomes the child of the nearest subreaper: this one.
"""

import os
import signal

from jobs.worker import process_tree


def stand_guard() -> None:
    """Fork: the child returns, to become the supervisor; the parent waits for its end, ends what is left of it, and exits.

    Both hold the worker's lock, so that it is free only when nothing is left. SIGTERM is passed on.
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
    process_tree.kill_all()
    os._exit(0)


def _wait_for(supervisor: int) -> None:
    """Collect children until the supervisor is among them. It is looked at before it is collected: until then its number is nobody else's."""
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if ended is not None and ended.si_pid == supervisor:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if ended is not None:
            os.waitpid(ended.si_pid, 0)
            if ended.si_pid == supervisor:
                return
