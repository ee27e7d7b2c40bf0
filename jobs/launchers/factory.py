"""Which launcher a cluster's row names."""

from collections.abc import Mapping
from pathlib import Path

from jobs.launchers.base import Launcher
from jobs.launchers.memory import MemoryLauncher
from jobs.launchers.process import ProcessLauncher


def launcher_for(kind: str, settings: Mapping[str, str]) -> Launcher:
    """The launcher of `kind` (process, memory). `settings`: `workers_dir` and `installation` for process.

    Raises: ValueError for a kind this release has not.
    """
    if kind == "process":
        return ProcessLauncher(Path(settings["workers_dir"]), installation=settings["installation"])
    if kind == "memory":
        return MemoryLauncher()
    raise ValueError(f"{kind!r} is not a launcher of this release: use process")
