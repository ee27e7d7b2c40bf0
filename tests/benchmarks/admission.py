"""Admission with 20,000 waiting jobs: reading the heads of the queue, compared with the whole
queue.

Each case is inserted, measured and rolled back in one transaction of a separate process, so the
installation never sees its rows.
"""

import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any

from mimir.dev.paths import ROOT
from tests.benchmarks.joblist import BODY, ECHO, orchestrator_environment
from tests.support.stack import Stack

if TYPE_CHECKING:
    from jobs.models import Job

PAIRS, WAITING, LIVE, GIB = 7, 20_000, 5_000, 2**30
PASS_SECONDS = 0.050
RUN = (
    "import django, sys; django.setup(); from tests.benchmarks import admission; "
    "admission.measure_rows(sys.argv[1])"
)


def measure(stack: Stack) -> None:
    """Print medians of interleaved pairs, and their ratio."""
    project = stack.project(f"queue{uuid.uuid4().hex[:8]}")
    stack.call(
        "POST", f"/api/v1/projects/{project}/pipelines/", json={"name": "echo", "definition": ECHO}
    ).raise_for_status()
    stack.call(
        "PATCH", "/api/v1/limits/", json={"scope": "project", "key": project, "paused": True}
    ).raise_for_status()
    job = stack.call("POST", f"/api/v1/projects/{project}/jobs/", json=BODY).raise_for_status()
    environment = {
        **orchestrator_environment(stack),
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
    }
    subprocess.run([sys.executable, "-c", RUN, job.json()["id"]], env=environment, cwd=ROOT)


def measure_rows(job_id: str) -> None:
    """Measure all cases on rows like those of a waiting job of a paused project."""
    from jobs.models import Cluster, Job

    job = Job.objects.select_related("project", "created_by").get(id=job_id)
    print(f"\n{WAITING:,} waiting jobs, medians of {PAIRS} interleaved pairs")
    print(f"  {'milliseconds':<52}{'whole':>9}{'heads':>9}{'ratio':>9}")
    for name, rows in _cases(job).items():
        for slots in (1, 64):
            with _rolled_back(job, rows, slots):
                _measure_pass(f"pass, {name}, {slots} free", f"at most {PASS_SECONDS * 1000:.0f}")
    with _rolled_back(job, _cases(job)["each job its own group"], 1000):
        Cluster.objects.update(capacity_memory_bytes=2 * GIB + PAIRS)
        _measure_pass("pass, each job its own group, short of memory", "")
    with _rolled_back(job, _cases(job)["200 groups"], 1):
        _measure_explanation(job)
    with _rolled_back(job, [], 1):
        _measure_free_slot(job)


def _cases(job: "Job") -> Mapping[str, list[dict[str, Any]]]:
    """Return the columns that differ between the waiting jobs of each case."""
    from jobs.contract import PRIORITIES
    from tests.support.queued import requests

    kinds = [f"type{number}" for number in range(10)]
    groups = list(product(kinds, PRIORITIES, [500, 1000, 1500, 2000, 2500]))
    chosen = [groups[number % len(groups)] for number in range(WAITING)]
    return {
        "one group": [{"type": "pipeline_execution"} for _ in range(WAITING)],
        "200 groups": [
            {"type": kind, "priority": priority.value, "resources": requests(cpu, GIB)}
            for kind, priority, cpu in chosen
        ],
        "each job its own group": [
            {"resources": requests(500, GIB + number)} for number in range(WAITING)
        ],
        "each job its own exclusive key": [
            {"exclusive_key": f"twin:{number}"} for number in range(WAITING)
        ],
    }


@contextmanager
def _rolled_back(job: "Job", rows: list[dict[str, Any]], slots: int) -> Iterator[None]:
    """Insert the rows and a cluster with free slots, and roll them back afterwards."""
    from django.db import connection, transaction

    from jobs.models import Cluster, Job, Limit
    from tests.support.queued import jobs_queued

    with transaction.atomic():
        Limit.objects.all().delete()
        Job.objects.filter(id=job.id).update(status="cancelling")
        Cluster.objects.update(
            enabled=True,
            unreachable_since=None,
            capacity_jobs=slots,
            capacity_cpu_millicores=0,
            capacity_memory_bytes=0,
        )
        if rows:
            jobs_queued(job, rows)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE jobs_job")
            # A decision over the whole queue takes seconds, in which the transaction is idle.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield
        transaction.set_rollback(True)


