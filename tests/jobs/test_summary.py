"""Summary of a project: jobs that need attention, the last day, and the latest results."""

import datetime as dt
from typing import Any

import pytest

from jobs.admission.limits import limit_set
from jobs.contract import JobStatus
from jobs.models import Job, JobOutput, producer
from jobs.queries.producers import producer_of
from mimir.lib.clock import utc_now
from projects.models import Project, RevisionKind, Role, Twin, TwinRevision
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

TRAIN = {"dataset": "clean", "target": "y", "model": "fan"}
INFER = {"model": "fan", "dataset": "fresh", "output": "predicted"}


@pytest.fixture
def project() -> Project:
    return make.project()


@pytest.fixture
def caller(project: Project) -> Caller:
    return Caller(project.created_by)


def _summary(caller: Caller) -> Any:
    answer = caller.get("projects/demo/summary/")
    assert answer.status_code == 200, answer.content
    return answer.json()


def _ended(
    project: Project,
    status: JobStatus = JobStatus.SUCCEEDED,
    *,
    hours: float = 1.0,
    seconds: float = 30.0,
    created: Any = None,
    **fields: Any,
) -> Job:
    """Create a job that was submitted `hours` ago, ran for `seconds` and created a version."""
    job, began = make.job(project), utc_now() - dt.timedelta(hours=hours)
    times = {
        "created_at": began,
        "started_at": began,
        "finished_at": began + dt.timedelta(seconds=seconds),
    }
    Job.objects.filter(id=job.id).update(status=status, **times, **fields)
    for version in created or ():
        column = {"DatasetVersion": "dataset_version", "ModelVersion": "model_version"}.get(
            type(version).__name__, "twin_revision"
        )
        JobOutput.objects.create(job=job, **{column: version})
    return Job.objects.get(id=job.id)


def _failed(project: Project, hours: float = 1.0, **fields: Any) -> Job:
    step = {"label": "Run again", "patch": {}, "actor": "user"}
    return _ended(
        project,
        JobStatus.FAILED,
        hours=hours,
        diagnosis={"category": "exit_code", "summary": "It broke.", "next_steps": [step]},
        **fields,
    )


def test_a_new_project_has_an_empty_summary(caller: Caller) -> None:
    shown = _summary(caller)
    assert shown["counts"] == {
        "succeeded": 0,
        "failed": 0,
        "cancelled": 0,
        "running": 0,
        "waiting": 0,
    }
    assert (shown["attention"], shown["results"], shown["producers"]) == ([], [], [])
    assert [
        sum((hour["succeeded"], hour["failed"], hour["cancelled"])) for hour in shown["hourly"]
    ] == [0] * 24
    assert shown["usage"] == {"running": 0, "limit": None, "cpu_millicores": 0, "memory_bytes": 0}


def test_a_failure_needs_a_person_until_the_same_request_succeeds(
    project: Project, caller: Caller
) -> None:
    failed = _failed(project, name="Nightly")
    (needs,) = _summary(caller)["attention"]
    assert (needs["kind"], needs["job"]["id"], needs["title"], needs["summary"]) == (
        "failed_job",
        str(failed.id),
        "Nightly",
        "It broke.",
    )
    assert needs["next_steps"] == [{"label": "Run again", "patch": {}, "actor": "user"}]
    _ended(project, hours=2)  # earlier
    _ended(project, hours=0.5, type="ml_training", parameters=TRAIN)  # of something else
    _ended(project, JobStatus.CANCELLED, hours=0.5)
    assert len(_summary(caller)["attention"]) == 1
    _ended(project, hours=0.5)
    assert _summary(caller)["attention"] == []


