"""A real installation, as `make up` runs it, with its own state, ports and crash points; and a client that uses it like anybody."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from mimir.dev.paths import MARKER, ROOT, Places
from mimir.dev.ports import free_port
from tests.support.prepared import copy_prepared

START_SECONDS, STOP_SECONDS = 90.0, 60.0
_NOT_FOR_IT = (
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
TERMINAL = ("succeeded", "failed", "cancelled")


def wait_for(ready: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Return the value of `ready` once it is true. Raises: TimeoutError."""
    end = time.monotonic() + seconds
    while True:
        found = ready()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)


class Stack:
    """`python -m mimir.dev up` in a folder of its own."""

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
            if name not in _NOT_FOR_IT and name != "DJANGO_SETTINGS_MODULE"
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

    # Its life

    def start(self) -> None:
        """Start and wait until it serves. Raises: TimeoutError, with what it printed."""
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
        """A client of the API by way of the frontend; a broken connection is tried again, as any client would."""
        headers = {"Host": httpx.URL(self.described["frontend_url"]).netloc.decode()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        base = self.described["frontend_url"].replace("localhost", "127.0.0.1")
        # Plain HTTP: without `verify` no certificates are read, which would take 17 ms of the process that measures.
        return httpx.Client(
            base_url=base, headers=headers, timeout=60, trust_env=False, verify=False
        )  # noqa: S501

    def stop(self) -> int:
        """Ctrl-C; its exit code."""
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
        """SIGKILL to all of it, workers too."""
        for process in psutil.process_iter():
            try:
                environment = process.environ()
            except psutil.Error:
                continue
            if environment.get(MARKER) == str(self.var) or str(self.var) in environment.get(
                "WORKER_DIR", ""
            ) + environment.get("HOME", ""):
                process.kill()
        if self.process is not None:
            self.process.kill()

    def forget(self) -> None:
        """Remove its database, which as root lies outside its folder."""
        shutil.rmtree(Places(self.var).database_home, ignore_errors=True)

    # Its processes

    def pids(self, name: str) -> list[int]:
        """The processes of one name, oldest first."""
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
        """Send a signal to the oldest process of a name; its pid."""
        pid = int(wait_for(lambda: self.pids(name), f"{name} runs")[0])
        os.kill(pid, number)
        return pid

    def answers(self) -> bool:
        """Whether the API answers through the frontend."""
        try:
            return self.client.get("/api/v1/session/").status_code == 200
        except httpx.HTTPError:
            return False

    def worker_pid(self, job: str, attempt: int = 1) -> int:
        """The supervisor of a job's worker."""
        guardian = psutil.Process(self.guardian_pid(job, attempt))
        return int(
            wait_for(
                lambda: [each.pid for each in guardian.children()], "its guardian has a supervisor"
            )[0]
        )

    def guardian_pid(self, job: str, attempt: int = 1) -> int:
        """The process above the supervisor."""
        path = self.var / "workers" / f"worker-job-{job}-{attempt}" / "pid"
        return int(wait_for(lambda: path.exists() and path.read_text(), "the worker's pid"))

    def workers(self) -> list[str]:
        """Folders of workers that are not cleaned up."""
        return sorted(
            entry.name
            for entry in (self.var / "workers").iterdir()
            if not entry.name.startswith(".")
        )

    # Crash points

    def arm(self, point: str, action: str = "kill") -> None:
        """The next process that comes by `point` dies there, or waits."""
        for mark in ("hit", "held", "go"):
            (self.crash / f"{point}.{mark}").unlink(missing_ok=True)
        (self.crash / f"{point}.{action}").touch()

    def wait_hit(self, point: str, seconds: float = 30.0) -> None:
        """Until somebody was killed or is held there."""
        marks = [self.crash / f"{point}.{mark}" for mark in ("hit", "held")]
        wait_for(lambda: any(mark.exists() for mark in marks), f"{point} was reached", seconds)

    def release(self, point: str) -> None:
        """Release blocked processes."""
        (self.crash / f"{point}.go").touch()

    def disarm(self) -> None:
        """Nothing is armed; nobody is held."""
        for entry in self.crash.iterdir():
            if entry.suffix == ".held":
                entry.with_suffix(".go").touch()
            elif entry.suffix in (".kill", ".hold"):
                entry.unlink(missing_ok=True)

    # The API

    def call(
        self, method: str, path: str, seconds: float = 30.0, **arguments: Any
    ) -> httpx.Response:
        """A request, repeated while the installation is on its feet again (a connection that breaks, 502 to 504)."""
        end = time.monotonic() + seconds
        while True:
            try:
                response = self.client.request(method, path, **arguments)
                if response.status_code not in (502, 503, 504) or time.monotonic() > end:
                    return response
            except httpx.HTTPError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.1)

    def project(self, slug: str = "demo") -> str:
        """A project; harmless the second time."""
        if self.call("GET", f"/api/v1/projects/{slug}/").status_code == 404:
            assert (
                self.call(
                    "POST", "/api/v1/projects/", json={"slug": slug, "name": slug}
                ).status_code
                == 201
            )
        return slug

    def submit(
        self, steps: list[dict[str, Any]] | str, *, project: str = "demo", **fields: Any
    ) -> str:
        """Submit a pipeline's job; a text is a shell command. The job's id."""
        if isinstance(steps, str):
            steps = [{"id": "run", "uses": "command", "with": {"argv": ["sh", "-c", steps]}}]
        self.project(project)
        name = f"p{uuid.uuid4().hex[:12]}"
        saved = self.call(
            "POST",
            f"/api/v1/projects/{project}/pipelines/",
            json={"name": name, "definition": {"steps": steps}},
        )
        assert saved.status_code in (200, 201), (
            saved.text
        )  # 200: sent again after an answer that was lost
        body = {"type": "pipeline_execution", "parameters": {"pipeline": name}, **fields}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        made = self.call("POST", f"/api/v1/projects/{project}/jobs/", json=body, headers=key)
        # 200: repeated after an answer that was lost
        assert made.status_code in (200, 201), made.text
        return str(made.json()["id"])

    def submit_oracle(self, then: str = "true", **fields: Any) -> str:
        """A job that writes its attempt into the oracle, a file outside our database, and then does `then`."""
        return self.submit(self.oracle_line(then), **fields)

    def submit_writing(self, then: str = "echo one; echo two") -> tuple[str, str]:
        """A job of the oracle that also writes a version of a new dataset; (job, dataset)."""
        dataset = f"d{uuid.uuid4().hex[:12]}"
        command = {
            "id": "run",
            "uses": "command",
            "with": {"argv": ["sh", "-c", self.oracle_line(then)]},
        }
        return self.submit([*self.writing(dataset), command]), dataset

    @staticmethod
    def writing(dataset: str) -> list[dict[str, Any]]:
        """Two steps that write one new version, of 100 rows, of a dataset."""
        return [
            {
                "id": "numbers",
                "uses": "sql",
                "with": {"query": "SELECT range AS n FROM range(100)"},
            },
            {"id": "kept", "uses": "write", "with": {"dataset": dataset, "from": "numbers"}},
        ]

    def oracle_line(self, then: str = "true") -> str:
        """The shell command of such a job. Its home is in the folder of its worker, whose name ends with the attempt's number."""
        return f'echo "$JOB_ID $ATTEMPT_ID $HOME" >> {self.oracle}; {then}'

    def job(self, job: str) -> dict[str, Any]:
        """The job as the API shows it."""
        found: dict[str, Any] = self.call("GET", f"/api/v1/jobs/{job}/").json()
        return found

    def status(self, job: str) -> str:
        """Its status."""
        return str(self.job(job)["status"])

    def wait_status(self, job: str, *statuses: str, seconds: float = 60.0) -> dict[str, Any]:
        """The job, once it stands in one of these. Raises: TimeoutError, AssertionError when it ended otherwise."""

        def there() -> dict[str, Any] | None:
            found = self.job(job)
            if found["status"] in statuses:
                return found
            assert found["status"] not in TERMINAL, (
                f"it {found['status']}: {found['reason']} {found['message']}"
            )
            return None

        found: dict[str, Any] = wait_for(there, f"{job} is {statuses}", seconds)
        return found

    def end_of(self, job: str, seconds: float = 60.0) -> dict[str, Any]:
        """The job, once it has ended."""
        found: dict[str, Any] = wait_for(
            lambda: (shown := self.job(job))["status"] in TERMINAL and shown,
            f"{job} has ended",
            seconds,
        )
        return found

    def events(self, job: str) -> list[dict[str, Any]]:
        """All its events."""
        found: list[dict[str, Any]] = self.call(
            "GET", f"/api/v1/jobs/{job}/events/", params={"limit": 1000}
        ).json()["results"]
        return found

    def log(self, job: str, **query: Any) -> httpx.Response:
        """Bytes of its log."""
        return self.call("GET", f"/api/v1/jobs/{job}/logs/", params=query)

    def assert_whole_log(self, job: str) -> None:
        """It has ended and its log is complete."""
        self.end_of(job)
        wait_for(
            lambda: self.log(job, limit=0).headers["Log-Complete"] == "true", "its log is complete"
        )

    def versions(self, dataset: str, *, project: str = "demo") -> int:
        """How many versions a dataset has; none when there is no such dataset."""
        answer = self.call("GET", f"/api/v1/projects/{project}/datasets/{dataset}/")
        return 0 if answer.status_code == 404 else len(answer.json()["versions"])

    def rows_of(self, dataset: str, *, project: str = "demo") -> int:
        """How many lines the newest version has, read from its file."""
        answer = self.call(
            "GET",
            f"/api/v1/projects/{project}/datasets/{dataset}/versions/latest/content/",
            params={"as": "csv"},
        )
        assert answer.status_code == 200, answer.text
        return len(answer.text.splitlines()) - 1

    def attempts(self, job: str) -> list[dict[str, Any]]:
        """Its attempts."""
        found: list[dict[str, Any]] = self.call("GET", f"/api/v1/jobs/{job}/attempts/").json()[
            "results"
        ]
        return found

    # The oracle

    def ran(self, job: str) -> dict[str, int]:
        """How often each attempt of a job really ran, by the file outside our database."""
        counts: dict[str, int] = {}
        for line in self.oracle.read_text().splitlines():
            job_id, attempt_id, _home = line.split(" ", 2)
            if job_id == job:
                counts[attempt_id] = counts.get(attempt_id, 0) + 1
        return counts

    def ran_as(self, job: str) -> list[int]:
        """The numbers of the attempts that ran, in the order they began; one that ran twice stands there twice."""
        lines = [line.split(" ", 2) for line in self.oracle.read_text().splitlines()]
        return [
            int(Path(home).parent.name.rpartition("-")[2])
            for job_id, _attempt_id, home in lines
            if job_id == job
        ]

    def assert_whole(
        self, job: str, *, status: str = "succeeded", seconds: float = 60.0, oracle: bool = True
    ) -> dict[str, Any]:
        """It ended once, as told; each attempt ran at most once, the winning one exactly once; its worker is gone and cleaned up.

        `oracle`: it has a command that writes into the oracle.
        """
        ended = self.end_of(job, seconds)
        assert ended["status"] == status, (ended["status"], ended["reason"], ended["message"])
        events = self.events(job)
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        terminal = [
            event
            for event in events
            if event["kind"] in ("job.succeeded", "job.failed", "job.cancelled")
        ]
        assert len(terminal) == 1, terminal
        runs = self.ran_as(job)
        assert len(set(runs)) == len(runs), f"an attempt ran twice: {runs}"
        if status == "succeeded" and oracle:
            assert ended["attempt"] in runs, "it succeeded by an attempt that never ran"
            assert ended["attempt"] == max(runs), "an attempt ran after the one that won"
        wait_for(
            lambda: not [name for name in self.workers() if job in name],
            "its workers are cleaned up",
            seconds,
        )
        assert all(attempt["gone_at"] for attempt in self.attempts(job))
        assert not left_of(job), "a process of it is left"
        return ended


def left_of(job: str) -> list[str]:
    """Command lines of processes that bear the job's id in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("JOB_ID") == job and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def running(folder: Path, **environment: str) -> Iterator[Stack]:
    """For fixtures: a started installation, stopped at the end.

    It begins with a database that has schema and administrator.
    """
    stack = Stack(folder, **environment)
    if "DATABASE_URL" not in environment:
        copy_prepared(stack.var)
    yield from started(stack)


def started(stack: Stack) -> Iterator[Stack]:
    """For fixtures: start an installation, and stop it at the end."""
    try:
        stack.start()
        yield stack
    finally:
        stack.disarm()
        stack.stop()
        stack.kill_everything()
        stack.forget()
