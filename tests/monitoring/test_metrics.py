"""`/metrics`.

Counters agree with the rows during concurrent writes and folds, and a scrape is answered while
servers are unavailable.
"""

import os
import subprocess
import sys
import time
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.test import Client

from jobs.clusters.rows import cluster_ensure
from jobs.contract import FailureReason, FinishStatus
from jobs.core.metrics import deltas_fold
from jobs.lifecycle.cancel import job_cancel
from jobs.models import Cluster, Job, Metric, MetricDelta, MetricTotal
from mimir.dev.paths import ROOT
from monitoring.selectors import metrics as figures
from tests.support import make
from tests.support.metrics import Samples, backwards, disagreements, figure, samples, unbalanced

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


def _scrape() -> Samples:
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    return samples(answer.content.decode())


def _some_of_everything() -> None:
    """Create jobs that wait, run, succeeded in a second attempt, failed, or were cancelled before
    and after a claim.
    """
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=20)
    make.log(make.claimed(), b"one")
    good = make.claimed()
    make.log(good, b"one", b"two")
    make.finish(good)
    make.finish(make.claimed(), FinishStatus.FAILED, reason=FailureReason.EXIT_CODE)
    make.finish(make.claimed(max_attempts=2), FinishStatus.FAILED, reason=FailureReason.EXIT_CODE)
    stopped = make.claimed()
    job_cancel(job_id=stopped.job_id, actor="user:ada")
    make.finish(stopped, FinishStatus.CANCELLED)
    job_cancel(job_id=make.job().id, actor="user:ada")
    make.job(priority="low")


def test_counters_agree_with_the_rows_before_and_after_a_fold() -> None:
    _some_of_everything()
    before = _scrape()
    assert (disagreements(before, connection), unbalanced(before)) == ([], [])
    assert MetricDelta.objects.exists()
    assert deltas_fold() > 0
    assert not MetricDelta.objects.exists()
    after = _scrape()
    assert (
        disagreements(after, connection),
        backwards(before, after),
        backwards(after, before),
    ) == ([], [], [])
    _some_of_everything()
    deltas_fold()
    assert disagreements(_scrape(), connection) == []


def test_every_metric_of_the_domain_is_exported_with_its_labels() -> None:
    _some_of_everything()
    found = _scrape()
    kind = {"type": "pipeline_execution"}
    assert figure(found, "mimir_database_up") == 1
    assert (
        figure(found, "mimir_jobs_finished_total", **kind, status="failed", reason="exit_code") == 1
    )
    assert figure(found, "mimir_attempts_tried_again_total", **kind, reason="exit_code") == 1
    assert figure(found, "mimir_jobs", **kind, status="running") == 1
    assert figure(found, "mimir_jobs", type="ml_training", status="running") == 0
    assert figure(found, "mimir_queue_jobs", priority="low") == 1
    assert (figure(found, "mimir_queue_oldest_seconds", priority="low") or 0) > 0
    assert figure(found, "mimir_queue_oldest_seconds", priority="critical") == 0
    assert figure(found, "mimir_job_launch_seconds_bucket", **kind, le="+Inf") == 5
    assert figure(found, "mimir_job_duration_seconds_count", **kind) == 3
    assert figure(found, "mimir_workers", cluster="local") == 5
    names = {name for name, _labels in found}
    assert "django_http_requests_before_middlewares_total" in names, "HTTP's own metrics stay"


def test_a_rolled_back_change_is_not_counted() -> None:
    make.project()
    with pytest.raises(RuntimeError), transaction.atomic():
        make.job()
        raise RuntimeError
    assert not MetricDelta.objects.exists()


def test_a_total_stays_when_its_jobs_are_deleted() -> None:
    make.finish(make.claimed())
    before = _scrape()
    Job.objects.all().delete()
    after = _scrape()
    assert backwards(before, after) == []
    assert (
        figure(
            after,
            "mimir_jobs_finished_total",
            type="pipeline_execution",
            status="succeeded",
            reason="",
        )
        == 1
    )


def test_a_scrape_without_the_database_is_answered_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(connections["default"].settings_dict, "PORT", "1")
    found = _scrape()
    assert figure(found, "mimir_database_up") == 0
    assert not any(name == "mimir_jobs_finished_total" for name, _labels in found), (
        "no figure is better than a wrong one"
    )


