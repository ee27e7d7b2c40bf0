"""Very many jobs on the whole control plane with the fake cluster, two dispatchers and two
reconcilers: rate over time, CPU and WAL per job, sizes of tables, and latency of the API.

The workers are threads of this process that claim, send a heartbeat and an event, finish and exit
over real HTTP. SCALE_JOBS (default 100,000) jobs run on an empty table, then SCALE_AGAIN (default
a tenth of them) beside SCALE_FINISHED (default 1,000,000) finished jobs.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from mimir.dev.paths import ROOT
from tests.benchmarks.cpu import cpu_seconds
from tests.benchmarks.figures import head, percentile, row
from tests.benchmarks.joblist import ECHO, orchestrator_environment
from tests.benchmarks.scale_workers import POLL_SECONDS, Workers
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.support.stack import Stack, running

JOBS = int(os.environ.get("SCALE_JOBS", "100000"))
FINISHED = int(os.environ.get("SCALE_FINISHED", "1000000"))
AGAIN = int(os.environ.get("SCALE_AGAIN", str(max(1, JOBS // 10))))
SLOTS, WAITING, PORTION = 200, 2_000, 500  # concurrent workers; waiting jobs; jobs per insert
WINDOW_SECONDS = 10.0
TABLES = (
    "jobs_job",
    "jobs_jobsearch",
    "jobs_attempt",
    "jobs_jobevent",
    "jobs_usagesample",
    "jobs_metricdelta",
    "jobs_jobinput",
)


@dataclass(slots=True)
class Figures:
    """Results of one run. `rates`: jobs per second in each window of WINDOW_SECONDS."""

    jobs: int
    finished_before: int
    seconds: float = 0.0
    rates: list[float] = field(default_factory=list)
    cpu_ms: dict[str, float] = field(default_factory=dict)
    wal_bytes: float = 0.0
    api_ms: dict[str, list[float]] = field(default_factory=dict)
    attempts_again: int = 0


def measure() -> None:
    """Print both runs, the sizes of the tables, and everything as JSON."""
    with _installation() as (stack, fake, pids), closing(_database(stack)) as database:
        pipeline, pids = _pipeline(stack), pids | {"fake": fake.pid}
        first = _run(stack, fake, database, pipeline, Figures(JOBS, 0), pids)
        sizes = _sizes(database, JOBS)
        _insert_finished(database, FINISHED)
        second = _run(stack, fake, database, pipeline, Figures(AGAIN, FINISHED), pids)
        print("\nas JSON")
        print(json.dumps({"runs": [_as_json(first), _as_json(second)], "bytes_per_job": sizes}))


@contextmanager
def _installation() -> Iterator[tuple[Stack, FakeKubernetes, dict[str, int]]]:
    """Yield an installation, its cluster, and the pids of its second loops."""
    with (
        tempfile.TemporaryDirectory(prefix="mimir-scale-") as folder,
        FakeKubernetes(real_time=True) as fake,
    ):
        settings = {
            "MIMIR_DURABLE": "1",
            "LAUNCHER": "kubernetes",
            "KUBECONFIG_FILE": str(fake.kubeconfig),
            "WORKER_NAMESPACE": fake.namespace,
            "CAPACITY_JOBS": str(SLOTS),
            "KUBE_QPS": "10000",
            "KUBE_BURST": "10000",
            "LOG_LEVEL": "error",
            "MIMIR_CRASH_POINTS": "",
        }
        for stack in running(Path(folder), **settings):
            stack.project("scale")
            more = {f"{name} 2": _loop(stack, name) for name in ("dispatcher", "reconciler")}
            try:
                yield stack, fake, {name: process.pid for name, process in more.items()}
            finally:
                for process in more.values():
                    process.terminate()
                    process.wait(30)


def _loop(stack: Stack, name: str) -> subprocess.Popen[bytes]:
    """Start a second process of a loop."""
    return subprocess.Popen(
        [sys.executable, "manage.py", name],
        cwd=ROOT,
        env=orchestrator_environment(stack),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _run(
    stack: Stack,
    fake: FakeKubernetes,
    database: psycopg.Connection[Any],
    pipeline: str,
    figures: Figures,
    pids: Mapping[str, int],
) -> Figures:
    print(f"\n{figures.jobs:,} jobs beside {figures.finished_before:,} finished ones", flush=True)
    begun = _succeeded(database)
    stop = threading.Event()
    workers = Workers(fake, stop)
    readers = Readers(stack, stop)
    cpu, wal, began = cpu_seconds(stack, **pids), _wal(database), time.monotonic()
    for thread in (*workers.threads, readers.thread):
        thread.start()
    submitted, seen, window_at = 0, 0, began
    while seen < figures.jobs:
        if submitted < figures.jobs and _waiting(database) < WAITING:
            submitted += _submit(database, pipeline, min(PORTION, figures.jobs - submitted))
        time.sleep(POLL_SECONDS)
        now = time.monotonic()
        if now - window_at >= WINDOW_SECONDS:
            done = _succeeded(database) - begun
            figures.rates.append((done - seen) / (now - window_at))
            seen, window_at = done, now
            print(f"  {done:>9,} done, {figures.rates[-1]:7.1f} a second", flush=True)
        elif submitted == figures.jobs:
            seen = max(seen, _succeeded(database) - begun) if _live(database) == 0 else seen
    figures.seconds = time.monotonic() - began
    after = cpu_seconds(stack, **pids)
    stop.set()
    for thread in (*workers.threads, readers.thread):
        thread.join()
    figures.cpu_ms = {
        name: (after[name] - used) / figures.jobs * 1000
        for name, used in cpu.items()
        if name in after
    }
    figures.wal_bytes = (_wal(database) - wal) / figures.jobs
    figures.api_ms = readers.seconds
    figures.attempts_again = _number(database, "SELECT count(*) FROM jobs_attempt WHERE number > 1")
    _show(figures)
    return figures


def _show(figures: Figures) -> None:
    half = figures.rates[len(figures.rates) // 2 :] or [figures.jobs / figures.seconds]
    early = figures.rates[: len(figures.rates) // 2] or half
    print(f"  jobs per second           {figures.jobs / figures.seconds:9.1f}")
    print(f"  second half / first half  {statistics.mean(half) / statistics.mean(early):9.2f}")
    own = {name: ms for name, ms in figures.cpu_ms.items() if name not in ("fake", "client")}
    shown = ", ".join(f"{name} {ms:.1f}" for name, ms in sorted(own.items(), key=lambda x: -x[1]))
    print(f"  CPU of ours, ms per job   {sum(own.values()):9.1f}  {shown}")
    print(f"  WAL, bytes per job        {figures.wal_bytes:9.0f}")
    print(f"  launched again            {figures.attempts_again:9}")
    head("the API meanwhile")
    for name, seconds in figures.api_ms.items():
        if len(seconds) > 1:
            row(name, seconds, f"p99 {percentile(seconds, 99) * 1000:.1f}, {len(seconds)} requests")


def _as_json(figures: Figures) -> dict[str, Any]:
    return {
        "jobs": figures.jobs,
        "finished_before": figures.finished_before,
        "jobs_per_second": round(figures.jobs / figures.seconds, 2),
        "rates": [round(rate, 1) for rate in figures.rates],
        "cpu_ms_per_job": {name: round(ms, 2) for name, ms in figures.cpu_ms.items()},
        "wal_bytes_per_job": round(figures.wal_bytes),
        "launched_again": figures.attempts_again,
        "api_p99_ms": {
            name: round(percentile(seconds, 99) * 1000, 1)
            for name, seconds in figures.api_ms.items()
            if len(seconds) > 1
        },
    }


class Readers:
    """Thread that reads the API as a page does, and records the durations by request."""

    def __init__(self, stack: Stack, stop: threading.Event) -> None:
        self._client, self._stop = stack.client_for(stack.described["token"]), stop
        self.seconds: dict[str, list[float]] = {}
        self.thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        base = "/api/v1/projects/scale/jobs/"
        while not self._stop.is_set():
            newest = self._timed("list of jobs", base)
            self._timed("waiting jobs", f"{base}?status=queued&limit=20")
            self._timed("search", f"{base}?q=nothing-has-this-name")
            self._timed("summary", "/api/v1/projects/scale/summary/")
            self._timed("system", "/api/v1/system/")
            if newest:
                self._timed("one job", f"/api/v1/jobs/{newest}/")
                self._timed("its events", f"/api/v1/jobs/{newest}/events/")
            self._stop.wait(0.5)
        self._client.close()

    def _timed(self, name: str, path: str) -> str:
        began = time.perf_counter()
        try:
            response = self._client.get(path)
        except httpx.HTTPError:
            return ""
        if response.status_code != 200:
            return ""
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)
        rows = response.json().get("results") if name == "list of jobs" else None
        return str(rows[0]["id"]) if rows else ""


def _pipeline(stack: Stack) -> str:
    stack.call(
        "POST", "/api/v1/projects/scale/pipelines/", json={"name": "echo", "definition": ECHO}
    ).raise_for_status()
    body = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
    job = stack.call("POST", "/api/v1/projects/scale/jobs/", json=body).raise_for_status().json()
    stack.call("POST", f"/api/v1/jobs/{job['id']}/cancel/").raise_for_status()
    return str(job["id"])


# Ids that begin with the time, like those of `mimir.lib.ids.uuid7`: their indexes grow at the end.
_ID = (
    "(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0') || "
    "'7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid"
)
_EARLIER = "now() - interval '1 day' * random() * 20"
_COLUMNS = f"""
    jsonb_build_object('id', {_ID.format(at="clock_timestamp()")},
        'status', 'queued', 'reason', '', 'message', '', 'created_at', now(), 'queued_at', now(),
        'finished_at', NULL, 'cancel_requested_at', NULL, 'attempt', 1, 'event_seq', 1)
