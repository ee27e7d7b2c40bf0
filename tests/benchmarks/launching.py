"""Launches on Kubernetes, compared with a plain client that creates the same objects on the same
server, and a restart with thousands of live jobs.

The server is the fake of the tests, in a separate process and in real time. Its pods run until they
are stopped, and claim nothing.
"""

import json
import random
import statistics
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import psycopg
from kubernetes import client, config

from jobs.clusters.launchers.manifest import worker_job
from jobs.contract import worker_name
from tests.benchmarks.cpu import cpu_seconds, cpu_shown
from tests.benchmarks.figures import head, percentile, row, verdict
from tests.benchmarks.joblist import ECHO, orchestrator_environment
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.launchers.test_manifest import PLAIN, TEMPLATE
from tests.support.stack import Stack, running
from tests.support.waiting import wait_for

JOBS, IN_FLIGHT, IDLE_RUNS, LIVE = 2_000, 32, 100, 5_000
LATENCIES = {0.0: (5, 0.5), 0.3: (1, 0.9)}  # seconds -> pairs, the minimum ratio
BARE = "bare"
BARE_WANTED = 200.0
OWN_P50_SECONDS = 0.050
# The end of the last pass of a process over all attempts, and its seconds.
WHOLE_PASS = """
SELECT extract(epoch FROM (pass->>'at')::timestamptz)::float8, (pass->>'seconds')::float8
FROM (SELECT detail->'followed'->'local' AS pass, detail FROM jobs_loopbeat
      WHERE component = 'reconciler') AS beat
WHERE (pass->>'attempts')::int >= %s AND detail->>'pid' = %s
"""
RESTART_SECONDS, RESTART_MIB, RESTART_LISTS = 4.0, 150, 3


def measure() -> None:
    """Print rates and ratios, the idle launch, and the restart."""
    for latency, (count, wanted) in LATENCIES.items():
        with _installation(latency) as (stack, fake):
            _throughput(stack, fake, latency, count, wanted)
    with _installation(0.0) as (stack, fake):
        _idle(stack, fake)
    with _installation(0.0) as (stack, fake):
        _restart(stack, fake)


@contextmanager
def _installation(latency: float) -> Iterator[tuple[Stack, FakeKubernetes]]:
    with (
        tempfile.TemporaryDirectory(prefix="mimir-launching-") as folder,
        FakeKubernetes(real_time=True, latency_seconds=latency) as fake,
    ):
        settings = {
            "MIMIR_DURABLE": "1",
            "LAUNCHER": "kubernetes",
            "KUBECONFIG_FILE": str(fake.kubeconfig),
            "WORKER_NAMESPACE": fake.namespace,
            "CAPACITY_JOBS": "20000",
            # No worker of this cluster claims: a start window would end the measurement.
            **dict.fromkeys(("START_WINDOW", "START_WINDOW_MIN", "START_WINDOW_MAX"), "20000"),
            "LAUNCH_CONCURRENCY": str(IN_FLIGHT),
            "KUBE_QPS": "10000",
            "KUBE_BURST": "10000",
            "LAUNCH_TIMEOUT": "36000",
            "LOG_LEVEL": "error",
            "MIMIR_CRASH_POINTS": "",  # no kills here, and each crash point checks for a file
        }
        for stack in running(Path(folder), **settings):
            yield stack, fake


# From the release of many to the last recorded creation


@dataclass(frozen=True, slots=True)
class Pair:
    """Rates of a plain run and of the installation right after it, in creations per second."""

    bare: float
    ours: float
    created: int
    doubled: int

    @property
    def ratio(self) -> float:
        return self.ours / self.bare


def _throughput(
    stack: Stack, fake: FakeKubernetes, latency: float, count: int, wanted: float
) -> None:
    """Run pairs alternately, to spread other load over both sides; return the median."""
    print(
        f"\n{JOBS:,} queued jobs released, {IN_FLIGHT} in flight, {latency * 1000:.0f} ms "
        f"latency, {count} pairs"
    )
    with closing(_database(stack)) as database:
        pairs = [_pair(stack, fake, database, latency) for _ in range(count)]
    bare, ratio = (
        statistics.median(values)
        for values in ([each.bare for each in pairs], [each.ratio for each in pairs])
    )
    doubled, created = sum(each.doubled for each in pairs), {each.created for each in pairs}
    if not latency:
        print(
            f"  {'median of the bare client':<34}{bare:9.1f}  "
            f"{'ok' if bare >= BARE_WANTED else 'SLOW'}: at least {BARE_WANTED:.0f}"
        )
    print(
        f"  {'median ratio':<34}{ratio:9.2f}  {'ok' if ratio >= wanted else 'UNDER'}: at least "
        f"{wanted}"
    )
    print(
        f"  {'created twice':<34}{doubled:9}  "
        f"{'ok' if not doubled and created == {JOBS} else 'WRONG'}: {created} created",
        flush=True,
    )


