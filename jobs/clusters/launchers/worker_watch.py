"""Wait for worker processes of this machine to appear or end, without reading each folder again.

The kernel reports the end of a worker's first process through a pidfd. New folders show in the
modification time of the folder of all workers. The result is only a hint: the lock of a worker's
folder says whether it lives.
"""

import os
import select
import time
from collections.abc import Callable
from pathlib import Path

from jobs.clusters.launchers import worker_folder

PAUSE_SECONDS = 0.02  # between two checks of the folder of all workers
# Modification times have the resolution of the kernel's clock tick: a folder that was changed just
# now can change again without a new time.
FRESH_SECONDS = 0.1
NAME_SECONDS = 60.0  # longest wait for the worker.json of a new folder


class WorkerWatch:
    """Follows the workers of the folders below `root`. Used by one thread.

    `is_own` returns whether a folder has a worker to follow; None while it is not known yet.
    """

    def __init__(self, root: Path, is_own: Callable[[Path], bool | None]) -> None:
        self._root, self._is_own = root, is_own
        self._poll = select.poll()
        self._watched: dict[int, str] = {}  # pidfd to name
        # Workers without a process to watch: being started, or their first process was killed.
        self._unwatched: dict[str, Path] = {}
        self._known: dict[str, int] = {}  # inode of each folder at the last scan, by name
        self._unnamed: dict[str, float] = {}  # folder to the end of the wait for its worker.json
        self._scanned_at = 0  # modification time at the last scan, in ns

    def wait(self, timeout_seconds: float) -> frozenset[str]:
        """Return the names of workers that ended since the last call.

        Waits for the first, at most `timeout_seconds`.
        """
        end = time.monotonic() + timeout_seconds
        while True:
            self._scan()
            ended = self._freed()
            left = end - time.monotonic()
            ended |= self._ended(0.0 if ended else min(max(left, 0.0), PAUSE_SECONDS))
            if ended or left <= 0:
                return frozenset(ended)

    def close(self) -> None:
        """Close the pidfds."""
        for descriptor in self._watched:
            os.close(descriptor)
        self._watched.clear()
        self._poll = select.poll()

    def _scan(self) -> None:
        """Find new workers, if the folder of all workers may have changed."""
        changed_at = self._root.stat().st_mtime_ns
        if changed_at != self._scanned_at:
            fresh = abs(time.time_ns() - changed_at) < FRESH_SECONDS * 1e9
            self._scanned_at = 0 if fresh else changed_at
            with os.scandir(self._root) as entries:
                found = {each.name: each.inode() for each in entries if each.name[0] != "."}
            until = time.monotonic() + NAME_SECONDS
            new = [name for name, inode in found.items() if self._known.get(name) != inode]
            self._known = found
            self._unnamed |= dict.fromkeys(new, until)
            for name in (self._unnamed.keys() | self._unwatched.keys()) - found.keys():
                self._unnamed.pop(name, None)
                self._unwatched.pop(name, None)
        for name, until in list(self._unnamed.items()):
            own = self._is_own(self._root / name)
            if own:
                self._unwatched[name] = self._root / name
            if own is not None or time.monotonic() > until:
                del self._unnamed[name]

    def _freed(self) -> set[str]:
        """Watch the workers whose process is known by now; return the names of those that ended."""
        ended = set()
        for name, folder in list(self._unwatched.items()):
            if not worker_folder.is_locked(folder):
                ended.add(name)
            elif not self._watch(name, folder):
                continue
            del self._unwatched[name]
        return ended

    def _watch(self, name: str, folder: Path) -> bool:
        """Watch the first process of a worker; return whether that was possible."""
        pid = worker_folder.first_process(folder)
        if pid is None:
            return False
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:  # it was killed and another holds the lock, or the kernel has no pidfds
            return False
        if (
            worker_folder.first_process(folder) != pid
            or not worker_folder.is_locked(folder)  # the pid may belong to another process
            or _has_ended(descriptor)  # and another process holds the lock
        ):
            os.close(descriptor)
            return False
        self._watched[descriptor] = name
        self._poll.register(descriptor, select.POLLIN)
        return True

    def _ended(self, timeout_seconds: float) -> set[str]:
        """Return the names of workers whose first process ended. The others stay watched."""
        ended = set()
        for descriptor, _event in self._poll.poll(timeout_seconds * 1000):
            name = self._watched.pop(descriptor)
            self._poll.unregister(descriptor)
            os.close(descriptor)
            ended.add(name)
            folder = self._root / name
            if worker_folder.is_locked(folder):  # it was killed, and its supervisor still runs
                self._unwatched[name] = folder
        return ended


def _has_ended(descriptor: int) -> bool:
    """Return whether the process of a pidfd has ended, even if nobody has reaped it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
