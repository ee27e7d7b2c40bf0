"""Forecast for a job before its submission: it starts now, later, elsewhere or never."""

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError

from jobs.admission.admit import admit_once
from jobs.admission.limits import limit_set
from jobs.admission.waiting import job_waiting
from jobs.clusters.rows import cluster_ensure
from jobs.contract import JobStatus, Priority, WaitRule
from jobs.lifecycle.submit import job_check
from jobs.liveness.beats import beat_record
from jobs.models import Attempt, Cluster, Job, JobEvent, Limit, LoopBeat
from jobs.queries import job_start as module
from jobs.queries.job_start import job_start
from jobs.queries.shapes import StartBody
from mimir.lib.clock import utc_now
from projects.models import Project
from tests.support import make
from tests.support.costs import counted
from tests.support.queued import jobs_queued

pytestmark = pytest.mark.django_db(transaction=True)

GIB = 2**30


@pytest.fixture(autouse=True)
def project() -> Project:
    cluster_ensure()
    Cluster.objects.update(
        capacity_jobs=8, capacity_cpu_millicores=0, capacity_memory_bytes=16 * GIB
    )
    beat_record(component="dispatcher")
    return make.project()


def _start(**fields: Any) -> StartBody:
    project = Project.objects.get(slug="demo")
    asked = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}, **fields}
    return job_start(project=project, checked=job_check(project=project, **asked))


def _running(seconds_ago: float, **fields: Any) -> Attempt:
    job = make.job(priority=Priority.CRITICAL, **fields)
    admit_once()
    attempt = Attempt.objects.get(job=job)
    began = utc_now() - dt.timedelta(seconds=seconds_ago)
    Attempt.objects.filter(id=attempt.id).update(created_at=began)
    return attempt


def _a_job_that_took(seconds: float) -> None:
    now = utc_now()
    job = make.job(priority=Priority.CRITICAL)
    Job.objects.filter(id=job.id).update(
        status=JobStatus.SUCCEEDED,
        started_at=now - dt.timedelta(seconds=seconds),
        finished_at=now,
    )


def test_a_job_would_start_now_on_the_cluster_that_admission_then_chooses() -> None:
    Cluster.objects.create(
        name="eu-1",
        launcher="memory",
        capacity_jobs=9,
        capacity_cpu_millicores=0,
        capacity_memory_bytes=0,
    )
    start = _start()
    assert (start["starts_now"], start["blocked_by"], start["estimate_seconds"]) == (
        True,
        WaitRule.READY,
        0.0,
    )
    assert (start["detail"], start["cluster"]) == ("Would start now on eu-1.", "eu-1")
    assert start["alternatives"] == []
    assert all(rule["passes"] for rule in start["rules"])
    assert not Job.objects.exists()
    assert not JobEvent.objects.exists()
    job = make.job()
    admit_once()
    assert Attempt.objects.get(job=job).cluster_id == "eu-1"


def test_a_job_would_wait_with_the_place_reason_and_estimate_that_it_then_has() -> None:
    _a_job_that_took(60)
    _running(20, resources={"memory": "12Gi"})
    make.job(resources={"memory": "8Gi"})
    start = _start(resources={"memory": "8Gi"})
    assert (start["starts_now"], start["position"], start["blocked_by"]) == (
        False,
        2,
        WaitRule.CAPACITY,
    )
    assert start["detail"] == (
        "2nd in the queue. Requests 8 GiB of memory, 4 GiB is free. Starts when jobs end."
    )
    assert start["estimate_seconds"] == pytest.approx(40, abs=5)
    assert start["cluster"] == "local"
    job = make.job(resources={"memory": "8Gi"})
    waiting = job_waiting([job])[job.id]
    assert waiting["estimate_seconds"] == pytest.approx(start["estimate_seconds"], abs=3)
    for name in ("position", "blocked_by", "detail", "rules"):
        assert waiting[name] == start[name]  # type: ignore[literal-required]