def _measure_pass(name: str, note: str) -> None:
    from jobs.admission.candidates import admit_heads
    from jobs.admission.decide import admit
    from jobs.admission.many_groups import ManyGroups
    from jobs.admission.queue_rows import QueueRows
    from jobs.admission.snapshot import snapshot

    rows, many = 0, ManyGroups()

    def heads() -> list[Any]:
        nonlocal rows
        # The clock of `many` is fixed: all but the first pass are between two counts of groups.
        view, now = snapshot(waiting=(), summed=True), 0.0
        queue, since = QueueRows(view), many.never_since(view, now)
        decision = admit_heads(view, queue, many_groups=many.is_known(now), never_since=since)
        if decision.many_groups:
            many.note(view, now, since, more_never=decision.more_never)
        admitted, rows = decision.admitted, queue.rows_read
        return [job_id for job_id, _cluster in admitted]

    def whole() -> list[Any]:
        return [job_id for job_id, _cluster in admit(snapshot()).admitted]

    began = time.perf_counter()
    chosen = heads()
    first_ms = (time.perf_counter() - began) * 1000
    same = "the same jobs" if chosen == whole() else "OTHER JOBS"
    every = f"; every 10 s {first_ms:.0f} ms" if many.is_known(0.0) else ""
    _pairs(name, whole, heads, lambda: f"{note}; {rows} rows read, {same}{every}")


def _measure_explanation(job: "Job") -> None:
    from jobs.admission import queue_state, waiting
    from jobs.models import Job

    middle = Job.objects.filter(status="queued").select_related("project").order_by("id")
    one = middle[WAITING // 2]

    def explained(short: int) -> Any:
        queue_state._long = None
        setattr(queue_state, "SHORT_QUEUE", short)  # noqa: B010 - imported there, not its own
        return waiting.job_waiting([one])[one.id]["position"]

    same = "same" if explained(WAITING * 2) == explained(200) else "OTHER"
    _pairs(
        "why one job waits, 200 groups",
        lambda: explained(WAITING * 2),
        lambda: explained(200),
        lambda: f"{same} position",
    )


def _measure_free_slot(job: "Job") -> None:
    from django.db import connection

    from jobs.admission.snapshot import (
        allocations,
        allocations_summed,
        waiting_and_free_slot,
    )
    from jobs.models import Attempt, Cluster
    from mimir.lib.ids import uuid7

    Cluster.objects.update(capacity_jobs=LIVE)
    name = Cluster.objects.values_list("name", flat=True)[0]
    Attempt.objects.bulk_create(
        Attempt(
            id=uuid7(),
            job=job,
            number=number,
            cluster_id=name,
            name=f"live-{number}",
            cpu_millicores=1,
            memory_bytes=1,
        )
        for number in range(1, LIVE + 1)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_attempt")

    def every_attempt() -> bool:
        used: dict[str, int] = {}
        open_attempts = Attempt.objects.filter(gone_at__isnull=True)
        for cluster in open_attempts.values_list("cluster_id", flat=True):
            used[cluster] = used.get(cluster, 0) + 1
        return any(used.get(row.name, 0) < row.capacity_jobs for row in Cluster.objects.all())

    def free_slot() -> bool:
        return waiting_and_free_slot(1)[1]

    _pairs(f"free slot, {LIVE:,} live attempts", every_attempt, free_slot, lambda: "")
    _pairs(f"allocations, {LIVE:,} live attempts", allocations, allocations_summed, lambda: "")


def _pairs(
    name: str, whole: Callable[[], Any], heads: Callable[[], Any], note: Callable[[], str]
) -> None:
    """Print the medians of both ways, run alternately to spread other load over both."""
    taken: dict[str, list[float]] = {"whole": [], "heads": []}
    for _ in range(PAIRS):
        for kind, call in (("whole", whole), ("heads", heads)):
            began = time.perf_counter()
            call()
            taken[kind].append(time.perf_counter() - began)
    slow, fast = (statistics.median(seconds) * 1000 for seconds in taken.values())
    print(f"  {name:<52}{slow:9.1f}{fast:9.1f}{slow / fast:9.1f}  {note()}", flush=True)
