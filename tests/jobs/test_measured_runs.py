"""Measured usage of the last runs of a producer: selection, one indexed query, sustained CPU."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.contract import FailureReason, FinishStatus, JobStatus
from jobs.core.sizing import RUNS_MAX, Sizing
from jobs.lifecycle.measured_runs import SAMPLES_MAX, cpu_sustained, producer_sizing
from jobs.models import Attempt, Job, UsageSample
from mimir.lib.clock import utc_now
from projects.models import Project
from tests.api.caller import Caller
from tests.support import make
from tests.support.measured import measured_run

pytestmark = pytest.mark.django_db

GIB = 2**30


@pytest.fixture
def project() -> Project:
    return make.project()


def _sizing(project: Project, name: str = "echo") -> Sizing:
    return producer_sizing(project_id=project.id, job_type="pipeline_execution", name=name)


def _samples(attempt: Attempt, cpu: list[int]) -> None:
    at = utc_now()
    UsageSample.objects.bulk_create(
        UsageSample(
            attempt=attempt,
            at=at + dt.timedelta(seconds=2 * index),
            memory_bytes=1,
            cpu_millicores=value,
        )
        for index, value in enumerate(cpu)
    )
    if cpu:
        Attempt.objects.filter(id=attempt.id).update(heartbeat_at=at + dt.timedelta(seconds=1))


def test_only_ended_runs_of_this_producer_count(project: Project) -> None:
    for _ in range(3):
        measured_run(project, GIB)
    other = make.project("other")
    for _ in range(3):
        measured_run(other, 3 * GIB)
    foreign = measured_run(project, 3 * GIB)
    Job.objects.filter(id=foreign.id).update(parameters={"pipeline": "another"})
    make.job(project)  # waits
    basis = _sizing(project).basis
    assert (basis.runs, basis.memory_peak_bytes) == (3, GIB)
    assert _sizing(project, "").basis.runs == 0


def test_the_last_attempt_of_each_of_the_newest_runs_counts(project: Project) -> None:
    retried = measured_run(project, GIB)
    Attempt.objects.filter(job=retried).update(number=2)
    Job.objects.filter(id=retried.id).update(attempt=2)
    first = Attempt.objects.get(job=retried)
    Attempt.objects.create(
        job=retried, number=1, cluster=first.cluster, name="first", cpu_millicores=1,
        memory_bytes=1, peak_memory_bytes=3 * GIB,
    )  # fmt: skip
    assert _sizing(project).basis.memory_peak_bytes == GIB
    for _ in range(RUNS_MAX):
        measured_run(project, 2**29)
    assert (_sizing(project).basis.runs, _sizing(project).basis.memory_peak_bytes) == (
        RUNS_MAX,
        2**29,
    )


def test_a_run_that_ran_out_of_memory_counts_with_its_limit(project: Project) -> None:
    for _ in range(2):
        measured_run(project, GIB)
    measured_run(
        project, GIB, status=JobStatus.FAILED, reason=FailureReason.OUT_OF_MEMORY, limit=2 * GIB
    )
    measured_run(project, 3 * GIB, status=JobStatus.FAILED, reason=FailureReason.EXIT_CODE)
    sizing = _sizing(project)
    assert (sizing.basis.runs, sizing.basis.out_of_memory_runs, sizing.memory_bytes) == (
        3,
        1,
        4 * GIB,
    )


def test_a_worker_cannot_report_more_than_its_limits(project: Project) -> None:
    """Code in the worker could forge a report to raise the limits of all later runs."""
    for _ in range(3):
        measured_run(project, 2**50, cpu=2**30)
    basis = _sizing(project).basis
    assert (basis.memory_peak_bytes, basis.cpu_millicores) == (4 * GIB, 2000)


def test_the_runs_are_read_with_one_indexed_query(project: Project) -> None:
    for _ in range(RUNS_MAX + 5):
        measured_run(project, GIB)
    with CaptureQueriesContext(connection) as queries:
        _sizing(project)
    (query,) = queries.captured_queries
    with connection.cursor() as cursor:
        # With few rows, a scan and a sort would be cheaper than the index that gives the order.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {query['sql']}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "job_producer" in plan, plan


@pytest.mark.parametrize(
    ("cpu", "sustained"),
    [([], None), ([100] * 4, None), ([100] * 19 + [2000], 100), ([100] * 18 + [500, 2000], 500)],
)
def test_the_sustained_cpu_of_a_success_is_stored_at_its_end(
    project: Project, cpu: list[int], sustained: int | None
) -> None:
    attempt = make.claimed()
    _samples(attempt, cpu)
    make.finish(attempt)
    attempt.refresh_from_db()
    assert attempt.cpu_sustained_millicores == sustained
    listed = Caller(project.created_by).get(f"jobs/{attempt.job_id}/attempts/").json()["results"]
    assert [each["cpu_sustained_millicores"] for each in listed] == [sustained]


def test_a_failure_has_no_sustained_cpu(project: Project) -> None:
    attempt = make.claimed()
    _samples(attempt, [100] * 10)
    make.finish(attempt, FinishStatus.FAILED)
    attempt.refresh_from_db()
    assert attempt.cpu_sustained_millicores is None


def test_the_newest_samples_of_a_long_attempt_are_judged(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SAMPLES_MAX > 1000
    monkeypatch.setattr("jobs.lifecycle.measured_runs.SAMPLES_MAX", 6)
    attempt: Any = make.claimed()
    _samples(attempt, [900] * 10 + [100] * 6)
    assert cpu_sustained(attempt_id=attempt.id) == 100
