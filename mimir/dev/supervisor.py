"""Starts processes in order, starts again what dies, stops all of them in order, and nothing else.

Everything it starts bears its mark in the environment, so that what a killed supervisor left behind is found by the next one. Workers do
not bear it: they belong to nobody and are adopted by the reconciler.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import psutil

from mimir.dev.places import MARKER, Places
from mimir.dev.services import Service

READY_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.2, 5.0
STEADY_SECONDS = 10.0  # who lived this long begins again without a pause
LOG_BYTES_MAX = 20 * 1024 * 1024


class StartFailed(Exception):
    """A process did not become ready. The message says where its log is."""


class AlreadyRuns(Exception):
    """Another supervisor holds this installation."""


class Running:
    """One supervised process."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service, self.log = service, log
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.pause = FIRST_PAUSE_SECONDS
        self.not_before = 0.0

    def start(self) -> None:
        """Start it in a session of its own: a Ctrl-C at the terminal is for the supervisor alone."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".old.log"))
        service = self.service
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                service.argv,
                env=dict(service.environment),
                cwd=service.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=service.user_id,
                group=service.group_id,
                extra_groups=[] if service.user_id is not None else None,
            )
        self.started_at = time.monotonic()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ask, wait, kill."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.service.stop_signal)
        try:
            self.process.wait(self.service.stop_seconds)
        except subprocess.TimeoutExpired:
            _kill_group(self.process.pid)
            self.process.wait()


class Supervisor:
    """Holds the installation's lock for as long as it lives. Raises: AlreadyRuns."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._running: list[Running] = []
        self.stopping = threading.Event()
        self._lock = _hold(places.var / "supervisor.lock")
        end_leftovers(places)

    def start(self, *services: Service) -> None:
        """Start processes side by side and wait until each is ready. Raises: StartFailed."""
        started = [Running(service, self._places.log(service.name)) for service in services]
        self._running.extend(started)
        for running in started:
            running.start()
        end = time.monotonic() + READY_SECONDS
        for running in started:
            while not running.service.ready():
                if not running.alive or time.monotonic() > end:
                    raise StartFailed(f"{running.service.name} did not start. Its log: {running.log}\n{_tail(running.log)}")
                if self.stopping.wait(0.05):
                    return

    def watch_once(self) -> None:
        """Start again what died; each time a little later, until it lives for a while."""
        now = time.monotonic()
        for running in self._running:
            if running.alive or now < running.not_before:
                continue
            if running.not_before == 0.0:  # just found dead
                steady = now - running.started_at > STEADY_SECONDS
                running.pause = FIRST_PAUSE_SECONDS if steady else min(running.pause * 2, LAST_PAUSE_SECONDS)
                running.not_before = now + running.pause
                code = running.process.returncode if running.process else None
                print(f"{running.service.name} ended ({code}): starting it again in {running.pause:.1f} s", flush=True)
                continue
            running.not_before = 0.0
            if not self.stopping.is_set():
                running.start()

    def watch(self) -> None:
        """Until `stopping` is set."""
        while not self.stopping.wait(0.1):
            self.watch_once()

    def stop(self, name: str) -> None:
        """Stop one process; harmless when it does not run. It is not started again."""
        for running in [each for each in self._running if each.service.name == name]:
            running.stop()
            self._running.remove(running)

    def runs(self, name: str) -> bool:
        """Whether a process of this name is alive."""
        return any(each.alive for each in self._running if each.service.name == name)

    def stop_all(self) -> None:
        """The rest, the last started first."""
        self.stopping.set()
        for running in reversed(self._running):
            running.stop()
        self._running.clear()

    def close(self) -> None:
        """Let the installation go."""
        self._lock.close()


def _hold(path: Path) -> IO[str]:
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        pid = lock.read().strip()
        raise AlreadyRuns(f"Mimir runs here already (process {pid}). Stop that one first, or set VAR_DIR for a second one.") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def end_leftovers(places: Places) -> None:
    """End what an earlier, killed supervisor of this installation left: stores last, so that the others can end in order."""
    left = [process for process in psutil.process_iter(["environ", "name"]) if _is_ours(process, places)]
    for group in ([each for each in left if not _is_store(each)], [each for each in left if _is_store(each)]):
        for process in group:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
        _gone, alive = psutil.wait_procs(group, timeout=10)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=5)


def _is_ours(process: psutil.Process, places: Places) -> bool:
    environment = process.info.get("environ") or {}
    return environment.get(MARKER) == str(places.var) and process.pid != os.getpid()


def _is_store(process: psutil.Process) -> bool:
    return str(process.info.get("name", "")) in ("postgres", "valkey-server")


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _tail(log: Path, lines: int = 20) -> str:
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def stderr(message: str) -> None:
    """To the person at the terminal."""
    print(message, file=sys.stderr, flush=True)
