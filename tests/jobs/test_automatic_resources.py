"""Automatic resources: a job without resources gets limits from earlier runs, and shows that."""

from typing import Any

import pytest

from jobs.contract import FailureReason, FinishStatus, JobStatus
from jobs.lifecycle.retry import job_retry
from jobs.lifecycle.submit import job_submit
from jobs.models import Job, JobEvent
from jobs.queries.jobs import jobs_as_dicts
from projects.models import Project
from projects.project.write import project_update
from tests.api.caller import JOBS, Caller, check_refusal
from tests.support import make
from tests.support.measured import measured_run

pytestmark = pytest.mark.django_db(transaction=True)

GIB = 2**30
BODY = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
RECOMMENDED = {"memory": "1536Mi", "cpu": "500m", "runs": 3}


@pytest.fixture
def project() -> Project:
    """A project with three runs that used at most 1.2 GiB and 0.4 CPU."""
    project = make.project()
    for peak in (GIB, 1228 * 2**20, 2**29):
        measured_run(project, peak, cpu=400)
    return project_update(project=project, automatic_resources=True)


@pytest.fixture
def caller(project: Project) -> Caller:
    return Caller(project.created_by)


def _dry_run(caller: Caller, **fields: Any) -> Any:
    answer = caller.post(f"{JOBS}?dry_run=1", {**BODY, **fields})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_job_without_resources_gets_the_recommended_limits_and_names_their_source(
    project: Project, caller: Caller
) -> None:
    created = caller.post(JOBS, BODY).json()
    assert created["resources"] == {
        "cpu": "500m",
        "memory": "1536Mi",
        "memory_max": "4Gi",
        "gpu": 0,
        "requests": {"cpu": "500m", "memory": "1536Mi", "gpu": 0},
        "recommended": RECOMMENDED,
    }
    assert caller.get(f"jobs/{created['id']}/").json()["resources"] == created["resources"]
    event = JobEvent.objects.get(job=created["id"], seq=1)
    assert event.data == {"status": "queued", "recommended": RECOMMENDED}


def test_a_job_that_ran_out_of_a_lowered_limit_is_retried_up_to_the_default(
    project: Project,
) -> None:
    attempt = make.claimed()
    limits = []
    for _ in range(2):
        ended = make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.OUT_OF_MEMORY)
        assert ended == JobStatus.QUEUED
        attempt = make.next_claimed(attempt)
        limits.append(attempt.memory_limit_bytes)
    assert limits == [3 * GIB, 4 * GIB]
    ended = make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.OUT_OF_MEMORY)
    assert ended == JobStatus.FAILED, "the default was not enough either"
    assert Job.objects.get(id=attempt.job_id).attempts_used == 1


def test_a_raised_memory_limit_is_not_shown_as_recommended(project: Project) -> None:
    attempt = make.claimed()
    make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.OUT_OF_MEMORY)
    [body] = jobs_as_dicts([Job.objects.get(id=attempt.job_id)])
    assert body["resources"]["memory"] == "3Gi"
    assert body["resources"]["recommended"] == {"memory": None, "cpu": "500m", "runs": 3}


def test_a_limit_that_is_not_lowered_gets_no_maximum(project: Project) -> None:
    for _ in range(3):
        measured_run(project, 5 * GIB, limit=8 * GIB)
    job = make.job(project)
    assert job.resources["limits"]["memory_bytes"] > 4 * GIB
    assert job.memory_max_bytes is None


@pytest.mark.parametrize(
    "resources", [{"cpu": "2"}, {"memory": "4Gi"}, {"gpu": 0}, {"cpu": "2", "memory": "4Gi"}]
)
def test_requested_resources_are_kept(caller: Caller, resources: dict[str, Any]) -> None:
    created = caller.post(JOBS, {**BODY, "resources": resources}).json()
    assert (created["resources"]["cpu"], created["resources"]["memory"]) == ("2", "4Gi")
    assert created["resources"]["recommended"] is None


@pytest.mark.parametrize("resources", [{}, None])
def test_empty_resources_are_no_resources(caller: Caller, resources: Any) -> None:
    created = caller.post(JOBS, {**BODY, "resources": resources}).json()
    assert created["resources"]["recommended"] == RECOMMENDED


