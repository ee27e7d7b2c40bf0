"""Submission with `memory_max`: validation, retries, and memory taken from an earlier run."""

from typing import Any

import pytest

from jobs.contract import FailureReason, FinishStatus, JobStatus
from jobs.core.resources import GIB
from jobs.lifecycle.retry import job_retry
from jobs.lifecycle.submit import job_check
from jobs.models import Job, JobEvent
from jobs.queries.jobs import jobs_as_dicts
from mimir.lib.errors import Invalid
from projects.models import Project
from projects.pipelines.write import pipeline_save
from tests.support import make
from tests.support.measured import measured_run

pytestmark = pytest.mark.django_db(transaction=True)

USUAL = 4 * GIB  # of a pipeline


def _ended(*, status: JobStatus = JobStatus.SUCCEEDED, **columns: Any) -> Job:
    """Create an ended job of the pipeline `echo` whose memory was raised to 8 GiB."""
    attempt = make.claimed(resources={"memory_max": "16Gi"})
    make.finish(attempt)
    job = Job.objects.get(id=attempt.job_id)
    job.resources["limits"]["memory_bytes"] = 8 * GIB
    Job.objects.filter(id=job.id).update(
        **{
            "resources": job.resources,
            "status": status,
            "memory_raised_from_bytes": USUAL,
            **columns,
        }
    )
    make.launcher().end(attempt.name)
    make.settle()
    return Job.objects.get(id=job.id)


def _memory(job: Job) -> tuple[int, int | None]:
    return job.resources["limits"]["memory_bytes"], job.memory_raised_from_bytes


def test_memory_max_is_stored_and_shown() -> None:
    job = make.job(resources={"memory": "2Gi", "memory_max": "16Gi"})
    assert (job.memory_max_bytes, _memory(job)) == (16 * GIB, (2 * GIB, None))
    assert jobs_as_dicts([job])[0]["resources"]["memory_max"] == "16Gi"
    assert jobs_as_dicts([make.job()])[0]["resources"]["memory_max"] is None


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"memory": "8Gi", "memory_max": "4Gi"}, "must be at least the memory of the job, 8Gi"),
        ({"memory_max": "1Gi"}, "must be at least the memory of the job, 4Gi"),
        ({"memory_max": "much"}, "'much' is not an amount of memory: write it as 512Mi or 4Gi"),
        ({"memory_max": "0"}, "must be from 64Mi to 16Ti"),
        ({"memory_max": "17Ti"}, "must be from 64Mi to 16Ti"),
        ({"memory_max": True}, "must be a quantity such as 2, 500m or 4Gi"),
    ],
)
def test_a_wrong_memory_max_is_refused_at_its_field(
    resources: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid) as caught:
        make.job(resources=resources)
    assert caught.value.detail == {"resources.memory_max": message}


def test_a_wrong_memory_and_a_wrong_memory_max_are_both_named() -> None:
    with pytest.raises(Invalid) as caught:
        make.job(resources={"memory": "lots", "memory_max": "more"})  # type: ignore[typeddict-item]
    assert set(caught.value.detail) == {"resources.memory", "resources.memory_max"}


def test_memory_max_of_null_is_none() -> None:
    assert make.job(resources={"memory_max": None}).memory_max_bytes is None


def test_a_retry_keeps_the_raised_memory_and_its_maximum() -> None:
    job = _ended(status=JobStatus.FAILED)
    again = job_retry(job=job, user=job.created_by).job
    assert _memory(again) == (8 * GIB, USUAL)
    assert again.memory_max_bytes == 16 * GIB
    assert again.resources["requests"]["memory_bytes"] == 8 * GIB


def test_a_new_job_starts_with_the_raised_memory_of_the_last_successful_run() -> None:
    earlier = _ended()
    job = make.job(resources={"memory_max": "16Gi"})
    assert _memory(job) == (8 * GIB, USUAL)
    data = JobEvent.objects.get(job=job, seq=1).data
    assert (data["memory_from_job"], data["memory_bytes"]) == (str(earlier.id), 8 * GIB)


def test_a_run_that_started_with_raised_memory_is_remembered_as_well() -> None:
    _ended()
    second = make.job(resources={"memory_max": "16Gi"})
    Job.objects.filter(id=second.id).update(
        status=JobStatus.SUCCEEDED, finished_at=second.created_at
    )
    assert _memory(make.job(resources={"memory_max": "16Gi"})) == (8 * GIB, USUAL)


def test_a_dry_run_names_the_job_whose_memory_is_taken() -> None:
    earlier = _ended()
    request: dict[str, Any] = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
    checked = job_check(project=earlier.project, resources={"memory_max": "16Gi"}, **request)
    assert checked.amounts.memory_from_job == earlier.id
    plain = job_check(project=earlier.project, **request)
    assert (plain.amounts.memory_from_job, plain.resources["limits"]["memory_bytes"]) == (
        None,
        USUAL,
    )


def test_the_raised_memory_of_an_earlier_run_is_cut_to_the_maximum() -> None:
    _ended()
    assert _memory(make.job(resources={"memory_max": "6Gi"})) == (6 * GIB, USUAL)


def test_a_job_that_names_its_memory_gets_that() -> None:
    _ended()
    job = make.job(resources={"memory": "2Gi", "memory_max": "16Gi"})
    assert _memory(job) == (2 * GIB, None)


@pytest.mark.parametrize(
    "columns", [{"memory_raised_from_bytes": None}, {"status": JobStatus.FAILED}]
)
def test_memory_that_was_not_raised_or_did_not_suffice_is_not_taken(
    columns: dict[str, Any],
) -> None:
    _ended(**columns)
    assert _memory(make.job(resources={"memory_max": "16Gi"})) == (USUAL, None)


def test_the_memory_of_another_producer_is_not_taken() -> None:
    earlier = _ended()
    pipeline_save(
        project=earlier.project, name="other", definition=make.ECHO, user=earlier.created_by
    )
    other = make.job(parameters={"pipeline": "other"}, resources={"memory_max": "16Gi"})
    assert _memory(other) == (USUAL, None)


def test_a_run_whose_memory_was_raised_until_it_succeeded_is_remembered() -> None:
    """Run out of memory, succeed in the next attempt, and start the next job with that memory."""
    first = make.claimed(resources={"memory_max": "16Gi"})
    make.finish(first, FinishStatus.FAILED, reason=FailureReason.OUT_OF_MEMORY)
    second = make.next_claimed(first)
    assert make.finish(second) == JobStatus.SUCCEEDED
    assert _memory(make.job(resources={"memory_max": "16Gi"})) == (8 * GIB, USUAL)


def test_automatic_resources_recommend_the_memory_of_a_job_with_memory_max() -> None:
    project = make.project()
    Project.objects.filter(id=project.id).update(automatic_resources=True)
    project.refresh_from_db()
    for _ in range(3):
        measured_run(project, 5 * GIB, limit=8 * GIB)
    job = make.job(project, resources={"memory_max": "16Gi"})
    assert (job.resources["recommended"]["memory_bytes"], job.memory_max_bytes) == (
        job.resources["limits"]["memory_bytes"],
        16 * GIB,
    )
    assert job.resources["limits"]["memory_bytes"] > 5 * GIB
    small = make.job(project, resources={"memory_max": "5Gi"})
    assert small.resources["limits"]["memory_bytes"] == 5 * GIB, "cut, and not refused"
    assert small.resources["recommended"]["memory_bytes"] == 5 * GIB
