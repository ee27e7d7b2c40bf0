"""Kernel counters of this container: its memory, that memory's limit, and whether it had to kill for it. Versions 2 and 1 of cgroups.

Memory is counted as the kernel does before it kills: without what it could take back at any moment (cached files, caches of its own).
"""

import contextlib
from pathlib import Path
from typing import NamedTuple

OWN, MOUNTED = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
UNLIMITED_BYTES = 2**60  # version 1 says "no limit" by the largest number of whole pages


class _Names(NamedTuple):
    """The files of one version, and the rows of `memory.stat` that can be taken back."""

    now: str
    limit: str
    kills: str
    reclaimable: tuple[str, ...]


_V2 = _Names(
    "memory.current",
    "memory.max",
    "memory.events",
    ("inactive_file", "active_file", "slab_reclaimable"),
)
_V1 = _Names(
    "memory.usage_in_bytes",
    "memory.limit_in_bytes",
    "memory.oom_control",
    ("total_inactive_file", "total_active_file"),
)


class MemoryGroup:
    """This process's own memory cgroup."""

    def __init__(self, folder: Path, names: _Names) -> None:
        self._folder, self._names = folder, names

    def read(self) -> tuple[int, int] | None:
        """(used, limit) in bytes; None where there is no limit, or no more to be read."""
        try:
            limit = int((self._folder / self._names.limit).read_text())
            used = int((self._folder / self._names.now).read_text())
            rows = _rows(self._folder / "memory.stat")
        except (OSError, ValueError):  # "max" is not a number
            return None
        if limit >= UNLIMITED_BYTES:
            return None
        return max(0, used - sum(rows.get(name, 0) for name in self._names.reclaimable)), limit

    def kills(self) -> int:
        """How many processes the kernel has killed here because memory ran out."""
        try:
            return _rows(self._folder / self._names.kills).get("oom_kill", 0)
        except (OSError, ValueError):
            return 0


def own_group() -> MemoryGroup | None:
    """The memory cgroup of this process, however it is mounted here; None without one."""
    paths = {"": "", "memory": ""}
    with contextlib.suppress(OSError, ValueError):
        for line in OWN.read_text().splitlines():
            _number, controllers, path = line.split(":", 2)
            paths.update(dict.fromkeys(controllers.split(","), path))
    # With a namespace of its own a container is at the root; without one only the host knows the path, and the container's is mounted at the root.
    for folder, names in ((MOUNTED, _V2), (MOUNTED / "memory", _V1)):
        own = paths["" if names is _V2 else "memory"].lstrip("/")
        for candidate in (folder / own, folder):
            if (candidate / names.now).is_file():
                return MemoryGroup(candidate, names)
    return None


def _rows(path: Path) -> dict[str, int]:
    """A file of `name number` lines."""
    return {
        name: int(number)
        for name, number in (line.split() for line in path.read_text().splitlines())
    }
