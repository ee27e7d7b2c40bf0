"""Memory use, memory limit and OOM kills of this container's cgroup (version 2 or 1).

Memory is counted as the kernel counts it before an OOM kill: without memory that it can reclaim at
any time (cached files, reclaimable caches of the kernel).
"""

import contextlib
from pathlib import Path
from typing import NamedTuple

OWN, MOUNTED = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
UNLIMITED_BYTES = 2**60  # version 1 gives "no limit" as the largest number of whole pages


class _Names(NamedTuple):
    """File names of one cgroup version, and the reclaimable rows of `memory.stat`."""

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
    """Memory cgroup of this process."""

    def __init__(self, folder: Path, names: _Names) -> None:
        self._folder, self._names = folder, names

    def read(self) -> tuple[int, int] | None:
        """Return (used, limit) in bytes; None without a limit or if a file cannot be read."""
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
        """Return the number of processes that the kernel OOM-killed here; 0 if it is unknown."""
        try:
            return _rows(self._folder / self._names.kills).get("oom_kill", 0)
        except (OSError, ValueError):
            return 0


def own_group() -> MemoryGroup | None:
    """Return the memory cgroup of this process, wherever it is mounted; None without one."""
    paths = {"": "", "memory": ""}
    with contextlib.suppress(OSError, ValueError):
        for line in OWN.read_text().splitlines():
            _number, controllers, path = line.split(":", 2)
            paths.update(dict.fromkeys(controllers.split(","), path))
    # With its own cgroup namespace, a container is at the root. Without one, the path is only valid
    # on the host, and the container's cgroup is mounted at the root.
    for folder, names in ((MOUNTED, _V2), (MOUNTED / "memory", _V1)):
        own = paths["" if names is _V2 else "memory"].lstrip("/")
        for candidate in (folder / own, folder):
            if (candidate / names.now).is_file():
                return MemoryGroup(candidate, names)
    return None


def _rows(path: Path) -> dict[str, int]:
    """Parse a file of `name number` lines."""
    return {
        name: int(number)
        for name, number in (line.split() for line in path.read_text().splitlines())
    }
