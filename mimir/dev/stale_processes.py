"""Clean-up after a killed supervisor: its processes are found by a mark in their environment.

Workers have no such mark: they belong to no supervisor, and the reconciler adopts them.
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
    """End the processes of this installation; the stores last."""
    left = list(_bearers(places))
    _end([process for process in left if _name(process) not in STORES])
    _end([process for process in left if _name(process) in STORES])
    _await_database(places)


def end_workers(places: Places) -> None:
    """Kill the workers of this installation and their descendants."""
    workers = str(places.var / "workers")
    names = ("WORKER_DIR", "MIMIR_DATA_DIR", "HOME")
    left = [
        process
        for process, environment in _processes()
        if any(environment.get(name, "").startswith(f"{workers}/") for name in names)
    ]
    _kill(left)


def _bearers(places: Places) -> Iterator[psutil.Process]:
    """Return the processes with the mark, except this one and its ancestors."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process, environment in _processes():
        if environment.get(MARKER) == str(places.var) and process.pid not in own:
            yield process


def _await_database(places: Places) -> None:
    """Wait for PostgreSQL's children, found by their working folder.

    They overwrite their environment, so they have no mark.
    """
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
    """Terminate, wait, kill."""
    for process in processes:
        # SIGINT: fast shutdown of PostgreSQL. SIGCONT: a stopped process must receive it.
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
    """Return every readable process with its environment."""
    for process in psutil.process_iter():
        environment = _of(process.environ)
        if environment:
            yield process, environment


def _name(process: psutil.Process) -> str:
    return _of(process.name) or ""


def _of(ask: Callable[[], T]) -> T | None:
    """Return the result of `ask`; None if the process has ended or cannot be read."""
    try:
        return ask()
    except (psutil.Error, OSError):
        return None
