"""Very many jobs on the whole control plane with the fake cluster, two dispatchers and two
reconcilers: rate over time, CPU and WAL per job, sizes of tables, and latency of the API.

The workers are threads of this process that claim, send a heartbeat, finish with an event and exit
over real HTTP. SCALE_JOBS (default 100,000) jobs run on an empty table, then SCALE_AGAIN (default
a tenth of them) beside SCALE_FINISHED (default 1,000,000) finished jobs. The figures are in
SCALE_RESULT (default var/scale.json), also after an interruption.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from mimir.dev.paths import ROOT
from tests.benchmarks.cpu import cpu_seconds
from tests.benchmarks.joblist import BODY, ECHO, orchestrator_environment
from tests.benchmarks.scale_readers import PROJECT, Reader, prepare
from tests.benchmarks.scale_results import Figures, Results, Window
from tests.benchmarks.scale_routes import Routes
from tests.benchmarks.scale_workers import Workers
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.support.stack import Stack, running

JOBS = int(os.environ.get("SCALE_JOBS", "100000"))
FINISHED = int(os.environ.get("SCALE_FINISHED", "1000000"))
AGAIN = int(os.environ.get("SCALE_AGAIN", str(max(1, JOBS // 10))))
RESULT = Path(os.environ.get("SCALE_RESULT", str(ROOT / "var/scale.json")))
SLOTS, WAITING, PORTION = 200, 2_000, 500  # concurrent workers; waiting jobs; jobs per insert
POLL_SECONDS, WINDOW_SECONDS = 0.25, 30.0
TABLES = (
    "jobs_job",
    "jobs_jobsearch",
    "jobs_attempt",
    "jobs_jobevent",
    "jobs_usagesample",
    "jobs_metricdelta",
    "jobs_jobinput",
)
_INSERT = (
    "import django, sys; django.setup(); from tests.benchmarks.scale_finished import insert; "
    "insert(sys.argv[1], int(sys.argv[2]))"
)


@dataclass(frozen=True, slots=True)
class Bench:
    """One installation. `template`: the job that all others are like. `pids`: further processes."""

    stack: Stack
    fake: FakeKubernetes
    database: psycopg.Connection[Any]
    template: str
    project_id: Any
    routes: Routes
    pids: Mapping[str, int]
    results: Results


def measure() -> None:
    """Print both runs, the sizes of the tables, and everything as JSON."""
    results = Results(RESULT)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _installation() as (stack, fake, pids), closing(_database(stack)) as database:
            _runs(_bench(stack, fake, database, pids, results))
        results.facts["complete"] = True
    finally:
        signal.signal(signal.SIGTERM, before)
        results.write()
        print(f"\nas JSON, in {results.path}\n{json.dumps(json.loads(results.path.read_text()))}")


def _runs(bench: Bench) -> None:
    results = bench.results
    results.facts["not_measured"] = bench.routes.others
    print("\nroutes of the API that are not measured")
    for route, reason in bench.routes.others.items():
        print(f"  {route}: {reason}")
    _run(bench, Figures(JOBS, 0))
    results.facts["bytes_per_job"] = _sizes(bench.database, JOBS)
    results.write()
    began = time.monotonic()
    _insert_finished(bench)
    results.facts["insert_seconds"] = round(time.monotonic() - began, 1)
    results.facts["database_bytes"] = _number(
        bench.database, "SELECT pg_database_size(current_database())"
    )
    results.write()
    _run(bench, Figures(AGAIN, FINISHED))
    results.compare()


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
            stack.project(PROJECT)
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


def _bench(
    stack: Stack,
    fake: FakeKubernetes,
    database: psycopg.Connection[Any],
    pids: Mapping[str, int],
    results: Results,
) -> Bench:
    """Create what the jobs and the reader need."""
    base = f"/api/v1/projects/{PROJECT}"
    pipeline = {"name": "echo", "definition": ECHO}
    stack.call("POST", f"{base}/pipelines/", json=pipeline).raise_for_status()
    job = stack.call("POST", f"{base}/jobs/", json=BODY).raise_for_status().json()
    stack.call("POST", f"/api/v1/jobs/{job['id']}/cancel/").raise_for_status()
    found = database.execute("SELECT id FROM projects_project WHERE slug = %s", (PROJECT,))
    project = found.fetchone()
    assert project is not None
    return Bench(
        stack=stack,
        fake=fake,
        database=database,
        template=str(job["id"]),
        project_id=project[0],
        routes=prepare(stack),
        pids={**pids, "fake": fake.pid, "frontend": stack.pids("frontend")[0]},
        results=results,
    )


def _run(bench: Bench, figures: Figures) -> None:
    """Run the jobs, print their figures, and keep them with the results."""
    print(f"\n{figures.jobs:,} jobs beside {figures.finished_before:,} finished ones", flush=True)
    bench.results.runs.append(figures)
    stop, database = threading.Event(), bench.database
    workers = Workers(bench.fake, stop)
    reader = Reader(bench.stack, bench.routes, bench.template, stop)
    figures.workers, figures.api, figures.refused = workers.seconds, reader.seconds, reader.refused
    succeeded = _succeeded(bench)
    meter = _Meter(bench, figures)
    for thread in (*workers.threads, reader.thread):
        thread.start()
    try:
        _until_done(bench, figures, meter)
    finally:
        meter.stop()
        stop.set()
        for thread in (*workers.threads, reader.thread):
            thread.join()
    figures.succeeded = _succeeded(bench) - succeeded
    figures.launched_again = _number(database, "SELECT count(*) FROM jobs_attempt WHERE number > 1")
    figures.show()


def _until_done(bench: Bench, figures: Figures, meter: "_Meter") -> None:
    """Keep WAITING jobs in the queue until all have been submitted; wait until all have ended."""
    submitted = 0
    while submitted < figures.jobs or figures.done < submitted:
        waiting, live = _queue(bench)
        figures.done = submitted - live
        if submitted < figures.jobs and waiting < WAITING:
            count = min(PORTION, figures.jobs - submitted)
            _submit(bench.database, bench.template, count)
            submitted += count
        meter.look()
        time.sleep(POLL_SECONDS)


class _Meter:
    """CPU, WAL and rate since the start of a run, and in each window of it."""

    def __init__(self, bench: Bench, figures: Figures) -> None:
        self._bench, self._figures = bench, figures
        self._cpu, self._wal = self._cpu_seconds(), _wal(bench.database)
        self._began = time.monotonic()
        self._window = (self._began, 0, sum(self._cpu.values()))

    def look(self) -> None:
        """Record and print a window when it is over, and keep the results so far."""
        began, done, cpu = self._window
        now, figures = time.monotonic(), self._figures
        if now - began < WINDOW_SECONDS:
            return
        used = self._update(now)
        jobs, rate = figures.done - done, (figures.done - done) / (now - began)
        cpu_ms = (used - cpu) / max(jobs, 1) * 1000
        figures.windows.append(Window(now - self._began, rate, cpu_ms))
        self._window = (now, figures.done, used)
        print(f"  {figures.done:>9,} done, {rate:7.1f} a second, {cpu_ms:6.1f} ms CPU", flush=True)
        self._bench.results.write()

    def stop(self) -> None:
        """Record the totals."""
        self._update(time.monotonic())
        self._bench.results.write()

    def _update(self, now: float) -> float:
        """Update the figures of the run; return the seconds of CPU used by all processes."""
        after, figures = self._cpu_seconds(), self._figures
        done = max(figures.done, 1)
        figures.seconds = now - self._began
        figures.cpu_ms = {
            name: (after[name] - used) / done * 1000
            for name, used in self._cpu.items()
            if name in after
        }
        figures.wal_bytes = (_wal(self._bench.database) - self._wal) / done
        return sum(after.values())

    def _cpu_seconds(self) -> dict[str, float]:
        return cpu_seconds(self._bench.stack, **self._bench.pids)


# Ids that begin with the time, as `mimir.lib.ids.uuid7` makes them: indexes of ids grow at the end.
_ID = (
    "(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || "
    "'7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid"
)
_COLUMNS = f"""
    jsonb_build_object('id', {_ID},
        'status', 'queued', 'reason', '', 'message', '', 'created_at', now(), 'queued_at', now(),
        'finished_at', NULL, 'cancel_requested_at', NULL, 'attempt', 1, 'event_seq', 1)