def test_a_smaller_job_that_would_start_sooner_is_an_alternative() -> None:
    _a_job_that_took(600)
    _running(0, resources={"memory": "12Gi"})
    start = _start(resources={"memory": "8Gi", "cpu": "2"})
    assert start["alternatives"] == [
        {
            "request": {"resources": {"memory": "4Gi"}},
            "detail": "With 4 GiB of memory it would start now on local.",
            "cluster": "local",
            "estimate_seconds": 0.0,
        }
    ]
    changed = _start(resources={"memory": "4Gi", "cpu": "2"})
    assert changed["starts_now"]


def test_a_quarter_is_an_alternative_only_if_it_starts_sooner_than_half() -> None:
    _a_job_that_took(600)
    _running(500, resources={"memory": "6Gi"})
    large = _running(0, resources={"memory": "10Gi"})
    start = _start(resources={"memory": "12Gi"})
    assert [each["detail"] for each in start["alternatives"]] == [
        "With 6 GiB of memory it would start in about 2 min."
    ]
    Attempt.objects.filter(id=large.id).update(memory_bytes=8 * GIB)
    start = _start(resources={"memory": "12Gi"})
    assert [each["request"] for each in start["alternatives"]] == [
        {"resources": {"memory": "6Gi"}},
        {"resources": {"memory": "3Gi"}},
    ]


def test_another_place_and_a_higher_priority_are_alternatives() -> None:
    _a_job_that_took(600)
    Cluster.objects.update(capacity_jobs=1)
    Cluster.objects.create(
        name="eu-1",
        region="eu",
        launcher="memory",
        capacity_jobs=1,
        capacity_cpu_millicores=0,
        capacity_memory_bytes=0,
    )
    _running(500, cluster="local")
    make.job(cluster="local")
    start = _start(cluster="local")
    assert {each["detail"] for each in start["alternatives"]} == {
        "On any cluster it would start now on eu-1.",
        "With high priority it would start in about 2 min.",
    }
    assert [each["request"] for each in start["alternatives"]] == [
        {"cluster": None, "region": None},
        {"priority": "high"},
    ]


def test_a_job_without_a_gpu_is_an_alternative_to_one_that_no_cluster_can_hold() -> None:
    start = _start(resources={"gpu": 1})
    assert (start["blocked_by"], start["estimate_seconds"]) == (WaitRule.NEVER_FITS, None)
    assert start["detail"] == "Cannot start: requests 1 GPU, the largest cluster has none."
    assert [each["detail"] for each in start["alternatives"]] == [
        "Without a GPU it would start now on local."
    ]
    start = _start(resources={"memory": "24Gi"})
    assert start["detail"] == (
        "Cannot start: requests 24 GiB of memory, the largest cluster has 16 GiB."
    )
    assert [each["request"] for each in start["alternatives"]] == [
        {"resources": {"memory": "16Gi"}}
    ]


def test_a_job_that_exceeds_every_cluster_in_several_amounts_gets_one_change_that_fits() -> None:
    start = _start(resources={"memory": "4Ti", "gpu": 8})
    assert start["blocked_by"] == WaitRule.NEVER_FITS
    [alternative] = start["alternatives"]
    assert alternative["request"] == {"resources": {"memory": "16Gi", "gpu": 0}}
    assert alternative["detail"] == (
        "With 16 GiB of memory, without a GPU it would start now on local."
    )
    fitting = _start(**alternative["request"])  # type: ignore[arg-type]
    assert fitting["starts_now"]


def test_the_amounts_of_the_cluster_with_the_fewest_changes_are_offered() -> None:
    Cluster.objects.create(
        name="gpus",
        launcher="memory",
        capacity_jobs=2,
        capacity_cpu_millicores=0,
        capacity_memory_bytes=8 * GIB,
        capacity_gpus=4,
    )
    start = _start(resources={"gpu": 8})
    assert start["detail"] == "Cannot start: requests 8 GPUs, the largest cluster has 4."
    assert [(each["request"], each["cluster"]) for each in start["alternatives"]] == [
        ({"resources": {"gpu": 4}}, "gpus")
    ]


