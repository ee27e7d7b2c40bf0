"""A real installation, as `make up` runs it, with its own state, ports and crash points."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil

from mimir.dev.paths import MARKER, ROOT, Places
from mimir.dev.ports import free_port
from tests.support.waiting import wait_for

START_SECONDS, STOP_SECONDS = 90.0, 60.0
_REMOVED_VARIABLES = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "WORKER_KEYS",
    "FRONTEND_KEYS",
    "LAUNCHER",
    "ARTIFACTS_URL",
    "WORKERS_DIR",
    "PUBLIC_URL",
    "LOG_LEVEL",
)
_PROCESSES = {
    "web": "mimir.serve orchestrator",
    "frontend": "mimir.serve frontend",
    "dispatcher": "manage.py dispatcher",
    "reconciler": "manage.py reconciler",
    "postgres": "postgres -D",
    "valkey": "valkey-server",
}


class Installation:
    """`python -m mimir.dev up` in a separate folder, with its processes and crash points."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.var = folder / "var"
        self.crash = folder / "crash"
        self.oracle = folder / "oracle"
        self.crash.mkdir(parents=True, exist_ok=True)
        self.oracle.touch()
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in _REMOVED_VARIABLES and name != "DJANGO_SETTINGS_MODULE"
        }
        self.environment = {
            **kept,
            "VAR_DIR": str(self.var),
            "PORT": str(free_port()),
            "API_PORT": str(free_port()),
            "MIMIR_CRASH_POINTS": str(self.crash),
            "MIMIR_DURABLE": "0",
            "CAPACITY_JOBS": "4",
            "RETRY_BACK_OFF": "0.2",
            "LOG_LEVEL": "info",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.described: dict[str, Any] = {}
        self.client = httpx.Client()

    # Start and stop

    def start(self) -> None:
        """Start and wait until it serves. Raises: TimeoutError, with the output."""
        demo = self.var / "demo.json"
        with (self.folder / "up.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mimir.dev", "up"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        pid = self.process.pid

        def serves() -> bool:
            if self.process is not None and self.process.poll() is not None:
                raise TimeoutError(f"it ended: {(self.folder / 'up.log').read_text()[-3000:]}")
            if not demo.exists():
                return False
            self.described = json.loads(demo.read_text())
            return self.described["supervisor_pid"] == pid and bool(self.described["token"])

        wait_for(serves, "the installation serves", START_SECONDS)
        self.client = self.client_for(self.described["token"])

    def client_for(self, token: str | None) -> httpx.Client:
        """Return a client that calls the API through the frontend."""
        headers = {"Host": httpx.URL(self.described["frontend_url"]).netloc.decode()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        base = self.described["frontend_url"].replace("localhost", "127.0.0.1")
        # Plain HTTP: without `verify` no certificates are read, which would take 17 ms of the
        # process that measures.
        return httpx.Client(
            base_url=base, headers=headers, timeout=60, trust_env=False, verify=False
        )  # noqa: S501

    def stop(self) -> int:
        """Stop with SIGINT; return the exit code."""
        self.client.close()
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill_everything()
        return self.process.wait()

    def kill_everything(self) -> None:
        """Kill all processes of the installation, workers included."""
        for process in psutil.process_iter():
            try:
                environment = process.environ()
            except psutil.Error:
                continue
            if environment.get(MARKER) == str(self.var) or str(self.var) in environment.get(
                "WORKER_DIR", ""
            ) + environment.get("HOME", ""):
                with contextlib.suppress(psutil.NoSuchProcess):  # ended with its supervisor
                    process.kill()
        if self.process is not None:
            self.process.kill()

    def forget(self) -> None:
        """Remove the database. When run as root, it is outside the folder."""
        shutil.rmtree(Places(self.var).database_home, ignore_errors=True)

    # Processes

    def pids(self, name: str) -> list[int]:
        """Return the pids of the processes with a name, oldest first."""
        found = []
        for process in psutil.process_iter(["cmdline", "create_time"]):
            line = " ".join(process.info["cmdline"] or [])
            if _PROCESSES[name] in line and self._is_ours(process, name):
                found.append((process.info["create_time"], process.pid))
        return [pid for _, pid in sorted(found)]

    def _is_ours(self, process: psutil.Process, name: str) -> bool:
        try:
            return process.environ().get(MARKER) == str(self.var)
        except psutil.Error:
            return False

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to the oldest process with a name; return its pid."""
        pid = int(wait_for(lambda: self.pids(name), f"{name} runs")[0])
        os.kill(pid, number)
        return pid

    def answers(self) -> bool:
        """Return whether the API responds through the frontend."""
        try:
            return self.client.get("/api/v1/session/").status_code == 200
        except httpx.HTTPError:
            return False

    def worker_pid(self, job: str, attempt: int = 1) -> int:
        """Return the pid of the supervisor of a job's worker."""
        guardian = psutil.Process(self.guardian_pid(job, attempt))
        return int(
            wait_for(
                lambda: [each.pid for each in guardian.children()], "its guardian has a supervisor"
            )[0]
        )

    def guardian_pid(self, job: str, attempt: int = 1) -> int:
        """Return the pid of the parent process of the supervisor."""
        path = self.var / "workers" / f"worker-job-{job}-{attempt}" / "pid"
        return int(wait_for(lambda: path.exists() and path.read_text(), "the worker's pid"))

    def workers(self) -> list[str]:
        """Return the names of the worker folders that are not cleaned up."""
        return sorted(
            entry.name
            for entry in (self.var / "workers").iterdir()
            if not entry.name.startswith(".")
        )

    # Crash points

    def arm(self, point: str, action: str = "kill") -> None:
        """Kill or block the next process that reaches `point`. `action`: kill or hold."""
        for mark in ("hit", "held", "go"):
            (self.crash / f"{point}.{mark}").unlink(missing_ok=True)
        (self.crash / f"{point}.{action}").touch()

    def wait_hit(self, point: str, seconds: float = 30.0) -> None:
        """Wait until a process was killed or is blocked at `point`."""
        marks = [self.crash / f"{point}.{mark}" for mark in ("hit", "held")]
        wait_for(lambda: any(mark.exists() for mark in marks), f"{point} was reached", seconds)

    def release(self, point: str) -> None:
        """Release blocked processes."""
        (self.crash / f"{point}.go").touch()

    def disarm(self) -> None:
        """Remove all crash points and release blocked processes."""
        for entry in self.crash.iterdir():
            if entry.suffix == ".held":
                entry.with_suffix(".go").touch()
            elif entry.suffix in (".kill", ".hold"):
                entry.unlink(missing_ok=True)


def left_of(job: str) -> list[str]:
    """Return the command lines of processes with the job's id in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("JOB_ID") == job and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found