def test_a_dismissed_failure_is_hidden_from_one_user_until_the_work_fails_again(
    project: Project, caller: Caller
) -> None:
    failed = _failed(project, hours=2)
    for _ in range(2):
        assert caller.send("PUT", f"jobs/{failed.id}/dismissal/").status_code == 204
    assert _summary(caller)["attention"] == []
    other = Caller(make.member(project, "another", Role.VIEWER))
    assert len(_summary(other)["attention"]) == 1
    assert caller.send("DELETE", f"jobs/{failed.id}/dismissal/").status_code == 204
    assert len(_summary(caller)["attention"]) == 1
    caller.send("PUT", f"jobs/{failed.id}/dismissal/")
    again = _failed(project, hours=1)
    assert [row["job"]["id"] for row in _summary(caller)["attention"]] == [str(again.id)]
    assert caller.send("PUT", f"jobs/{_ended(project).id}/dismissal/").status_code == 409
    failed.delete()


def test_of_a_series_of_failures_the_newest_is_shown_and_of_many_series_five(
    project: Project, caller: Caller
) -> None:
    for number in range(7):
        for hours in (10 + number, 20 + number):
            _failed(
                project,
                hours=hours,
                type="ml_training",
                parameters={**TRAIN, "model": f"m{number}"},
            )
    shown = _summary(caller)["attention"]
    assert [row["title"] for row in shown] == [f"Train m{number} on clean" for number in range(5)]
    assert [Job.objects.get(id=row["job"]["id"]).created_at for row in shown] == sorted(
        (job.created_at for job in Job.objects.filter(status=JobStatus.FAILED)), reverse=True
    )[:5]


def test_a_failure_is_forgotten_after_a_week_and_one_of_another_project_is_not_shown(
    project: Project, caller: Caller
) -> None:
    _failed(project, hours=24 * 7 + 1)
    _failed(make.project("other"))
    assert _summary(caller)["attention"] == []


def test_the_last_day_is_counted_by_the_hour_and_its_sum_is_the_count(
    project: Project, caller: Caller
) -> None:
    for hours in (0.1, 0.2, 1.5, 23.9, 24.1, 100):
        _ended(project, hours=hours, seconds=1)
    _failed(project, hours=1.5)
    _ended(project, JobStatus.CANCELLED, hours=1.5)
    for _ in range(3):
        make.job(project)
    shown = _summary(caller)
    assert shown["counts"] == {
        "succeeded": 4,
        "failed": 1,
        "cancelled": 1,
        "running": 0,
        "waiting": 3,
    }
    assert [
        index for index, hour in enumerate(shown["hourly"]) for _ in range(hour["succeeded"])
    ] == [0, 22, 23, 23]
    assert (
        shown["hourly"][22]["failed"],
        shown["hourly"][22]["cancelled"],
        len(shown["hourly"]),
    ) == (1, 1, 24)


def test_new_results_name_the_version_and_its_job(project: Project, caller: Caller) -> None:
    data = make.dataset_version(project, "clean")
    model = make.model_version(data)
    first, second = _ended(project, created=[data]), _ended(project, created=[model])
    _ended(project)  # created no version
    shown = [
        (row["kind"], row["name"], row["version"], row["job"])
        for row in _summary(caller)["results"]
    ]
    assert shown == [("model", "fan", 1, str(second.id)), ("dataset", "clean", 1, str(first.id))]


@pytest.mark.django_db(transaction=True)
def test_use_is_what_workers_hold_beside_the_limit_of_the_project(
    project: Project, caller: Caller
) -> None:
    attempt = make.claimed()
    limit_set(scope="project", key="demo", actor="user:ada", max_jobs=3, paused=False)
    shown = _summary(caller)
    assert shown["usage"] == {
        "running": 1,
        "limit": 3,
        "cpu_millicores": attempt.cpu_millicores,
        "memory_bytes": attempt.memory_bytes,
    }
    assert shown["counts"]["running"] == 1


def test_latest_results_show_the_runs_of_their_jobs(project: Project, caller: Caller) -> None:
    data = make.dataset_version(project, "clean")
    for hours, status, seconds in (
        (5, JobStatus.SUCCEEDED, 10),
        (4, JobStatus.FAILED, 99),
        (2, JobStatus.SUCCEEDED, 40),
    ):
        _ended(project, status, hours=hours, seconds=seconds)
    good = _ended(project, hours=1, seconds=20, created=[data])
    waiting = make.job(project)
    _ended(project, hours=3, type="ml_training", parameters=TRAIN)  # of something else
    (shown,) = _summary(caller)["producers"]
    assert (shown["kind"], shown["name"], shown["version"], shown["job_type"], shown["title"]) == (
        "dataset", "clean", 1, "pipeline_execution", "echo",
    )  # fmt: skip
    assert [(run["status"], run["seconds"]) for run in shown["last"]] == [
        ("succeeded", 10), ("failed", 99), ("succeeded", 40), ("succeeded", 20), ("queued", None),
    ]  # fmt: skip
    assert (shown["last"][-1]["job"], shown["usual_seconds"]) == (str(waiting.id), 20.0)
    assert dt.datetime.fromisoformat(shown["last_good_at"]) == good.finished_at