def test_a_change_that_fits_is_offered_even_if_its_start_is_unknown() -> None:
    Cluster.objects.update(capacity_jobs=1)
    _running(20)
    start = _start(resources={"gpu": 8})
    assert start["alternatives"] == [
        {
            "request": {"resources": {"gpu": 0}},
            "detail": "Without a GPU a cluster can hold it. Its start is not known.",
            "cluster": None,
            "estimate_seconds": None,
        }
    ]
    waits = _start()
    assert (waits["blocked_by"], waits["alternatives"]) == (WaitRule.CAPACITY, [])
    LoopBeat.objects.all().delete()
    assert len(_start(resources={"gpu": 8})["alternatives"]) == 1


def test_too_much_cpu_is_named_with_the_largest_cluster() -> None:
    Cluster.objects.update(capacity_cpu_millicores=8000)
    start = _start(resources={"cpu": "64"})
    assert start["detail"] == "Cannot start: requests 64 CPU, the largest cluster has 8."
    assert [each["request"] for each in start["alternatives"]] == [{"resources": {"cpu": "8"}}]


def test_a_maximum_that_no_cluster_can_hold_is_named() -> None:
    def limit(memory_max: str, **resources: str) -> str | None:
        return _start(resources={"memory_max": memory_max, **resources})["retry_memory_limit"]

    assert limit("64Gi") == "16Gi"
    assert limit("16Gi") is None
    assert _start()["retry_memory_limit"] is None
    assert limit("96Gi", memory="64Gi") is None, "the job itself cannot start"
    Cluster.objects.update(capacity_memory_bytes=0)
    assert limit("64Gi") is None, "the memory of the cluster is not limited"


def test_pauses_and_a_dispatcher_that_is_down_promise_no_start() -> None:
    limit_set(scope=Limit.Scope.GLOBAL, key="", actor="test", max_jobs=None, paused=True)
    start = _start()
    assert (start["blocked_by"], start["estimate_seconds"], start["alternatives"]) == (
        WaitRule.PAUSED,
        None,
        [],
    )
    limit_set(scope=Limit.Scope.GLOBAL, key="", actor="test", max_jobs=None, paused=False)
    beat_record(component="dispatcher")
    assert _start()["starts_now"]
    LoopBeat.objects.all().delete()
    start = _start()
    assert (start["starts_now"], start["blocked_by"], start["cluster"]) == (
        False,
        WaitRule.DISPATCHER_AWAY,
        None,
    )
    assert start["estimate_seconds"] is None


def test_a_long_queue_explains_as_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _a_job_that_took(60)
    Cluster.objects.update(capacity_jobs=2)
    _running(20)
    _running(30)
    sample = make.job()
    now = utc_now()
    jobs_queued(
        sample,
        [
            {"priority": priority, "queued_at": now - dt.timedelta(seconds=number)}
            for number in range(15)
            for priority in ("low", "normal", "high")
        ],
    )
    for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.CRITICAL):
        monkeypatch.undo()
        short = _start(priority=priority)
        monkeypatch.setattr("jobs.admission.queue_state.SHORT_QUEUE", 10)
        monkeypatch.setattr("jobs.admission.queue_state._long", None)
        long = _start(priority=priority)
        assert long["estimate_seconds"] == pytest.approx(short["estimate_seconds"], abs=3)
        for name in ("position", "blocked_by", "detail", "rules", "cluster"):
            assert long[name] == short[name]  # type: ignore[literal-required]
        assert [each["request"] for each in long["alternatives"]] == [
            each["request"] for each in short["alternatives"]
        ]


def test_an_explanation_reads_with_a_bounded_number_of_statements() -> None:
    _a_job_that_took(60)
    Cluster.objects.update(capacity_jobs=1)
    _running(20)

    def statements() -> int:
        with counted() as cost:
            _start(resources={"memory": "8Gi", "cpu": "2"})
        return cost.statements

    before = statements()
    for _ in range(5):
        make.job()
    assert statements() == before <= 12


def test_an_explanation_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_arguments: object) -> None:
        Job.objects.update(name="changed")
        raise AssertionError("it has written")

    make.job()
    monkeypatch.setattr(module, "start_explain", write)
    with pytest.raises(DatabaseError, match="read-only transaction"):
        _start()
    make.job()