def _pair(
    stack: Stack, fake: FakeKubernetes, database: psycopg.Connection[Any], latency: float
) -> Pair:
    bare = _bare(stack, fake, latency)
    _line_of(stack, database, JOBS)
    _settled(fake)
    fake.clear_requests()
    before = cpu_seconds(stack, fake=fake.pid)
    began = time.perf_counter()
    _pause(stack, paused=False)
    recorded = wait_for(
        lambda: _count(database, "uid <> ''") >= JOBS and time.perf_counter(),
        "all are recorded",
        600,
    )
    ours = JOBS / (recorded - began)
    spent = cpu_shown(before, cpu_seconds(stack, fake=fake.pid), JOBS)
    names = [
        each["name"]
        for each in fake.requests()
        if each["verb"] == "create" and each["resource"] == "jobs" and each["status"] == 201
    ]
    print(
        f"  {'from the release to the record':<34}{ours:9.1f} launches/s, ratio "
        f"{ours / bare:.2f}; {spent}",
        flush=True,
    )
    _pause(stack, paused=True)
    wait_for(lambda: _emptied(database), "all is forgotten", 60)
    fake.reset(latency_seconds=latency)
    return Pair(bare, ours, len(names), len(names) - len(set(names)))


def _bare(stack: Stack, fake: FakeKubernetes, latency: float) -> float:
    """Return the creations per second of the official client with raw bodies, on an empty server
    that is emptied again.

    It uses a separate namespace, which the waiting installation does not watch.
    """
    fake.reset(latency_seconds=latency, namespaces=[fake.namespace, BARE])
    _settled(fake)
    create = _creator(fake, BARE)
    bodies = [_object() for _ in range(JOBS)]
    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        list(
            threads.map(create, [_object() for _ in range(IN_FLIGHT)])
        )  # connections are made before the clock runs
        before = cpu_seconds(stack, fake=fake.pid)
        began = time.perf_counter()
        codes = set(threads.map(create, bodies))
        seconds = time.perf_counter() - began
    assert codes == {201}, codes
    spent = cpu_shown(before, cpu_seconds(stack, fake=fake.pid), JOBS)
    print(f"  {'bare client':<34}{JOBS / seconds:9.1f} creates/s; {spent}", flush=True)
    fake.reset(latency_seconds=latency)
    return JOBS / seconds


def _emptied(database: psycopg.Connection[Any]) -> bool:
    """Delete every job and return whether that succeeded.

    It yields to the installation, which locks these tables in another order.
    """
    try:
        database.execute("SET lock_timeout = '200ms'")
        database.execute("TRUNCATE jobs_job CASCADE")
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return False
    return True


def _settled(fake: FakeKubernetes) -> None:
    """Wait until the installation watches the server again: `reset` breaks its watches."""
    wait_for(
        lambda: {"jobs", "pods", "events"} <= set(fake.open_watches()), "the reconciler follows", 60
    )


def _creator(fake: FakeKubernetes, namespace: str) -> Callable[[dict[str, Any]], int]:
    configuration = client.Configuration()
    configuration.connection_pool_maxsize = IN_FLIGHT
    config.load_kube_config(
        str(fake.kubeconfig), client_configuration=configuration, persist_config=False
    )  # type: ignore[no-untyped-call]
    api = client.BatchV1Api(client.ApiClient(configuration))
    create: Any = api.create_namespaced_job  # its stubs have neither raw bodies nor raw responses
    return lambda body: int(create(namespace, body, _preload_content=False).status)


def _object() -> dict[str, Any]:
    """Return the object that the launcher creates, as raw JSON."""
    job_id = str(uuid.uuid4())
    spec = replace(PLAIN, name=worker_name(job_id, 1), job_id=job_id, attempt_id=str(uuid.uuid4()))
    created: dict[str, Any] = json.loads(json.dumps(worker_job(spec, TEMPLATE)))
    return created


# One launch on an idle installation


def _idle(stack: Stack, fake: FakeKubernetes) -> None:
    create = _creator(fake, fake.namespace)
    pipeline = _pipeline(stack)
    whole, bare = [], []
    for _ in range(IDLE_RUNS):
        time.sleep(random.uniform(0, 0.2))  # polling shows up as spread
        fake.clear_requests()
        began = time.time()
        _submit(stack, pipeline)
        whole.append(wait_for(lambda: _created_at(fake), "it is created", 30) - began)
        fake.clear_requests()
        began = time.time()
        create(_object())
        bare.append(_created_at(fake) - began)
    head(f"POST to the Job object created, {IDLE_RUNS} runs")
    row("all of it", whole)
    row("a bare create", bare)
    own = [ours - theirs for ours, theirs in zip(whole, bare, strict=True)]
    row("the system's own share", own, verdict(percentile(own, 50), OWN_P50_SECONDS))
    print(
        f"  p99: all of it {percentile(whole, 99) * 1000:.1f}, a bare create "
        f"{percentile(bare, 99) * 1000:.1f}",
        flush=True,
    )