def test_the_last_good_run_is_known_though_twenty_failed_since(
    project: Project, caller: Caller
) -> None:
    good = _ended(project, hours=50, created=[make.dataset_version(project, "clean")])
    for number in range(21):
        _failed(project, hours=21 - number)
    (shown,) = _summary(caller)["producers"]
    assert (
        {run["status"] for run in shown["last"]},
        len(shown["last"]),
        shown["usual_seconds"],
    ) == ({"failed"}, 20, None)
    assert dt.datetime.fromisoformat(shown["last_good_at"]) == good.finished_at


def test_each_kind_of_thing_is_kept_and_what_somebody_uploaded_or_edited_is_not(
    project: Project, caller: Caller
) -> None:
    clean, uploaded = (
        make.dataset_version(project, "clean"),
        make.dataset_version(project, "uploaded"),
    )
    twin = Twin.objects.create(project=project, name="town", latest_revision=2)
    update, _edit = (
        TwinRevision.objects.create(twin=twin, number=number, kind=kind, definition_number=1)
        for number, kind in ((1, RevisionKind.UPDATE), (2, RevisionKind.EDIT))
    )
    _ended(project, created=[clean])
    _ended(project, created=[make.model_version(clean)], type="ml_training", parameters=TRAIN)
    _ended(
        project,
        created=[make.dataset_version(project, "predicted")],
        type="ml_inference",
        parameters=INFER,
    )
    _ended(
        project,
        created=[update],
        type="digital_twin_update",
        parameters={"twin": "town", "dataset": "predicted", "type": "t", "key": "k"},
    )
    shown = {row["name"]: row for row in _summary(caller)["producers"]}
    assert uploaded.dataset.name not in shown
    assert {name: (row["kind"], row["version"], row["title"]) for name, row in shown.items()} == {
        "clean": ("dataset", 1, "echo"),
        "fan": ("model", 1, "Train fan on clean"),
        "predicted": ("dataset", 1, "Predict with fan for fresh"),
        "town": ("twin", 1, "Update town from predicted"),
    }
    assert [len(row["last"]) for row in shown.values()] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("kind", "parameters", "name"),
    [
        ("pipeline_execution", {"pipeline": "p", "version": 3}, "p"),
        ("ml_training", TRAIN, "fan"),
        ("ml_inference", INFER, "predicted"),
        ("digital_twin_update", {"twin": "town", "dataset": "d"}, "town"),
        ("pipeline_execution", {}, ""),
    ],
)
def test_the_producer_is_the_same_here_and_in_the_database(
    project: Project, kind: str, parameters: dict[str, Any], name: str
) -> None:
    job = make.job(project)
    Job.objects.filter(id=job.id).update(type=kind, parameters=parameters)
    row = Job.objects.annotate(producer=producer()).get(id=job.id)
    assert producer_of(row.type, row.parameters) == (kind, name)
    assert (getattr(row, "producer") or "") == name  # noqa: B009 - an annotation


def test_the_number_of_queries_does_not_grow(
    project: Project, caller: Caller, django_assert_num_queries: Any
) -> None:
    _summary(caller)
    for number in range(9):
        _failed(project, type="ml_training", parameters={**TRAIN, "model": f"m{number}"})
        _ended(project, created=[make.dataset_version(project, f"d{number}")])
    with django_assert_num_queries(15):
        shown = _summary(caller)
    assert (len(shown["attention"]), len(shown["producers"]), len(shown["results"])) == (5, 9, 8)
