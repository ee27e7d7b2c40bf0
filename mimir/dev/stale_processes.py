"""What a killed supervisor left behind: found by the mark in its environment, and ended.

Workers do not bear the mark: they belong to nobody, and the reconciler takes them over.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import TypeVar

import psutil

from mimir.dev.paths import MARKER, Places

ASK_SECONDS, KILL_SECONDS = 10.0, 5.0
STORES = ("postgres", "valkey-server")
T = TypeVar("T")


def end_leftovers(places: Places) -> None:
    """End what runs for this installation: the stores last, so that the others can end in order."""
    left = list(_bearers(places))
    _end([process for process in left if _name(process) not in STORES])
    _end([process for process in left if _name(process) in STORES])
    _await_database(places)


def end_workers(places: Places) -> None:
    """Kill this installation's workers and what they started."""
    workers = str(places.var / "workers")
    names = ("WORKER_DIR", "MIMIR_DATA_DIR", "HOME")
    left = [
        process
        for process, environment in _processes()
        if any(environment.get(name, "").startswith(f"{workers}/") for name in names)
    ]
    _kill(left)


def _bearers(places: Places) -> Iterator[psutil.Process]:
    """Processes that bear our mark. Whoever asks is none of them, nor is what started it."""
    family = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process, environment in _processes():
        if environment.get(MARKER) == str(places.var) and process.pid not in family:
            yield process


def _await_database(places: Places) -> None:
    """PostgreSQL's own children end when it does, but write over their environment: they are known by the folder they work in."""
    data = str(places.database_home / "data")

    def children() -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter()
            if _name(process) == "postgres" and _of(process.cwd) == data
        ]

    left = children()
    psutil.wait_procs(left, timeout=ASK_SECONDS)
    _kill(children())


def _end(processes: list[psutil.Process]) -> None:
    """Ask, wait, kill."""
    for process in processes:
        # SIGINT: PostgreSQL ends its sessions and keeps what is committed; SIGCONT: who was stopped has to hear it.
        for number in (
            signal.SIGINT if _name(process) == "postgres" else signal.SIGTERM,
            signal.SIGCONT,
        ):
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
    _gone, alive = psutil.wait_procs(processes, timeout=ASK_SECONDS)
    _kill(alive)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=KILL_SECONDS)


def _processes() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """Every process we may look into, with its environment."""
    for process in psutil.process_iter():
        environment = _of(process.environ)
        if environment:
            yield process, environment


def _name(process: psutil.Process) -> str:
    return _of(process.name) or ""


def _of(ask: Callable[[], T]) -> T | None:
    """What a process says of itself, None when it is gone or not ours to ask."""
    try:
        return ask()
    except (psutil.Error, OSError):
        return None
