"""Full artifact storage under a running job: the job reports it, recovers and is not blamed."""

import datetime as dt
import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage
from django.test import Client

from jobs.contract import EventKind, FailureReason, FinishStatus, JobStatus
from jobs.core.tokens import session_token
from jobs.models import Attempt, Job, JobEvent
from mimir.lib import disks
from mimir.lib.errors import StorageAway
from projects.storage import artifacts
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)

DATA = b"PAR1"
DISKS = [
    (
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        507,
        "Waiting: the artifact storage is full.",
    ),
    (
        OSError(errno.EROFS, os.strerror(errno.EROFS)),
        503,
        "Waiting: the artifact storage is read-only.",
    ),
    (
        StorageAway("the bucket does not answer"),
        503,
        "Waiting: the artifact storage does not answer.",
    ),
]


@pytest.fixture
def attempt(settings: Any, tmp_path: Path) -> Attempt:
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {
            **settings.STORAGES["artifacts"],
            "OPTIONS": {"location": str(tmp_path / "objects")},
        },
    }
    return make.claimed(max_attempts=1, timeout_seconds=60)


def _put(attempt: Attempt) -> Any:
    assert attempt.claim_id is not None
    token = session_token(attempt.id, attempt.claim_id)
    headers = {
        "Authorization": f"Bearer {token}",
        "X-Content-SHA256": hashlib.sha256(DATA).hexdigest(),
    }
    client = Client(raise_request_exception=False, headers=headers)
    return client.put(
        f"/worker/v1/attempts/{attempt.id}/artifacts/out.parquet",
        DATA,
        content_type="application/octet-stream",
    )


def _job(attempt: Attempt) -> Job:
    return Job.objects.get(id=attempt.job_id)


def _events(attempt: Attempt, kind: EventKind) -> list[dict[str, Any]]:
    return list(
        JobEvent.objects.filter(job_id=attempt.job_id, kind=kind).values_list("data", flat=True)
    )


def _raising(error: Exception) -> Any:
    def raises(*_arguments: Any, **_options: Any) -> None:
        raise error

    return raises


@pytest.mark.parametrize(("error", "status", "text"), DISKS)
def test_it_reports_the_reason_while_it_waits(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, text: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(FileSystemStorage, "_save", _raising(error))
        assert [_put(attempt).status_code for _ in range(3)] == [status] * 3
    job = _job(attempt)
    assert job.diagnosis is not None
    assert (job.status, job.message, job.diagnosis["summary"]) == (JobStatus.RUNNING, text, text)
    assert "administrator" in job.diagnosis["detail"]
    assert [event["summary"] for event in _events(attempt, EventKind.WAITS)] == [text], (
        "told once, however often the worker tries"
    )
    assert _put(attempt).status_code == 201
    job = _job(attempt)
    assert (job.status, job.message, job.diagnosis) == (JobStatus.RUNNING, "", None)
    assert len(_events(attempt, EventKind.NOTICE)) == 1
    make.finish(attempt)
    assert _job(attempt).attempts_used == 1


def test_a_file_that_does_not_fit_is_refused_before_it_fills_the_disk(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not Path(str(artifacts.folder())).exists(), (
        "the first file of an installation is checked too"
    )
    with monkeypatch.context() as patched:
        patched.setattr(disks, "_FREE_BYTES_MIN", 10**18)
        patched.setattr(FileSystemStorage, "_save", _raising(AssertionError("it was written")))
        assert _put(attempt).status_code == 507
    assert _job(attempt).message == DISKS[0][2]
    assert _put(attempt).status_code == 201


def test_an_unreadable_input_is_reported_too(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attempt.claim_id is not None
    client = Client(
        raise_request_exception=False,
        headers={"Authorization": f"Bearer {session_token(attempt.id, attempt.claim_id)}"},
    )
    monkeypatch.setattr(
        "jobs.api.worker.input_content", _raising(StorageAway("the bucket does not answer"))
    )
    assert client.get(f"/worker/v1/attempts/{attempt.id}/inputs/x").status_code == 503
    assert _job(attempt).message == DISKS[2][2]


@pytest.mark.parametrize("ended_by", ["worker", "orchestrator"])
def test_a_time_limit_that_passes_meanwhile_names_the_disk_and_does_not_count(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, settings: Any, ended_by: str
) -> None:
    monkeypatch.setattr(FileSystemStorage, "_save", _raising(DISKS[0][0]))
    assert _put(attempt).status_code == 507
    if ended_by == "worker":
        make.finish(
            attempt,
            FinishStatus.FAILED,
            reason=FailureReason.DEADLINE_EXCEEDED,
            message="Stopped at its time limit of 60 s.",
        )
    else:
        Attempt.objects.filter(id=attempt.id).update(
            claimed_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
        )
        make.reconcile()
    job = _job(attempt)
    assert job.diagnosis is not None
    assert (job.status, job.attempt, job.attempts_used, job.infrastructure_failures) == (
        JobStatus.QUEUED,
        2,
        0,
        1,
    )
    assert job.reason == job.diagnosis["category"] == FailureReason.STORAGE_UNAVAILABLE
    assert job.message.startswith(
        "Its time limit of 1 min passed while it waited for the artifact storage since "
    )
    assert job.message.endswith("the artifact storage is full.")


def test_without_attempts_left_the_failure_names_the_disk(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileSystemStorage, "_save", _raising(DISKS[0][0]))
    assert _put(attempt).status_code == 507
    Job.objects.filter(id=attempt.job_id).update(infrastructure_failures=1000)
    assert (
        make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.DEADLINE_EXCEEDED)
        == JobStatus.FAILED
    )
    job = _job(attempt)
    assert (job.attempts_used, "the artifact storage is full" in job.message) == (0, True)


def test_a_time_limit_after_the_storage_recovered_is_the_fault_of_the_job(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(FileSystemStorage, "_save", _raising(DISKS[0][0]))
        assert _put(attempt).status_code == 507
    assert _put(attempt).status_code == 201
    make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.DEADLINE_EXCEEDED)
    assert (_job(attempt).reason, _job(attempt).attempts_used) == (
        FailureReason.DEADLINE_EXCEEDED,
        1,
    )