def test_without_the_setting_the_default_of_the_type_applies(
    project: Project, caller: Caller
) -> None:
    project_update(project=project, automatic_resources=False)
    created = caller.post(JOBS, BODY).json()
    assert (created["resources"]["memory"], created["resources"]["recommended"]) == ("4Gi", None)


def test_a_retry_keeps_the_limits_of_its_job(project: Project) -> None:
    job = Job.objects.filter(project=project).earliest("created_at")
    again = job_retry(job=job, user=project.created_by).job
    assert again.resources == job.resources


def test_a_repeated_request_gets_its_job_though_the_recommendation_changed(
    project: Project,
) -> None:
    submitted: Any = {**BODY, "user": project.created_by, "idempotency_key": "k"}
    first = job_submit(project=project, **submitted)
    measured_run(project, 3 * GIB)
    second = job_submit(project=project, **submitted)
    assert (second.created, second.job.id) == (False, first.job.id)


def test_bad_fields_are_named_together(caller: Caller) -> None:
    answer = caller.post(JOBS, {**BODY, "parameters": {"pipeline": "a\x00b"}, "max_attempts": 99})
    check_refusal(answer, 400)
    refused = caller.post(JOBS, {**BODY, "parameters": {"pipeline": 3}, "resources": {"cpu": "x"}})
    check_refusal(refused, 400, "parameters.pipeline", "resources.cpu")


def test_a_dry_run_shows_the_limits_their_source_and_the_measurements(caller: Caller) -> None:
    checked = _dry_run(caller)
    assert checked["resources"]["recommended"] == RECOMMENDED
    assert checked["recommendation"] == {
        "memory": None,
        "cpu": None,
        "compared_with": {"memory": "1536Mi", "cpu": "500m"},
        "basis": {
            "runs": 3,
            "memory_peak_bytes": 1228 * 2**20,
            "out_of_memory_runs": 0,
            "out_of_memory_limit_bytes": None,
            "cpu_runs": 3,
            "cpu_millicores": 400,
            "cpu_at_limit": False,
        },
    }
    explicit = _dry_run(caller, resources={"memory": "4Gi", "cpu": "2"})
    assert explicit["resources"]["recommended"] is None
    assert (explicit["recommendation"]["memory"], explicit["recommendation"]["cpu"]) == (
        "1536Mi",
        "500m",
    )


def test_a_dry_run_reads_the_runs_once(
    project: Project, caller: Caller, django_assert_num_queries: Any
) -> None:
    def queries() -> int:
        with django_assert_num_queries(100, exact=False) as counted:
            _dry_run(caller)
        return len([row for row in counted.captured_queries if "cpu_sustained" in row["sql"]])

    assert queries() == 1
    project_update(project=project, automatic_resources=False)
    assert queries() == 1


def test_the_recommendation_of_a_producer_is_compared_with_its_newest_run(
    project: Project, caller: Caller
) -> None:
    path, query = "projects/demo/recommendation/", {"type": "pipeline_execution", "name": "echo"}
    found = caller.get(path, query).json()
    assert (found["memory"], found["cpu"], found["basis"]["runs"]) == ("1536Mi", "500m", 3)
    assert found["compared_with"] == {"memory": "4Gi", "cpu": "2"}
    unknown = caller.get(path, {**query, "name": "none"}).json()
    assert (unknown["memory"], unknown["compared_with"]) == (None, None)
    check_refusal(caller.get(path), 400, "type", "name")
    check_refusal(caller.get(path, {**query, "type": "none"}), 400, "type")
    check_refusal(caller.get(path, {**query, "name": "a\x00b"}), 400, "name")
    stranger = Caller(make.user("stranger"))
    check_refusal(stranger.get(path, query), 404)


def test_the_usage_of_an_ended_job_has_the_recommendation_for_the_next_run(
    project: Project, caller: Caller
) -> None:
    short = measured_run(
        project, 2 * GIB, status=JobStatus.FAILED, reason=FailureReason.OUT_OF_MEMORY, limit=2 * GIB
    )
    found = caller.get(f"jobs/{short.id}/usage/").json()["recommendation"]
    assert (found["memory"], found["basis"]["out_of_memory_runs"]) == ("4Gi", 1)
    assert found["compared_with"] == {"memory": "2Gi", "cpu": "2"}
    live = make.claimed()
    assert caller.get(f"jobs/{live.job_id}/usage/").json()["recommendation"] is None
