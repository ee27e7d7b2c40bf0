"""Web, dispatcher, reconciler and workers as processes, behind proxies that a test controls.

All use the database of the test: the test directly, the processes through a proxy.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from django.db import connection

from jobs.models import Attempt, Job
from mimir.dev.paths import ROOT
from mimir.dev.ports import free_port
from projects.models import Project
from projects.pipelines.write import pipeline_save
from tests.support import make
from tests.support.tcp_proxy import Proxy, WorkerCalls
from tests.support.waiting import wait_for

SLOTS = 6


@dataclass
class World:
    """The processes, the proxies between them, and a file in which each job records its run."""

    database: Proxy
    calls: WorkerCalls
    web: psutil.Process
    project: Project
    ran: Path

    def submit(self, count: int, command: str) -> None:
        """Submit jobs that run a shell command and then record their id."""
        argv = ["sh", "-c", f'{command}; echo "$JOB_ID" >> {self.ran}']
        steps = [{"id": "run", "uses": "command", "with": {"argv": argv}}]
        name = f"p{Job.objects.count()}"
        owner = self.project.created_by
        assert owner is not None
        pipeline_save(project=self.project, name=name, definition={"steps": steps}, user=owner)
        for _ in range(count):
            make.job(self.project, parameters={"pipeline": name})

    def runs(self) -> Counter[str]:
        """Return how often each job was run."""
        return Counter(self.ran.read_text().split())

    def pass_seconds(self, name: str, seconds: float) -> "Phase":
        """Wait; return the calls of workers in that time."""
        self.calls.taken()
        before, began = _succeeded(), time.monotonic()
        time.sleep(seconds)
        phase = Phase(time.monotonic() - began, self.calls.taken())
        print(f"{name}: {_succeeded() - before} jobs succeeded; {phase.summary()}")
        return phase

    def wait_succeeded(self, count: int, seconds: float) -> None:
        """Wait until `count` jobs have succeeded; print the duration."""
        began = time.monotonic()
        wait_for(lambda: _succeeded() >= count, f"{count} jobs have succeeded", seconds)
        print(f"{count} jobs have succeeded, the last after {time.monotonic() - began:.1f} s")

    def wait_running(self, count: int) -> None:
        """Wait until `count` jobs run."""
        wait_for(
            lambda: Job.objects.filter(status="running").count() >= count, f"{count} jobs run", 30
        )


@dataclass(frozen=True)
class Phase:
    """Calls of workers during a period, by attempt and call."""

    seconds: float
    calls: Counter[tuple[str, str]]

    @property
    def attempts(self) -> int:
        """Return the number of attempts that called."""
        return len({attempt for attempt, _call in self.calls})

    def summary(self) -> str:
        """Return the calls by kind, and the rate of a worker slot."""
        kinds: Counter[str] = Counter()
        for (_attempt, call), count in self.calls.items():
            kinds[call] += count
        rate = self.calls.total() / self.seconds / SLOTS
        return f"{rate:.2f} calls per slot and second of {self.attempts} attempts: {dict(kinds)}"


def _succeeded() -> int:
    return Job.objects.filter(status="succeeded").count()


@contextlib.contextmanager
def slow_world(folder: Path) -> Iterator[World]:
    """Start the processes; end them and their workers afterwards."""
    facts, port = connection.settings_dict, free_port()
    database, calls = Proxy(int(facts["PORT"])), WorkerCalls(port)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
        "DATABASE_URL": f"postgresql://{facts['USER']}:{facts['PASSWORD']}@127.0.0.1:"
        f"{database.port}/{facts['NAME']}",
        "ORCHESTRATOR_URL": f"http://127.0.0.1:{calls.port}",
        "PORT_TO_SERVE": str(port),
        "LAUNCHER": "process",
        "WORKERS_DIR": str(folder / "workers"),
        "CAPACITY_JOBS": str(SLOTS),
        "LAUNCH_TIMEOUT": "15",  # shorter than web is away
        "RETRY_BACK_OFF": "0.2",
    }
    ran = folder / "ran"
    ran.touch()
    commands = (
        ["-m", "mimir.serve", "orchestrator"],
        ["manage.py", "dispatcher"],
        ["manage.py", "reconciler"],
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        with (folder / "processes.log").open("wb") as log:
            for command in commands:
                argv = [sys.executable, *command]
                started.append(
                    subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=log, stderr=log)
                )
        wait_for(lambda: _answers(port), "web answers", 60)
        web = psutil.Process(started[0].pid)
        yield World(database, calls, web, make.project(), ran)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)
        _kill_workers(folder)
        database.close()
        calls.close()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _kill_workers(folder: Path) -> None:
    """Kill the workers that a failed test leaves."""
    for attempt in Attempt.objects.filter(gone_at__isnull=True).values_list("id", flat=True):
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                mine = str(folder) in environment.get("WORKER_DIR", "") + environment.get(
                    "HOME", ""
                )
                if mine or environment.get("ATTEMPT_ID") == str(attempt):
                    process.kill()
