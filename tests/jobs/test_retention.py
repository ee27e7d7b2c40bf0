"""Retention deletes expired jobs and keeps all data that is still in use."""

import dataclasses
import datetime as dt
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.clusters.rows import cluster_unreachable
from jobs.contract import FinishStatus
from jobs.lifecycle import retention
from jobs.lifecycle.retention import Retention
from jobs.models import Artifact, Attempt, Cluster, Job, JobEvent, JobOutput
from mimir.lib.clock import utc_now
from projects.storage import artifacts
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = 30


@pytest.fixture(autouse=True)
def _retention(settings: Any) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, retention_jobs_days=DAYS)


def _ended(days: float = DAYS + 1, *, cleaned: bool = True) -> Attempt:
    """Create an attempt of a job that ended `days` ago, with a sealed log."""
    attempt = make.claimed()
    make.log(attempt, b"hello")
    make.finish(attempt, FinishStatus.SUCCEEDED)
    make.launcher().end(attempt.name)
    make.settle()
    then = utc_now() - dt.timedelta(days=days)
    Job.objects.filter(id=attempt.job_id).update(finished_at=then)
    Attempt.objects.filter(id=attempt.id).update(
        gone_at=then, cleaned_up_at=then if cleaned else None
    )
    attempt.refresh_from_db()
    assert attempt.log_object
    return attempt


def _left(attempt: Attempt) -> bool:
    Retention().apply()
    return Job.objects.filter(id=attempt.job_id).exists()


def test_an_old_job_goes_with_its_log_and_its_artifacts() -> None:
    old, young = _ended(), _ended(days=DAYS - 1)
    key = artifacts.backend().save("artifacts/x", ContentFile(b"x"))
    Artifact.objects.create(
        attempt=old,
        name="x",
        size_bytes=1,
        sha256="0" * 64,
        media_type="text/plain",
        storage_key=key,
    )
    files = [key, str(old.log_object), str(young.log_object)]
    assert [artifacts.backend().exists(each) for each in files] == [True, True, True]
    assert not _left(old)
    assert _left(young)
    assert [artifacts.backend().exists(each) for each in files] == [False, False, True]


def test_the_source_of_a_version_is_kept() -> None:
    attempt = _ended()
    JobOutput.objects.create(
        job=attempt.job, dataset_version=make.dataset_version(attempt.job.project)
    )
    assert _left(attempt)


def test_a_job_whose_worker_is_still_there_is_kept() -> None:
    attempt = _ended(cleaned=False)
    assert _left(attempt)


def test_a_worker_lost_with_its_cluster_does_not_block_retention() -> None:
    attempt = _ended(cleaned=False)
    cluster_unreachable(cluster=Cluster.objects.get(), message="no route")
    assert _left(attempt), "it may come back any time"
    Cluster.objects.update(unreachable_since=utc_now() - dt.timedelta(days=DAYS + 2))
    assert not _left(attempt)


def test_events_go_before_their_job(settings: Any) -> None:
    settings.ENV = dataclasses.replace(
        settings.ENV, retention_jobs_days=0, retention_events_days=DAYS
    )
    attempt = _ended()
    assert _left(attempt)
    assert not JobEvent.objects.filter(job_id=attempt.job_id).exists()


def test_one_protected_job_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is protected by an unknown table. With batches of one, it has its own batch."""
    monkeypatch.setattr(retention, "BATCH", 1)
    protected, other = _ended(DAYS + 9), _ended(DAYS + 2)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE test_keeper (job_id uuid REFERENCES jobs_job (id))")
        cursor.execute("INSERT INTO test_keeper VALUES (%s)", [protected.job_id])
    try:
        assert Retention().apply() == 1
        assert not Job.objects.filter(id=other.job_id).exists()
        assert artifacts.backend().exists(str(protected.log_object)), (
            "a row that stays keeps its files"
        )
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE test_keeper")
    assert not _left(protected)


def test_a_pass_ends_in_time_and_the_next_one_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    monkeypatch.setattr(retention, "PASS_SECONDS", 0.0)
    kept, *others = (_ended(DAYS + days) for days in (9, 5, 2))
    JobOutput.objects.create(job=kept.job, dataset_version=make.dataset_version(kept.job.project))
    passes = Retention()
    assert [passes.apply() for _ in range(4)] == [0, 1, 1, 0]
    assert list(Job.objects.values_list("id", flat=True)) == [kept.job_id]
    assert others


def test_jobs_that_are_kept_are_read_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, passes = _ended(), Retention()
    output = JobOutput.objects.create(
        job=attempt.job, dataset_version=make.dataset_version(attempt.job.project)
    )
    assert passes.apply() == 0
    output.delete()
    with CaptureQueriesContext(connection) as queries:
        assert passes.apply() == 0
    assert len(queries) == 1, "it reads what has ended since then"
    monkeypatch.setattr(retention, "AGAIN_SECONDS", 0.0)
    passes = Retention()
    assert passes.apply() == 1


def test_jobs_of_the_same_moment_are_all_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    attempts = [_ended() for _ in range(5)]
    Job.objects.update(finished_at=utc_now() - dt.timedelta(days=DAYS + 1))
    assert Retention().apply() == len(attempts)
