"""Finish of an attempt: applied once and completely, with its results in one transaction."""

from dataclasses import replace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from jobs.contract import ArtifactRole, EventKind, FailureReason, FinishStatus, JobStatus
from jobs.lifecycle import finish
from jobs.lifecycle.finish import attempt_finish
from jobs.lifecycle.report import events_record
from jobs.lifecycle.values import WorkerEvent
from jobs.logs.read import log_read
from jobs.models import Artifact, Attempt, Job, JobEvent, JobOutput
from jobs.types.outcome import StepResultBody
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, Gone, MimirError
from projects.models import DatasetVersion
from tests.support import make
from tests.support.typed_dicts import faults

pytestmark = pytest.mark.django_db(transaction=True)


def _with_output() -> tuple[Attempt, dict[str, object]]:
    attempt = make.claimed()
    key = storages["artifacts"].save("artifacts/test", ContentFile(b"PAR1"))
    Artifact.objects.create(
        attempt=attempt,
        name="d.parquet",
        role=ArtifactRole.DATASET,
        size_bytes=4,
        sha256="0" * 64,
        media_type="x",
        storage_key=key,
    )
    output = {
        "dataset": "out",
        "artifact": "d.parquet",
        "format": "parquet",
        "row_count": 1,
        "schema": [{"name": "a", "type": "BIGINT"}],
    }
    return attempt, {"outputs": [output], "steps": []}


def test_success_makes_the_datasets_that_the_result_names() -> None:
    attempt, result = _with_output()
    assert make.finish(attempt, result=result) == JobStatus.SUCCEEDED
    job = Job.objects.get(id=attempt.job_id)
    assert job.result is not None
    assert job.result["datasets"] == [{"name": "out", "version": 1}]
    assert DatasetVersion.objects.get().row_count == 1


def test_the_same_finish_again_is_accepted_and_does_nothing_more() -> None:
    attempt, result = _with_output()
    make.finish(attempt, result=result)
    assert make.finish(attempt, result=result) == JobStatus.SUCCEEDED
    assert DatasetVersion.objects.count() == 1
    assert JobEvent.objects.filter(job_id=attempt.job_id, kind=EventKind.SUCCEEDED).count() == 1


def test_nothing_of_an_outcome_stays_when_its_transaction_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt, result = _with_output()

    def broken(name: str) -> None:
        if name == "finish.before_commit":
            raise ConnectionError("the process died here")

    monkeypatch.setattr(finish, "crash_point", broken)
    with pytest.raises(ConnectionError):
        make.finish(attempt, result=result)
    versions = DatasetVersion.objects.count()
    monkeypatch.undo()
    assert versions == 0, "the outcome was committed without the job's success"
    assert Job.objects.get(id=attempt.job_id).status == JobStatus.RUNNING
    assert make.finish(attempt, result=result) == JobStatus.SUCCEEDED
    assert DatasetVersion.objects.count() == 1


def test_a_refused_outcome_fails_the_job_and_leaves_nothing() -> None:
    attempt, result = _with_output()
    result["outputs"].append({**result["outputs"][0], "artifact": "missing"})  # type: ignore[attr-defined, index]
    assert make.finish(attempt, result=result) == JobStatus.FAILED
    assert DatasetVersion.objects.count() == 0
    assert Job.objects.get(id=attempt.job_id).reason == FailureReason.PROTOCOL


def test_finish_waits_until_the_log_is_whole() -> None:
    attempt = make.claimed()
    make.log(attempt, b"one")
    attempt.refresh_from_db()
    refused = None
    try:
        make.finish(attempt, log_end=attempt.log_end + 10)
    except Conflict as conflict:
        refused = (conflict.code, conflict.detail["end"])
    assert refused == ("log_incomplete", attempt.log_end)
    assert Job.objects.get(id=attempt.job_id).status == JobStatus.RUNNING


def test_a_log_with_another_checksum_is_kept_and_marked() -> None:
    attempt = make.claimed()
    make.log(attempt, b"one")
    assert make.finish(attempt, log_sha256="0" * 64) == JobStatus.SUCCEEDED
    attempt.refresh_from_db()
    assert attempt.log_closed_at is not None
    assert attempt.log_complete is False


def test_a_fenced_attempt_cannot_finish() -> None:
    attempt = make.claimed(max_attempts=2)
    report = make.report(attempt)
    make.launcher().end(attempt.name, reason=FailureReason.WORKER_LOST)
    make.reconcile()
    refused = None
    try:
        finish.attempt_finish(attempt_id=attempt.id, report=report)
    except Gone as gone:
        refused = gone.code
    assert refused == "fenced"
    assert Job.objects.get(id=attempt.job_id).status == JobStatus.QUEUED


def test_a_failure_that_counts_uses_up_an_attempt_and_is_tried_again() -> None:
    attempt = make.claimed(max_attempts=2)
    status = make.finish(
        attempt,
        FinishStatus.FAILED,
        reason=FailureReason.EXIT_CODE,
        message="exit 3",
        detail={"exit_code": 3},
    )
    job = Job.objects.get(id=attempt.job_id)
    assert (status, job.attempt, job.attempts_used) == (JobStatus.QUEUED, 2, 1)
    assert job.not_before is not None


