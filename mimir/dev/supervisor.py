"""Supervisor: starts processes in order, restarts those that die, stops all in order."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from mimir.dev.paths import ROOT, Places
from mimir.dev.service_forks import AdoptedProcess, ServiceForks
from mimir.dev.services import Service
from mimir.dev.stale_processes import end_leftovers

READY_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.2, 5.0
STEADY_SECONDS = 10.0  # a process that ran this long restarts after the first pause
LOG_BYTES_MAX, LOG_SECONDS = 20 * 1024 * 1024, 10.0


class StartFailed(Exception):
    """A process did not become ready. The message names its log."""


class AlreadyRuns(Exception):
    """Another supervisor runs this installation."""


class Stopping:
    """A flag for signal handlers.

    `threading.Event` could wait for a lock of the interrupted code.
    """

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        """Set the flag."""
        self._set = True

    def is_set(self) -> bool:
        """Whether the flag is set."""
        return self._set

    def wait(self, seconds: float) -> bool:
        """Sleep until the time is over or the flag is set. Return whether it is set."""
        if not self._set:
            time.sleep(seconds)
        return self._set


Process = subprocess.Popen[bytes] | AdoptedProcess


def start_process(service: Service, output: IO[bytes], forks: ServiceForks | None) -> Process:
    """Start a process in its own session, with `output` as its stdout and stderr.

    Raises: OSError.
    """
    if forks is not None and service.forks:
        forked = forks.fork(
            {
                "argv": service.argv,
                "environment": dict(service.environment),
                "folder": str(service.cwd),
            },
            output.fileno(),
        )
        if forked is not None:
            return forked
    return subprocess.Popen(
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


class Running:
    """One supervised process."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service, self.log = service, log
        self.process: Process | None = None
        self.started_at = 0.0
        self.pause = FIRST_PAUSE_SECONDS
        self.not_before = 0.0

    def start(self, forks: ServiceForks | None) -> None:
        """Start it in its own session: Ctrl-C reaches only the supervisor."""
        with self.log.open("ab") as output:
            self.process = start_process(self.service, output, forks)
        self.started_at = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def cut_log(self) -> None:
        """Move the content of a log above LOG_BYTES_MAX to `*.old.log`, and continue empty."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LOG_BYTES_MAX:
                shutil.copyfile(self.log, self.log.with_suffix(".old.log"))
                os.truncate(self.log, 0)

    def stop(self) -> None:
        """Terminate, wait, kill."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.service.stop_signal)
        self.process.send_signal(signal.SIGCONT)  # a stopped process must receive the signal
        try:
            self.process.wait(self.service.stop_seconds)
        except subprocess.TimeoutExpired:
            kill_group(self.process.pid)
            self.process.wait()


class Supervisor:
    """Supervisor of one installation.

    It locks the installation until `close`, and first ends the processes of a killed supervisor.
    Raises: AlreadyRuns.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._running: list[Running] = []
        self.stopping = Stopping()
        self._logs_seen_at = 0.0
        self._forks: ServiceForks | None = None
        self._lock = hold(places.lock)
        end_leftovers(places)

    def preload(self, environment: Mapping[str, str]) -> None:
        """Start the fork server, with the environment of the processes that it forks.

        It imports while this process continues. If it cannot start, each process has an interpreter
        of its own.
        """
        with contextlib.suppress(OSError):
            self._forks = ServiceForks(environment, ROOT, self._places.log("service_fork_server"))

    def run(self, service: Service, timeout: float) -> tuple[int, str]:
        """Run a command; return its exit code and output.

        Raises: subprocess.TimeoutExpired, after it was killed.
        """
        with tempfile.TemporaryFile() as output:
            process = start_process(service, output, self._forks)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                kill_group(process.pid)
                process.wait()
                raise
            output.seek(0)
            return code, output.read().decode(errors="replace")

    def start(self, *services: Service) -> None:
        """Start processes together and wait until each is ready. Raises: StartFailed."""
        started = [Running(service, self._places.log(service.name)) for service in services]
        self._running.extend(started)
        for running in started:
            running.start(self._forks)
        end = time.monotonic() + READY_SECONDS
        for running in started:
            while not (
                running.service.ready() and running.alive
            ):  # another process may respond there if this one has died
                if self.stopping.wait(0.05):
                    return
                if not running.alive or time.monotonic() > end:
                    raise StartFailed(
                        f"{running.service.name} did not start. Its log: "
                        f"{running.log}\n{_tail(running.log)}"
                    )

    def watch_once(self) -> None:
        """Restart dead processes, with growing pauses until they run for STEADY_SECONDS."""
        now = time.monotonic()
        if now - self._logs_seen_at > LOG_SECONDS:
            self._logs_seen_at = now
            for running in self._running:
                running.cut_log()
        for running in self._running:
            if running.alive or now < running.not_before:
                continue
            if running.not_before == 0.0:  # it has just died
                steady = now - running.started_at > STEADY_SECONDS
                running.pause = (
                    FIRST_PAUSE_SECONDS if steady else min(running.pause * 2, LAST_PAUSE_SECONDS)
                )
                running.not_before = now + running.pause
                code = running.process.returncode if running.process else None
                say(f"{running.service.name} ended ({code}). Restart in {running.pause:.1f} s")
                continue
            running.not_before = 0.0
            if not self.stopping.is_set():
                self._start_again(running)
        if self._forks is not None:
            self._forks.reap_others(
                {running.process.pid for running in self._running if running.process}
            )

    def _start_again(self, running: Running) -> None:
        try:
            running.start(self._forks)
        except OSError as error:  # no memory or no free process: retried later
            say(f"{running.service.name} cannot be started ({error.strerror})")

    def watch(self) -> None:
        """Watch until `stopping` is set."""
        while not self.stopping.wait(0.1):
            self.watch_once()

    def stop(self, name: str) -> None:
        """Stop one process and do not restart it. Idempotent."""
        for running in [each for each in self._running if each.service.name == name]:
            running.stop()
            self._running.remove(running)

    def has(self, name: str) -> bool:
        """Whether a process with this name is supervised."""
        return any(each.service.name == name for each in self._running)

    def stop_all(self) -> None:
        """Stop all processes, in reverse order of their start."""
        self.stopping.set()
        for running in reversed(self._running):
            running.stop()
        self._running.clear()
        if self._forks is not None:
            self._forks.close()

    def close(self) -> None:
        """Release the lock of the installation."""
        self._lock.close()


def hold(path: Path) -> IO[str]:
    """Lock a file and return it. Closing it, or the end of this process, releases the lock.

    Raises: AlreadyRuns.
    """
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        pid = lock.read().strip()
        raise AlreadyRuns(
            f"Mimir runs here already (process {pid}). Stop it, or set VAR_DIR for a second "
            "installation."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def kill_group(pid: int) -> None:
    """Kill the process group of a process that started its own session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _tail(log: Path, lines: int = 20) -> str:
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def say(message: str, *, failure: bool = False) -> None:
    """Print to the terminal; no error if it is closed."""
    with contextlib.suppress(OSError, ValueError):
        print(message, file=sys.stderr if failure else sys.stdout, flush=True)
