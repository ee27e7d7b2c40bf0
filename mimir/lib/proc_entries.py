"""Replacement of the environment and command line of a forked process, also in /proc.

A fork without exec keeps what /proc/<pid>/environ and /proc/<pid>/cmdline show. Launchers and the
supervisor of one machine find processes by their environment, and people find them by their
command line.
"""

import ctypes
import os
from collections.abc import Collection, Mapping
from pathlib import Path

_ARGUMENTS_FIELD, _ENVIRONMENT_FIELD = 48, 50  # start addresses in /proc/<pid>/stat, see proc(5)


def replace_environment(variables: Mapping[str, str], *, shown_first: Collection[str]) -> None:
    """Replace all variables of this process, and those that /proc shows.

    /proc shows as many as fit into the space of the environment that the program was started with,
    `shown_first` before others.
    """
    os.environ.clear()
    os.environ.update(variables)
    first = [name for name in shown_first if name in variables]
    others = [name for name in variables if name not in shown_first]
    _show([f"{name}={variables[name]}" for name in (*first, *others)], _ENVIRONMENT_FIELD)


def show_command(*arguments: str) -> None:
    """Replace the command line that /proc shows, as far as the space of the old one allows."""
    _show(list(arguments), _ARGUMENTS_FIELD)


def _show(texts: list[str], field: int) -> None:
    """Overwrite the memory from the address in `field` of /proc/self/stat to that in the next."""
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    start, end = int(fields[field - 3]), int(fields[field - 2])  # zeros if they are hidden
    shown = b"".join(os.fsencode(text) + b"\0" for text in texts)
    if len(shown) > end - start:
        shown = shown[: shown.rfind(b"\0", 0, max(end - start, 0)) + 1]
    if end > start:
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, shown, len(shown))