def _created_at(fake: FakeKubernetes) -> float:
    """Return the time of the last Job creation by the fake's clock, which is the machine's; 0 if
    none.
    """
    created = [
        each["at"]
        for each in fake.requests()
        if each["verb"] == "create" and each["resource"] == "jobs"
    ]
    return float(created[-1]) if created else 0.0


# A restart with thousands of live workers


def _restart(stack: Stack, fake: FakeKubernetes) -> None:
    with closing(_database(stack)) as database:
        _line_of(stack, database, LIVE)
        _pause(stack, paused=False)
        wait_for(lambda: _count(database, "uid <> ''") >= LIVE, "all are launched", 600)
        database.execute(
            "UPDATE jobs_attempt SET claim_id = gen_random_uuid(), claimed_at = now(), "
            "heartbeat_at = now()"
        )
        database.execute(
            "UPDATE jobs_job SET status = 'running', started_at = now() WHERE status = 'launching'"
        )
        wait_for(lambda: _count(database, "pods_seen <> '[]'") >= LIVE, "their pods are known", 120)
        fake.clear_requests()
        began = time.time()
        killed = stack.kill("reconciler")
        pid = wait_for(lambda: set(stack.pids("reconciler")) - {killed}, "a new one").pop()
        process = psutil.Process(pid)
        ended_at, pass_seconds = wait_for(
            lambda: database.execute(WHOLE_PASS, (LIVE, str(pid))).fetchone(), "a whole pass", 120
        )
        seconds = ended_at - began
        peak = _peak(process)
        requests_by_verb = Counter(
            (each["verb"], each["resource"]) for each in fake.requests() if not each["pages_on"]
        )
        failed = _count(database, "status NOT IN ('running', 'queued')", table="jobs_job")
        again = _count(database, "number > 1")
    lists = sum(count for (verb, _), count in requests_by_verb.items() if verb == "list")
    print(f"\nthe reconciler killed and started with {LIVE:,} live workers")
    print(
        f"  {'until the first whole pass, s':<34}{seconds:9.1f}  "
        f"{'ok' if seconds <= RESTART_SECONDS else 'OVER'}: at most {RESTART_SECONDS:.0f}"
        f"; the pass with its lists {pass_seconds:.1f}"
    )
    print(
        f"  {'peak memory, MiB':<34}{peak:9.0f}  {'ok' if peak <= RESTART_MIB else 'OVER'}: at "
        f"most {RESTART_MIB}"
    )
    print(
        f"  {'lists':<34}{lists:9}  {'ok' if lists <= RESTART_LISTS else 'OVER'}: at most "
        f"{RESTART_LISTS}"
    )
    print(
        f"  {'created, failed, tried again':<34}{requests_by_verb['create', 'jobs']:9} {failed} "
        f"{again}",
        flush=True,
    )


def _peak(process: psutil.Process) -> float:
    """Return the peak memory of a process in MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


# An installation's jobs


def _pipeline(stack: Stack) -> str:
    stack.project("bench")
    name = f"p{uuid.uuid4().hex[:8]}"
    stack.call(
        "POST", "/api/v1/projects/bench/pipelines/", json={"name": name, "definition": ECHO}
    ).raise_for_status()
    return name


def _submit(stack: Stack, pipeline: str) -> str:
    body = {"type": "pipeline_execution", "parameters": {"pipeline": pipeline}}
    return str(
        stack.call("POST", "/api/v1/projects/bench/jobs/", json=body)
        .raise_for_status()
        .json()["id"]
    )


def _pause(stack: Stack, *, paused: bool) -> None:
    stack.call(
        "PATCH", "/api/v1/limits/", json={"scope": "global", "key": "", "paused": paused}
    ).raise_for_status()


def _line_of(stack: Stack, database: psycopg.Connection[Any], count: int) -> None:
    """Create this number of waiting jobs: one is submitted, the others are copies of its row."""
    _pause(stack, paused=True)
    job = _submit(stack, _pipeline(stack))
    database.execute(
        "INSERT INTO jobs_job SELECT (jsonb_populate_record(job, jsonb_build_object('id', "
        "gen_random_uuid()))).* "
        "FROM jobs_job job, generate_series(2, %s) WHERE job.id = %s",
        (count, job),
    )
    database.execute(
        "INSERT INTO jobs_jobevent (job_id, seq, at, attempt, kind, actor, data) "
        "SELECT id, 1, now(), 1, 'job.submitted', 'user:bench', '{}' FROM jobs_job WHERE id <> %s",
        (job,),
    )
    database.execute("ANALYZE jobs_job")


def _database(stack: Stack) -> psycopg.Connection[Any]:
    return psycopg.connect(orchestrator_environment(stack)["DATABASE_URL"], autocommit=True)


def _count(database: psycopg.Connection[Any], condition: str, table: str = "jobs_attempt") -> int:
    found = database.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()  # type: ignore[arg-type]
    return int(found[0]) if found else 0