"""


def _submit(database: psycopg.Connection[Any], template: str, count: int) -> int:
    """Insert waiting jobs like the template, with their first event."""
    database.execute(
        "WITH job AS (INSERT INTO jobs_job SELECT (jsonb_populate_record(job, "  # noqa: S608
        f"{_COLUMNS})).* FROM jobs_job job, generate_series(1, %s) WHERE job.id = %s RETURNING id) "
        "INSERT INTO jobs_jobevent (job_id, seq, at, attempt, kind, actor, data) "
        "SELECT id, 1, now(), 1, 'job.submitted', 'user:bench', '{}' FROM job",
        (count, template),
    )
    return count


def _insert_finished(database: psycopg.Connection[Any], count: int) -> None:
    """Insert jobs that have succeeded, with an attempt and five events each."""
    began = time.monotonic()
    for _ in range(0, count, 50_000):
        database.execute(
            f"""
            WITH source AS (
                SELECT job FROM jobs_job AS job WHERE status = 'succeeded' LIMIT 1
            ), made AS (
                INSERT INTO jobs_job SELECT (jsonb_populate_record(job, jsonb_build_object(
                    'id', {_ID.format(at=_EARLIER)},
                    'created_at', {_EARLIER}))).*
                FROM source, generate_series(1, %s) RETURNING id
            ), attempt AS (
                INSERT INTO jobs_attempt SELECT (jsonb_populate_record(each.one, jsonb_build_object(
                    'id', {_ID.format(at=_EARLIER)}, 'job_id', made.id,
                    'name', 'worker-job-' || made.id || '-1', 'cleaned_up_at', now(),
                    'log_object', 'none'))).*
                FROM made, (
                    SELECT a FROM jobs_attempt AS a WHERE end_status = 'succeeded' LIMIT 1
                ) AS each (one)
            )
            INSERT INTO jobs_jobevent (job_id, seq, at, attempt, kind, actor, data)
            SELECT made.id, seq, now(), 1, 'progress', 'worker', '{{}}'
            FROM made, generate_series(1, 5) AS seq
            """,
            (min(50_000, count),),
        )
    database.execute("VACUUM ANALYZE")  # autovacuum would write during the run
    print(f"\n{count:,} finished jobs inserted in {time.monotonic() - began:.0f} s", flush=True)


def _sizes(database: psycopg.Connection[Any], jobs: int) -> dict[str, dict[str, float]]:
    """Print and return the bytes of tables and indexes, and the updates, per job."""
    found = {}
    print(f"\n  {'per job':<24}{'table, B':>9}{'indexes':>9}{'updates':>9}{'in place':>9}")
    for table in TABLES:
        sizes = database.execute(
            "SELECT pg_table_size(%s::regclass), pg_indexes_size(%s::regclass)", (table, table)
        ).fetchone()
        assert sizes is not None
        updates = database.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s", (table,)
        ).fetchone()
        assert updates is not None
        found[table] = {
            "table": sizes[0] / jobs,
            "indexes": sizes[1] / jobs,
            "updates": updates[0] / jobs,
            "in_place": updates[1] / jobs,  # HOT: no index is written
        }
        shown = "".join(f"{value:>9.1f}" for value in found[table].values())
        print(f"  {table:<24}{shown}", flush=True)
    return found


def _database(stack: Stack) -> psycopg.Connection[Any]:
    return psycopg.connect(orchestrator_environment(stack)["DATABASE_URL"], autocommit=True)


def _succeeded(database: psycopg.Connection[Any]) -> int:
    return _number(database, "SELECT count(*) FROM jobs_attempt WHERE end_status = 'succeeded'")


def _waiting(database: psycopg.Connection[Any]) -> int:
    return _number(database, "SELECT count(*) FROM jobs_job WHERE status = 'queued'")


def _live(database: psycopg.Connection[Any]) -> int:
    return _number(
        database,
        "SELECT count(*) FROM jobs_job WHERE status IN ('queued', 'launching', 'running')",
    )


def _wal(database: psycopg.Connection[Any]) -> int:
    return _number(database, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")


def _number(database: psycopg.Connection[Any], query: str) -> int:
    found = database.execute(query).fetchone()  # type: ignore[arg-type]
    return int(found[0]) if found else 0
