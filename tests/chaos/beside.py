"""Additions to an installation.

A second process of a kind, a repeated request, database queries.
"""

import contextlib
import hashlib
import hmac
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from mimir.dev.paths import MARKER, ROOT
from tests.support.stack import Stack
from tests.support.waiting import wait_for

# A leader without the lease: the lease avoids duplicate work, but writes must be safe without it.
RECONCILER_WITHOUT_LEASE = """
import os, time
os.environ["DJANGO_SETTINGS_MODULE"] = "mimir.settings.orchestrator"
import django
django.setup()
from jobs.reconcile.once import reconcile_once
from jobs.clusters.rows import cluster_ensure, launcher_of
from jobs.logs.append import logs_seal
while True:
    cluster = cluster_ensure()
    reconcile_once(cluster, launcher_of(cluster))
    logs_seal(limit=10)
    time.sleep(0.01)
"""


def environment_of(stack: Stack, name: str) -> dict[str, str]:
    """Return the environment of an installation's process, without the mark of the installation."""
    pid = wait_for(lambda: stack.pids(name), f"{name} runs")[0]
    environment: dict[str, str] = psutil.Process(pid).environ()
    environment.pop(MARKER)
    return environment


@contextlib.contextmanager
def beside(
    stack: Stack, name: str, *arguments: str, **changed: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a second, unsupervised process during the block.

    `manage.py <name>`, or python with `arguments`.
    """
    environment = environment_of(stack, name) | changed
    process = subprocess.Popen(
        [sys.executable, *(arguments or ("manage.py", name))],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Suspend a process during the block. The process may die meanwhile."""
    process = psutil.Process(pid)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def rows(stack: Stack, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Query the database to arrange a test, never to check its result."""
    with psycopg.connect(environment_of(stack, "web")["DATABASE_URL"]) as connection:
        return connection.execute(query, parameters).fetchall()  # type: ignore[arg-type]


def wait_for_sweeps(stack: Stack, count: int = 2) -> None:
    """Wait until the dispatcher has completed `count` more sweeps.

    A job that is not started by then will never start.
    """

    def beat() -> object:
        return rows(stack, "SELECT max(beat_at) FROM jobs_loopbeat WHERE component = 'dispatcher'")[
            0
        ][0]

    def later_than(last: object) -> bool:
        return beat() != last

    for _ in range(count):
        wait_for(partial(later_than, beat()), "the dispatcher swept")


class WorkerCopy:
    """Sends the requests of a job's worker a second time."""

    def __init__(self, stack: Stack, job: str, attempt: int = 1) -> None:
        web = environment_of(stack, "web")
        found = rows(
            stack,
            "SELECT id, claim_id FROM jobs_attempt WHERE job_id = %s AND number = %s",
            job,
            attempt,
        )[0]
        self.attempt_id = str(found[0])
        key = web["WORKER_KEYS"].split(",")[0]
        token = hmac.new(
            key.encode(), f"session:{found[0]}:{found[1]}".encode(), hashlib.sha256
        ).hexdigest()
        base = f"{stack.described['orchestrator_url']}/worker/v1/attempts/{self.attempt_id}/"
        self._client = httpx.Client(
            base_url=base, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60
        )
        self._spool = stack.var / "workers" / f"worker-job-{job}-{attempt}" / "spool"

    def chunk(self) -> bytes:
        """Return the first bytes of the log from its spool."""
        return Path(self._spool, f"{0:020d}").read_bytes()

    def append(self, offset: int, data: bytes) -> httpx.Response:
        """POST a chunk. Raises: httpx.HTTPError if the server dies before it responds."""
        headers = {"Content-Type": "application/octet-stream"}
        return self._client.post(f"logs?offset={offset}", content=data, headers=headers)


def log_objects(stack: Stack, attempt_id: str) -> list[str]:
    """Return the sealed objects of an attempt, referenced or not."""
    return sorted(
        path.name for path in (stack.var / "artifacts" / "logs").glob(f"*/{attempt_id}.*")
    )


def kill_worker(stack: Stack, job: str, attempt: int = 1) -> None:
    """Send SIGKILL to the supervisor of an attempt."""
    os.kill(stack.worker_pid(job, attempt), signal.SIGKILL)


def lines(stack: Stack, job: str, **query: Any) -> list[str]:
    """Return the text of each log line."""
    return [line.split(" ", 3)[3] for line in stack.log(job, **query).text.splitlines()]
