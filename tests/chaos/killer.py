"""Kill and stop random processes of an installation and record the actions."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import psutil
import redis

from tests.support.stack import Stack

SERVICES = ("web", "frontend", "dispatcher", "reconciler", "postgres", "valkey")
WORKERS = ("supervisor", "workload")
KINDS = (*SERVICES, *WORKERS, *WORKERS, *WORKERS, "database session", "messages")
PAUSE_SECONDS = (0.2, 2.0)
STOPPED_SECONDS = (0.1, 8.0)  # the longest exceed the lease and the limit of idle transactions
STOPS = 0.4  # share of all actions; the others kill


class Killer(threading.Thread):
    """Kills and suspends processes until `end`.

    `counts`: actions by kind. `harmed`: jobs whose workload itself was killed.
    """

    def __init__(self, stack: Stack, dice: random.Random) -> None:
        super().__init__(name="killer", daemon=True)
        self._stack, self._dice = stack, dice
        self._stopped: list[tuple[float, psutil.Process]] = []
        self._over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.harmed: set[str] = set()
        self.faults: list[str] = []

    def run(self) -> None:
        """Act at random times. Suspended processes continue after a while."""
        strike_at = 0.0
        while not self._over.wait(0.05):
            self._go_on(time.monotonic())
            if time.monotonic() < strike_at:
                continue
            strike_at = time.monotonic() + self._dice.uniform(*PAUSE_SECONDS)
            try:
                self._strike(self._dice.choice(KINDS))
            except (psutil.Error, redis.RedisError, OSError):
                continue  # it ended before the kill
            except Exception as error:  # raised at the end: without a killer the run proves nothing
                self.faults.append(f"the killer failed: {error!r}")
                return

    def end(self) -> None:
        """Stop acting and continue every suspended process."""
        self._over.set()
        self.join()
        self._go_on(float("inf"))

    def _go_on(self, now: float) -> None:
        for at, process in [each for each in self._stopped if each[0] <= now]:
            self._stopped.remove((at, process))
            try:
                process.send_signal(signal.SIGCONT)
            except psutil.Error:
                continue

    def _strike(self, kind: str) -> None:
        if kind == "messages":
            self._empty_valkey()
            self.counts["valkey emptied"] += 1
            return
        process = self._find(kind)
        if process is None:
            return
        if self._dice.random() < STOPS:
            process.send_signal(signal.SIGSTOP)
            self._stopped.append((time.monotonic() + self._dice.uniform(*STOPPED_SECONDS), process))
            self.counts[f"{kind} stopped"] += 1
            return
        if kind == "workload":
            self.harmed.add(process.environ()["JOB_ID"])
        process.send_signal(signal.SIGKILL)
        self.counts[f"{kind} killed"] += 1

    def _empty_valkey(self) -> None:
        web = self._pids("web")
        if web:
            redis.Redis.from_url(
                psutil.Process(web[0]).environ()["REDIS_URL"],
                socket_timeout=1,
                socket_connect_timeout=1,
            ).flushall()

    def _pids(self, name: str) -> list[int]:
        return self._stack.pids(name)

    def _find(self, kind: str) -> psutil.Process | None:
        if kind in SERVICES:
            return self._one([psutil.Process(pid) for pid in self._pids(kind)[:1]])
        if kind == "database session":
            return self._one(
                [
                    session
                    for pid in self._pids("postgres")[:1]
                    for session in psutil.Process(pid).children()
                ]
            )
        found: Callable[[psutil.Process], bool] = (
            _is_supervisor if kind == "supervisor" else _is_work
        )
        return self._one([each for each in _workers(self._stack) if found(each)])

    def _one(self, processes: list[psutil.Process]) -> psutil.Process | None:
        return self._dice.choice(processes) if processes else None


def _workers(stack: Stack) -> list[psutil.Process]:
    """Return all processes of workers, ordered by process id."""
    home = str(stack.var / "workers")
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME", "").startswith(home):
                found.append(process)
        except psutil.Error:
            continue
    return sorted(found, key=lambda process: process.pid)


def _is_supervisor(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[-1:] == ["jobs.worker"]
    except psutil.Error:
        return False


def _is_work(process: psutil.Process) -> bool:
    """Return whether a process is the workload's interpreter or one of its children."""
    return not _is_supervisor(process)