def test_buckets_of_an_earlier_release_stay_beside_those_of_this_one() -> None:
    MetricTotal.objects.create(
        metric=Metric.LAUNCH, type="ml_training", label="7.5", count=2, amount=14_000_000
    )
    found = _scrape()
    buckets = {
        bound: figure(found, "mimir_job_launch_seconds_bucket", type="ml_training", le=bound)
        for bound in ("5.0", "7.5", "10.0", "+Inf")
    }
    assert buckets == {"5.0": 0, "7.5": 2, "10.0": 2, "+Inf": 2}
    assert figure(found, "mimir_job_launch_seconds_sum", type="ml_training") == 14


def test_a_job_submitted_while_a_scrape_reads_is_in_all_its_figures_or_in_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.job()
    read = figures._rows

    def submit_after_reading(connection: Any, statement: str) -> list[figures.Row]:
        rows = read(connection, statement)
        make.job()
        return rows

    monkeypatch.setattr(figures, "_rows", submit_after_reading)
    found = _scrape()
    assert (
        figure(found, "mimir_jobs_submitted_total", type="pipeline_execution"),
        unbalanced(found),
    ) == (1, [])
    monkeypatch.undo()
    assert unbalanced(_scrape()) == []


_START = "import django; django.setup()\n"
_WRITER = """
from django.contrib.auth.models import User
from jobs.lifecycle.cancel import job_cancel
from jobs.lifecycle.submit import job_submit
from projects.models import Project
project, user = Project.objects.get(), User.objects.get()
for number in range(40):
    job = job_submit(project=project, user=user, type="pipeline_execution", parameters={"pipeline": "echo"}).job
    if number % 2:
        job_cancel(job_id=job.id, actor="user:ada")
"""  # noqa: E501
_FOLDER = """
from jobs.core import metrics
metrics.FOLD_ROWS = 7
while True:
    metrics.deltas_fold()
"""


def _process(program: str) -> "subprocess.Popen[bytes]":
    server = settings.DATABASES["default"]
    url = f"postgresql://{server['USER']}:{server['PASSWORD']}@{server['HOST']}:{server['PORT']}/{server['NAME']}"
    return subprocess.Popen(
        [sys.executable, "-c", _START + program], cwd=ROOT, env={**os.environ, "DATABASE_URL": url}
    )


def test_a_decrease_is_found_except_in_counters_of_one_process() -> None:
    counters = (
        "mimir_jobs_finished_total",
        "mimir_heartbeat_seconds_count",
        "mimir_requests_refused_total",
    )
    before: Samples = {(name, ()): 2.0 for name in counters}
    assert backwards(before, before) == []
    found = backwards(before, dict.fromkeys(before, 1.0))
    assert found == ["mimir_jobs_finished_total{} went from 2.0 to 1.0"]


def test_no_count_is_lost_doubled_or_decreased_while_processes_write_and_two_leaders_fold() -> None:
    """Each scrape is consistent: submitted jobs are the sum of ended and unended jobs."""
    make.project()
    writers, leaders = [_process(_WRITER) for _ in range(2)], [_process(_FOLDER) for _ in range(2)]
    faults: list[str] = []
    values: set[float | None] = set()
    try:
        before = _scrape()
        while any(writer.poll() is None for writer in writers):
            after = _scrape()
            faults += backwards(before, after) + unbalanced(after)
            values.add(figure(after, "mimir_jobs_submitted_total", type="pipeline_execution"))
            before = after
            time.sleep(0.01)
        assert [writer.returncode for writer in writers] == [0, 0]
        assert all(leader.poll() is None for leader in leaders), "a leader that died folds nothing"
    finally:
        for process in (*writers, *leaders):
            process.kill()
            process.wait()
    deltas_fold()
    found = _scrape()
    assert faults + disagreements(found, connection) + unbalanced(found) == []
    assert (
        figure(
            found,
            "mimir_jobs_finished_total",
            type="pipeline_execution",
            status="cancelled",
            reason="cancelled",
        )
        == 40
    )
    assert len(values) > 1, "no scrape happened during the writes"


def test_the_migration_counts_what_happened_before_it() -> None:
    from importlib import import_module

    _some_of_everything()
    MetricDelta.objects.all().delete()
    MetricTotal.objects.all().delete()
    with connection.schema_editor() as editor:
        import_module("jobs.migrations.0006_metrics").fill(None, editor)
    found = _scrape()
    assert (disagreements(found, connection), unbalanced(found)) == ([], [])
    again = dict(MetricTotal.objects.values_list("metric", "amount").filter(metric=Metric.LAUNCH))
    assert again[Metric.LAUNCH] > 0
