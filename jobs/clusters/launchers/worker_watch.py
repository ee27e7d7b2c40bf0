"""Wait for worker processes of this machine to appear or end, without reading each folder again.

The kernel reports the end of a worker's first process through a pidfd. New folders show in the
modification time of the folder of all workers. The result is only a hint: the lock of a worker's
folder says whether it lives.
"""

import os
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from jobs.clusters.launchers import worker_folder
from jobs.clusters.launchers.base import Changes
from jobs.clusters.launchers.worker_folder import WorkerIdentity

PAUSE_SECONDS = 0.02  # between two looks at the folder of all workers
# Modification times have the resolution of the kernel's clock tick: a folder that was changed just
# now can change again without a new time.
FRESH_SECONDS = 0.1


class WorkerWatch:
    """Follows the workers that `folders` yields, below `root`. Used by one thread."""

    def __init__(
        self, root: Path, folders: Callable[[], Iterator[tuple[Path, WorkerIdentity]]]
    ) -> None:
        self._root, self._folders = root, folders
        self._poll = select.poll()
        self._watched: dict[int, str] = {}  # pidfd to name
        # Workers without a process to watch: being started, or their first process was killed.
        self._unwatched: dict[str, Path] = {}
        self._known: dict[str, str] = {}  # uid of each worker at the last scan, by name
        self._scanned_at = 0  # modification time at the last scan, in ns

    def wait(self, timeout_seconds: float) -> Changes:
        """Return the names of workers that appeared or ended since the last call.

        Waits for the first, at most `timeout_seconds`.
        """
        end = time.monotonic() + timeout_seconds
        while True:
            changed = self._scan() | self._freed()
            left = end - time.monotonic()
            changed |= self._ended(0.0 if changed else min(max(left, 0.0), PAUSE_SECONDS))
            if changed or left <= 0:
                return Changes(frozenset(changed))

    def close(self) -> None:
        """Close the pidfds."""
        for descriptor in self._watched:
            os.close(descriptor)
        self._watched.clear()
        self._poll = select.poll()

    def _scan(self) -> set[str]:
        """Read the folders if their number may have changed; return the names of new workers."""
        changed_at = self._root.stat().st_mtime_ns
        if changed_at == self._scanned_at:
            return set()
        fresh = abs(time.time_ns() - changed_at) < FRESH_SECONDS * 1e9
        self._scanned_at = 0 if fresh else changed_at
        found = {folder.name: identity["uid"] for folder, identity in self._folders()}
        new = {name for name, uid in found.items() if self._known.get(name) != uid}
        self._known = found
        for name in new:
            self._unwatched[name] = self._root / name
        for name in self._unwatched.keys() - found.keys():
            del self._unwatched[name]
        return new

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
        except OSError:  # it was killed and others hold the lock, or the kernel has no pidfds
            return False
        if (
            worker_folder.first_process(folder) != pid
            or not worker_folder.is_locked(folder)  # the pid may belong to another process
            or _has_ended(descriptor)  # and others hold the lock
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
            if worker_folder.is_locked(folder):  # it was killed, and its supervisor still lives
                self._unwatched[name] = folder
        return ended


def _has_ended(descriptor: int) -> bool:
    """Return whether the process of a pidfd has ended, even if nobody has reaped it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