"""


def _submit(database: psycopg.Connection[Any], template: str, count: int) -> None:
    """Insert waiting jobs like the template, with their first event."""
    database.execute(
        "WITH job AS (INSERT INTO jobs_job SELECT (jsonb_populate_record(job, "  # noqa: S608
        f"{_COLUMNS})).* FROM jobs_job job, generate_series(1, %s) WHERE job.id = %s RETURNING id) "
        "INSERT INTO jobs_jobevent (job_id, seq, at, attempt, kind, actor, data) "
        "SELECT id, 1, now(), 1, 'job.submitted', 'user:bench', '{}' FROM job",
        (count, template),
    )


def _insert_finished(bench: Bench) -> None:
    """Insert finished jobs like one that has succeeded, and gather the planner's statistics."""
    print(f"\n{FINISHED:,} finished jobs", flush=True)
    like_it = bench.database.execute(
        "SELECT id FROM jobs_job WHERE status = 'succeeded' AND project_id = %s LIMIT 1",
        (bench.project_id,),
    ).fetchone()
    assert like_it is not None
    subprocess.run(
        [sys.executable, "-c", _INSERT, str(like_it[0]), str(FINISHED)],
        cwd=ROOT,
        env={
            **orchestrator_environment(bench.stack),
            "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
        },
        check=True,
    )
    bench.database.execute("VACUUM ANALYZE")  # autovacuum would write during the run
    print("  vacuumed and analysed", flush=True)


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
            "table": round(sizes[0] / jobs, 1),
            "indexes": round(sizes[1] / jobs, 1),
            "updates": round(updates[0] / jobs, 2),
            "in_place": round(updates[1] / jobs, 2),  # HOT: no index is written
        }
        shown = "".join(f"{value:>9.1f}" for value in found[table].values())
        print(f"  {table:<24}{shown}", flush=True)
    return found


def _database(stack: Stack) -> psycopg.Connection[Any]:
    return psycopg.connect(orchestrator_environment(stack)["DATABASE_URL"], autocommit=True)


def _queue(bench: Bench) -> tuple[int, int]:
    """Return how many jobs of the run wait, and how many have not ended."""
    found = bench.database.execute(
        "SELECT count(*) FILTER (WHERE status = 'queued'), count(*) FROM jobs_job "
        "WHERE status IN ('queued', 'launching', 'running', 'cancelling') AND project_id = %s",
        (bench.project_id,),
    ).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


def _succeeded(bench: Bench) -> int:
    return _number(
        bench.database,
        "SELECT count(*) FROM jobs_job WHERE status = 'succeeded' AND project_id = %s",
        bench.project_id,
    )


def _wal(database: psycopg.Connection[Any]) -> int:
    return _number(database, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")


def _number(database: psycopg.Connection[Any], query: str, *values: object) -> int:
    found = database.execute(query, values or None).fetchone()  # type: ignore[arg-type]
    return int(found[0]) if found else 0
