"""A real installation with a client of its API, and checks of its jobs."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.support.installation import Installation, left_of
from tests.support.prepared import copy_prepared
from tests.support.waiting import wait_for

TERMINAL = ("succeeded", "failed", "cancelled")


class Stack(Installation):
    """An installation, used through its API, and a file where jobs record that they ran."""

    # The API

    def call(
        self, method: str, path: str, seconds: float = 30.0, **arguments: Any
    ) -> httpx.Response:
        """Send a request; repeat it while the installation restarts.

        Repeated: broken connections and the statuses 502 to 504.
        """
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
        """Create a project unless it exists; return its slug."""
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
        """Submit a job of a new pipeline; return its id. A text is a shell command."""
        if isinstance(steps, str):
            steps = [{"id": "run", "uses": "command", "with": {"argv": ["sh", "-c", steps]}}]
        self.project(project)
        name = f"p{uuid.uuid4().hex[:12]}"
        saved = self.call(
            "POST",
            f"/api/v1/projects/{project}/pipelines/",
            json={"name": name, "definition": {"steps": steps}},
        )
        assert saved.status_code in (200, 201), saved.text  # 200: sent again after a lost response
        body = {"type": "pipeline_execution", "parameters": {"pipeline": name}, **fields}
        key = {"Idempotency-Key": uuid.uuid4().hex}
        made = self.call("POST", f"/api/v1/projects/{project}/jobs/", json=body, headers=key)
        # 200: repeated after a lost response
        assert made.status_code in (200, 201), made.text
        return str(made.json()["id"])

    def submit_oracle(self, then: str = "true", **fields: Any) -> str:
        """Submit a job that records its attempt in the oracle and then runs `then`.

        The oracle is a file outside the database.
        """
        return self.submit(self.oracle_line(then), **fields)

    def submit_writing(self, then: str = "echo one; echo two") -> tuple[str, str]:
        """Submit such a job that also writes a version of a new dataset; return (job, dataset)."""
        dataset = f"d{uuid.uuid4().hex[:12]}"
        command = {
            "id": "run",
            "uses": "command",
            "with": {"argv": ["sh", "-c", self.oracle_line(then)]},
        }
        return self.submit([*self.writing(dataset), command]), dataset

    @staticmethod
    def writing(dataset: str) -> list[dict[str, Any]]:
        """Return two steps that write one new version of a dataset, with 100 rows."""
        return [
            {
                "id": "numbers",
                "uses": "sql",
                "with": {"query": "SELECT range AS n FROM range(100)"},
            },
            {"id": "kept", "uses": "write", "with": {"dataset": dataset, "from": "numbers"}},
        ]

    def oracle_line(self, then: str = "true") -> str:
        """Return the shell command of such a job.

        It also records the home folder: the name of its parent ends with the attempt's number.
        """
        return f'echo "$JOB_ID $ATTEMPT_ID $HOME" >> {self.oracle}; {then}'

    def job(self, job: str) -> dict[str, Any]:
        """Return the job from the API."""
        found: dict[str, Any] = self.call("GET", f"/api/v1/jobs/{job}/").json()
        return found

    def status(self, job: str) -> str:
        """Return the status of a job."""
        return str(self.job(job)["status"])

    def wait_status(self, job: str, *statuses: str, seconds: float = 60.0) -> dict[str, Any]:
        """Wait until a job has one of the statuses; return the job.

        Raises: TimeoutError; AssertionError, if it ended with another status.
        """

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
        """Wait until a job has ended; return the job."""
        found: dict[str, Any] = wait_for(
            lambda: (shown := self.job(job))["status"] in TERMINAL and shown,
            f"{job} has ended",
            seconds,
        )
        return found

    def events(self, job: str) -> list[dict[str, Any]]:
        """Return all events of a job."""
        found: list[dict[str, Any]] = self.call(
            "GET", f"/api/v1/jobs/{job}/events/", params={"limit": 1000}
        ).json()["results"]
        return found

    def log(self, job: str, **query: Any) -> httpx.Response:
        """Return the response with a job's log."""
        return self.call("GET", f"/api/v1/jobs/{job}/logs/", params=query)

    def assert_whole_log(self, job: str) -> None:
        """Wait until a job has ended and its log is complete."""
        self.end_of(job)
        wait_for(
            lambda: self.log(job, limit=0).headers["Log-Complete"] == "true", "its log is complete"
        )

    def versions(self, dataset: str, *, project: str = "demo") -> int:
        """Return the number of versions of a dataset; 0 if it does not exist."""
        answer = self.call("GET", f"/api/v1/projects/{project}/datasets/{dataset}/")
        return 0 if answer.status_code == 404 else len(answer.json()["versions"])

    def rows_of(self, dataset: str, *, project: str = "demo") -> int:
        """Return the number of rows of the newest version, counted in its file."""
        answer = self.call(
            "GET",
            f"/api/v1/projects/{project}/datasets/{dataset}/versions/latest/content/",
            params={"as": "csv"},
        )
        assert answer.status_code == 200, answer.text
        return len(answer.text.splitlines()) - 1

    def attempts(self, job: str) -> list[dict[str, Any]]:
        """Return the attempts of a job."""
        found: list[dict[str, Any]] = self.call("GET", f"/api/v1/jobs/{job}/attempts/").json()[
            "results"
        ]
        return found

    # The oracle

    def ran(self, job: str) -> dict[str, int]:
        """Return the number of executions of each attempt of a job, from the oracle."""
        counts: dict[str, int] = {}
        for line in self.oracle.read_text().splitlines():
            job_id, attempt_id, _home = line.split(" ", 2)
            if job_id == job:
                counts[attempt_id] = counts.get(attempt_id, 0) + 1
        return counts

    def ran_as(self, job: str) -> list[int]:
        """Return the numbers of the attempts that ran, in order of their start.

        An attempt that ran twice occurs twice.
        """
        lines = [line.split(" ", 2) for line in self.oracle.read_text().splitlines()]
        return [
            int(Path(home).parent.name.rpartition("-")[2])
            for job_id, _attempt_id, home in lines
            if job_id == job
        ]

    def assert_whole(
        self, job: str, *, status: str = "succeeded", seconds: float = 60.0, oracle: bool = True
    ) -> dict[str, Any]:
        """Check that a job ended exactly once with `status`, and that it left nothing behind.

        Each attempt ran at most once, the successful one exactly once. The workers are gone and
        cleaned up. `oracle`: the job has a command that writes into the oracle.
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
            assert ended["attempt"] in runs, "it succeeded although no attempt ran"
            assert ended["attempt"] == max(runs), "an attempt ran after the successful one"
        wait_for(
            lambda: not [name for name in self.workers() if job in name],
            "its workers are cleaned up",
            seconds,
        )
        assert all(attempt["gone_at"] for attempt in self.attempts(job))
        assert not left_of(job), "one of its processes still runs"
        return ended


def running(folder: Path, **environment: str) -> Iterator[Stack]:
    """Start an installation with a prepared database and stop it at the end. For fixtures.

    The database has a schema and an administrator.
    """
    stack = Stack(folder, **environment)
    if "DATABASE_URL" not in environment:
        copy_prepared(stack.var)
    yield from started(stack)


def started(stack: Stack) -> Iterator[Stack]:
    """Start an installation and stop it at the end. For fixtures."""
    try:
        stack.start()
        yield stack
    finally:
        stack.disarm()
        stack.stop()
        stack.kill_everything()
        stack.forget()
