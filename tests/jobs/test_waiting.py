"""Queue position, reason and estimated start of a waiting job."""

import datetime as dt
from typing import Any

import pytest
from django.db.models import F

from jobs.admission.admit import admit_once
from jobs.admission.waiting import job_waiting
from jobs.clusters.rows import cluster_ensure
from jobs.contract import JobStatus, WaitRule
from jobs.lifecycle.submit import job_submit
from jobs.liveness.beats import beat_record
from jobs.models import Attempt, Cluster, Job
from mimir.lib.clock import utc_now
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _one_slot() -> None:
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=1)
    beat_record(component="dispatcher")
    make.project()


def _running_and_waiting() -> tuple[Job, Job]:
    first, second = make.job(), make.job()
    admit_once()
    return first, second


def _a_job_that_took(seconds: float) -> None:
    now = utc_now()
    fields = {
        "status": JobStatus.SUCCEEDED,
        "started_at": now - dt.timedelta(seconds=seconds),
        "finished_at": now,
    }
    Job.objects.filter(id=make.job().id).update(**fields)


def test_a_job_that_waits_for_its_next_try_takes_no_place_in_the_line() -> None:
    _first, later = make.job(), make.job()
    waits = make.job()
    Job.objects.filter(id=waits.id).update(
        not_before=utc_now() + dt.timedelta(hours=1),
        queued_at=F("queued_at") - dt.timedelta(hours=1),
    )
    admit_once()
    shown = job_waiting(list(Job.objects.filter(status=JobStatus.QUEUED)))
    assert (shown[later.id]["position"], shown[later.id]["blocked_by"]) == (1, WaitRule.CAPACITY)
    assert shown[waits.id]["blocked_by"] == WaitRule.BACK_OFF


def test_an_estimate_is_what_is_left_of_the_usual_time_since_the_admission() -> None:
    _a_job_that_took(60)
    first, second = _running_and_waiting()
    Attempt.objects.filter(job=first).update(created_at=utc_now() - dt.timedelta(seconds=20))
    assert job_waiting([second])[second.id]["estimate_seconds"] == pytest.approx(40, abs=5)


def test_a_job_that_takes_longer_than_usual_promises_nothing_also_while_it_starts() -> None:
    _a_job_that_took(60)
    first, second = _running_and_waiting()
    Attempt.objects.filter(job=first).update(created_at=utc_now() - dt.timedelta(seconds=90))
    assert job_waiting([second])[second.id]["estimate_seconds"] is None


def _said(job: Job) -> tuple[str, str]:
    shown = job_waiting([Job.objects.get(id=job.id)])[job.id]
    return shown["blocked_by"], shown["detail"]


def test_a_job_pinned_to_a_cluster_waits_for_that_one() -> None:
    """The reason names a disabled, unreachable, full or deleted cluster, whatever the others do."""
    Cluster.objects.create(
        name="eu-1",
        region="eu",
        launcher="memory",
        capacity_jobs=1,
        capacity_cpu_millicores=0,
        capacity_memory_bytes=0,
    )
    asking = make.job(cluster="eu-1")
    eu = Cluster.objects.filter(name="eu-1")
    eu.update(enabled=False)
    assert _said(asking) == (
        "cluster_disabled",
        "Cluster eu-1 is disabled. Starts when an administrator enables it. It keeps its queue "
        "position.",
    )
    at = utc_now().replace(hour=0, minute=0, second=1)
    eu.update(
        enabled=True,
        unreachable_since=at,
        away_web_seconds=0.0,
        unreachable_message="https://10.0.0.1:6443 refused the connection",
    )
    rule, detail = _said(asking)
    assert (rule, detail.partition(". ")[0]) == (
        "cluster_unreachable",
        "Cluster eu-1 has not answered since 00:00:01 UTC",
    )
    assert "10.0.0.1" not in detail, "where clusters are is for administrators"
    eu.update(unreachable_since=None)
    first = make.job(cluster="eu-1", priority="critical")
    admit_once()
    assert Attempt.objects.get(job=first).cluster_id == "eu-1"
    assert _said(asking) == (
        "capacity",
        "1st in the queue. The only worker slot on eu-1 is in use. Starts when a job ends.",
    )
    Attempt.objects.all().delete()
    eu.delete()
    rule, detail = _said(asking)
    assert rule == "cluster_unknown"
    assert "Requests cluster eu-1, which no longer exists" in detail
    assert admit_once() == []


def test_a_job_that_fits_nowhere_it_may_run_fails_with_the_way_out() -> None:
    capacity = {"capacity_jobs": 1, "capacity_cpu_millicores": 100, "capacity_memory_bytes": 0}
    Cluster.objects.create(name="eu-1", region="eu", launcher="memory", **capacity)
    places: list[tuple[dict[str, Any], str]] = [
        ({"cluster": "eu-1"}, "more than the cluster eu-1 has."),
        ({"region": "eu"}, "more than any cluster in the region eu has."),
    ]
    for placement, expected in places:
        job = make.job(**placement)
        admit_once()
        job.refresh_from_db()
        assert (job.status, expected in job.message) == ("failed", True), job.message
        assert job.diagnosis is not None
        assert job.diagnosis["next_steps"][-1] == {
            "label": "Run on any cluster",
            "patch": {"cluster": None, "region": None},
            "actor": "user",
        }
        assert job_submit(
            project=job.project,
            user=job.created_by,
            type=job.type,
            parameters=job.parameters,
            cluster=None,
            region=None,
        ).created


def test_a_job_avoids_clusters_whose_launches_fail_and_the_one_that_lost_its_worker() -> None:
    Cluster.objects.create(
        name="eu-1",
        launcher="memory",
        capacity_jobs=9,
        capacity_cpu_millicores=0,
        capacity_memory_bytes=0,
    )
    Cluster.objects.filter(name="local").update(capacity_jobs=3)
    first = make.job()
    admit_once()
    assert Attempt.objects.get(job=first).cluster_id == "eu-1"
    Attempt.objects.update(launch_failures=2)
    second = make.job()
    admit_once()
    assert Attempt.objects.get(job=second).cluster_id == "local"
    Attempt.objects.filter(job=first).update(
        reason="launch_failed", ended_at=utc_now(), gone_at=utc_now(), launch_failures=0
    )
    Job.objects.filter(id=first.id).update(status=JobStatus.QUEUED, attempt=2)
    admit_once()
    assert [row.cluster_id for row in Attempt.objects.filter(job=first)] == ["eu-1", "local"]
