"""Submission: complete validation, one row, and a response without Redis."""

import json
from typing import Any

import pytest
from django.db import connection, transaction
from redis.exceptions import ConnectionError as RedisAway

from jobs.clusters.rows import cluster_ensure
from jobs.core import queue
from jobs.core.resources import Amounts, profiles_with
from jobs.lifecycle.cancel import job_cancel
from jobs.lifecycle.retry import job_retry
from jobs.lifecycle.submit import job_submit
from jobs.models import Cluster, Job, JobEvent
from jobs.types.registry import builtin_profiles
from mimir.lib.errors import Conflict, Invalid, TooMany
from projects.pipelines.write import pipeline_save
from projects.project.write import project_update
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_submitted_job_is_queued_with_its_first_event() -> None:
    job = make.job(name="Nightly", labels={"team": "a"})
    assert (job.status, job.attempt, job.event_seq) == ("queued", 1, 1)
    event = JobEvent.objects.get(job=job)
    assert (event.seq, event.kind, event.actor) == (1, "job.submitted", "user:ada")


def test_the_dispatcher_is_woken_after_the_commit_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message before the commit would wake a dispatcher that does not see the row."""
    in_transaction: list[bool] = []
    monkeypatch.setattr(
        queue, "wake", lambda priority: in_transaction.append(connection.in_atomic_block)
    )
    make.project()
    with transaction.atomic():
        make.job()
        inside = list(in_transaction)
    assert (inside, in_transaction) == ([], [False])


def test_a_wake_that_fails_does_not_fail_the_submit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def __getattr__(self, name: str) -> object:
            raise RedisAway("away")

    make.project()
    monkeypatch.setattr(queue, "connection", Away)
    before = queue.failures
    try:
        job = make.job()
    except Exception as error:
        job = error  # type: ignore[assignment]
    assert isinstance(job, Job)
    assert queue.failures == before + 1


def test_the_same_key_and_body_give_the_same_job() -> None:
    project = make.project()
    submitted: dict[str, Any] = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
    first = job_submit(project=project, user=project.created_by, idempotency_key="k", **submitted)
    second = job_submit(project=project, user=project.created_by, idempotency_key="k", **submitted)
    assert (first.created, second.created, second.job) == (True, False, first.job)
    assert Job.objects.count() == 1


def test_no_place_is_the_same_body_as_an_empty_one_and_a_place_is_another() -> None:
    """A client that retries after an update sends a body that an older release digested."""
    project, cluster = make.project(), cluster_ensure()
    submitted: dict[str, Any] = {
        "project": project,
        "user": project.created_by,
        "type": "pipeline_execution",
        "parameters": {"pipeline": "echo"},
    }
    first = job_submit(idempotency_key="k", **submitted).job
    assert job_submit(idempotency_key="k", cluster=None, region="", **submitted).job == first
    with pytest.raises(Conflict):
        job_submit(idempotency_key="k", cluster=cluster.name, **submitted)


def test_a_place_that_is_not_there_is_refused_with_those_that_are() -> None:
    project = make.project()
    Cluster.objects.bulk_create(
        Cluster(
            name=name,
            region=name[:2],
            enabled=name != "eu-2",
            capacity_jobs=1,
            capacity_cpu_millicores=0,
            capacity_memory_bytes=0,
        )
        for name in ("eu-1", "eu-2", "us-1")
    )
    refused = {
        ("moon", None): (
            "cluster",
            "no cluster has that name: use eu-1, eu-2, us-1, or leave it empty",
        ),
        (None, "moon"): ("region", "no cluster is in that region: use eu, us, or leave it empty"),
        ("eu-1", "us"): ("region", "the cluster eu-1 is in eu"),
    }
    for (cluster, region), (field, message) in refused.items():
        with pytest.raises(Invalid) as error:
            make.job(project, cluster=cluster, region=region)
        assert error.value.detail == {field: message}
    for cluster, region in (("eu-1", "eu"), (None, "us"), ("eu-2", None)):
        created = make.job(project, cluster=cluster, region=region)
        assert (created.cluster, created.region) == (cluster or "", region or "")


def test_a_job_run_again_asks_for_the_same_place() -> None:
    project, cluster = make.project(), cluster_ensure()
    job = make.job(project, cluster=cluster.name)
    job_cancel(job_id=job.id, actor="user:ada")
    assert (
        job_retry(job=Job.objects.get(id=job.id), user=project.created_by).job.cluster
        == cluster.name
    )


def test_the_same_key_with_another_body_is_refused() -> None:
    project = make.project()
    submitted: dict[str, Any] = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
    job_submit(project=project, user=project.created_by, idempotency_key="k", **submitted)
    with pytest.raises(Conflict) as caught:
        job_submit(
            project=project, user=project.created_by, idempotency_key="k", **submitted, name="other"
        )
    assert caught.value.code == "idempotency_conflict"


def test_every_wrong_field_is_named() -> None:
    project = make.project()
    with pytest.raises(Invalid) as caught:
        job_submit(
            project=project,
            user=None,
            type="pipeline_execution",
            parameters={"pipeline": 3, "extra": 1},
            resources={"cpu": "lots", "memory": "4Gi"},
            timeout_seconds=0,
            max_attempts=99,
        )
    assert set(caught.value.detail) == {
        "parameters.pipeline",
        "parameters.extra",
        "resources.cpu",
        "timeout_seconds",
        "max_attempts",
    }
    assert Job.objects.count() == 0


def test_a_missing_pipeline_is_reported_at_its_field() -> None:
    with pytest.raises(Invalid) as caught:
        make.job(parameters={"pipeline": "nope"})
    assert caught.value.detail == {"parameters.pipeline": "there is no pipeline nope here"}


def test_a_missing_dataset_is_reported_with_its_step() -> None:
    project = make.project()
    definition = {"steps": [{"id": "t", "uses": "read", "with": {"dataset": "nope"}}]}
    pipeline_save(project=project, name="reads", definition=definition, user=project.created_by)
    with pytest.raises(Invalid) as caught:
        make.job(parameters={"pipeline": "reads"})
    assert "step t reads dataset nope" in caught.value.detail["parameters.pipeline"]


def test_the_pipelines_version_is_fixed_at_submit() -> None:
    project = make.project()
    job = make.job()
    changed = {"steps": [{**make.ECHO["steps"][0], "needs": []}]}
    pipeline_save(project=project, name="echo", definition=changed, user=project.created_by)
    job.refresh_from_db()
    assert [(item["kind"], item["version"]) for item in job.inputs] == [("pipeline", 1)]
    assert [item["version"] for item in make.job().inputs] == [2]


def test_an_archived_project_takes_no_job() -> None:
    project = make.project()
    project_update(project=project, status="archived")
    project.refresh_from_db()
    with pytest.raises(Conflict):
        make.job(project)


def test_a_project_may_have_so_many_waiting_jobs_and_no_more(settings: object) -> None:
    from dataclasses import replace

    settings.ENV = replace(settings.ENV, queued_jobs_per_project=2)  # type: ignore[attr-defined]
    make.project()
    make.job()
    make.job()
    with pytest.raises(TooMany) as caught:
        make.job()
    assert caught.value.retry_after_seconds


def test_a_request_is_the_lesser_of_the_limit_and_the_profile() -> None:
    job = make.job(resources={"cpu": "500m", "memory": "8Gi"})
    assert (
        json.dumps(job.resources["limits"], sort_keys=True)
        == '{"cpu_millicores": 500, "gpus": 0, "memory_bytes": 8589934592}'
    )
    assert job.resources["requests"] == {
        "cpu_millicores": 500,
        "memory_bytes": 8 * 2**30,
        "gpus": 0,
    }, "more than usual is held whole"
    usual = make.job(resources={"cpu": "2", "memory": "4Gi"})
    assert usual.resources["requests"] == {
        "cpu_millicores": 1000,
        "memory_bytes": 2 * 2**30,
        "gpus": 0,
    }


def test_built_in_profiles_fit_the_machine_of_the_process_launcher() -> None:
    small = Amounts(2000, 3 * 2**30)
    for profile in profiles_with({}, builtin=builtin_profiles(), machine=small).values():
        for amounts in (profile.requests, profile.limits):
            assert amounts.cpu_millicores <= small.cpu_millicores
            assert amounts.memory_bytes <= small.memory_bytes
    submitted = {
        "ml_training": {"requests": {"cpu": "4"}, "limits": {"cpu": "8", "memory": "16Gi"}}
    }
    assert (
        profiles_with(submitted, builtin=builtin_profiles(), machine=small)[
            "ml_training"
        ].requests.cpu_millicores
        == 4000
    ), "what an administrator sets holds"