def test_a_failure_that_a_retry_cannot_fix_is_final() -> None:
    attempt = make.claimed(max_attempts=5)
    assert (
        make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.INVALID_INPUT)
        == JobStatus.FAILED
    )


def test_an_outcome_that_cannot_be_read_is_refused_and_nothing_stays() -> None:
    attempt = make.claimed()
    assert make.finish(attempt, result={"outputs": [{"dataset": "d"}]}) == JobStatus.FAILED
    attempt.job.refresh_from_db()
    assert attempt.job.reason == FailureReason.PROTOCOL
    assert not JobOutput.objects.exists()


def test_a_log_that_lacks_some_output_says_so_in_its_last_line() -> None:
    attempt = make.claimed()
    make.log(attempt, b"one")
    make.finish(
        attempt,
        FinishStatus.FAILED,
        reason=FailureReason.DISK_FULL,
        log_missing="The log could not be stored: No space left on device.",
    )
    part = log_read(attempt=attempt)
    assert part.complete is False
    assert b"".join(part.chunks).endswith(
        b"stderr F mimir: The log could not be stored: No space left on device.\n"
    )


def test_a_result_over_its_limit_fails_the_job(settings: Any) -> None:
    settings.ENV = replace(settings.ENV, result_bytes_max=300)
    attempt, result = _with_output()
    steps = [
        {"id": f"step{number}", "uses": "sql", "status": "succeeded", "seconds": 1.0, "rows": 1}
        for number in range(10)
    ]
    assert make.finish(attempt, result={**result, "steps": steps}) == JobStatus.FAILED
    job = Job.objects.get(id=attempt.job_id)
    assert (job.reason, "RESULT_BYTES_MAX" in job.message) == (FailureReason.PROTOCOL, True)
    assert DatasetVersion.objects.count() == 0


def test_the_public_steps_have_only_fields_of_their_types() -> None:
    attempt, result = _with_output()
    steps = [
        {"id": "read", "uses": "sql", "status": "succeeded", "seconds": 1, "rows": None},
        {"id": "odd", "uses": 1, "status": None, "seconds": "1", "rows": True, "more": 1},
        {"id": 7, "uses": "sql"},
        {"id": "a b"},
        "read",
    ]
    assert make.finish(attempt, result={**result, "steps": steps}) == JobStatus.SUCCEEDED
    job = Job.objects.get(id=attempt.job_id)
    assert job.result is not None
    assert job.result["steps"] == [steps[0], {"id": "odd"}]
    assert faults(job.result["steps"], list[StepResultBody]) == []


def _event(n: int, **fields: Any) -> WorkerEvent:
    data = {"message": str(n)}
    return WorkerEvent(
        **{"n": n, "at": utc_now(), "kind": EventKind.NOTICE, "data": data, **fields}
    )


def _notices(attempt: Attempt) -> list[str]:
    rows = JobEvent.objects.filter(job_id=attempt.job_id, kind=EventKind.NOTICE).order_by("seq")
    return [row.data["message"] for row in rows]


def test_the_events_of_a_finish_are_stored_once_before_its_own() -> None:
    attempt = make.claimed()
    events_record(attempt_id=attempt.id, events=[_event(1)])
    report = make.report(attempt, events=[_event(1), _event(2)])
    for _ in range(2):
        assert attempt_finish(attempt_id=attempt.id, report=report) == JobStatus.SUCCEEDED
    assert _notices(attempt) == ["1", "2"]
    kinds = JobEvent.objects.filter(job_id=attempt.job_id).order_by("seq").values_list("kind")
    assert [kind for (kind,) in kinds][-3:] == [
        EventKind.NOTICE,
        EventKind.LOG_CLOSED,
        EventKind.SUCCEEDED,
    ]
    attempt.refresh_from_db()
    assert attempt.event_n == 2


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"n": 2}, "gap"),
        ({"kind": EventKind.SUCCEEDED}, "invalid"),
        ({"data": {"text": "x" * 100_000}}, "too_large"),
    ],
)
def test_a_finish_with_a_refused_event_changes_nothing(event: dict[str, Any], error: str) -> None:
    attempt = make.claimed()
    before = Job.objects.values().get(id=attempt.job_id)
    with pytest.raises(MimirError) as refused:
        make.finish(attempt, events=[_event(**{"n": 1, **event})])
    assert refused.value.code == error
    assert Job.objects.values().get(id=attempt.job_id) == before
    attempt.refresh_from_db()
    assert (attempt.ended_at, attempt.log_closed_at, attempt.event_n) == (None, None, 0)


def test_a_fenced_attempt_stores_no_event_with_its_finish() -> None:
    attempt = make.claimed()
    Attempt.objects.filter(id=attempt.id).update(fenced_at=utc_now())
    with pytest.raises(Gone):
        make.finish(attempt, events=[_event(1)])
    assert _notices(attempt) == []


def test_a_finish_with_an_incomplete_log_stores_no_events() -> None:
    """The worker then sends the rest of the log and repeats the finish."""
    attempt = make.claimed()
    with pytest.raises(Conflict):
        make.finish(attempt, events=[_event(1)], log_end=5)
    assert _notices(attempt) == []
    make.finish(attempt, events=[_event(1)])
    assert _notices(attempt) == ["1"]
