"""Lineage: all versions and jobs in both directions, limited, and only of visible projects."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.models import Job, JobInput, JobOutput
from projects.models import (
    DatasetVersion,
    ModelVersion,
    PipelineVersion,
    Project,
    RevisionKind,
    Twin,
    TwinRevision,
)
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make.project()


@pytest.fixture
def caller(project: Project) -> Caller:
    return Caller(project.created_by)


def _job(
    project: Project,
    kind: str = "pipeline_execution",
    *,
    reads: tuple[Any, ...] = (),
    makes: tuple[Any, ...] = (),
) -> Job:
    """Create a job with rows for its inputs and outputs, as submit and outcome write them."""
    job = make.job(project)
    Job.objects.filter(id=job.id).update(type=kind)
    JobInput.objects.filter(job=job).delete()
    for version in reads:
        JobInput.objects.create(job=job, **{_column(version): version})
    for version in makes:
        JobOutput.objects.create(job=job, **{_column(version): version})
    return job


def _column(version: Any) -> str:
    kinds = {
        DatasetVersion: "dataset_version",
        ModelVersion: "model_version",
        PipelineVersion: "pipeline_version",
    }
    return (kinds | {TwinRevision: "twin_revision", Twin: "twin"})[type(version)]


def _revision(project: Project, number: int = 1) -> TwinRevision:
    twin, _ = Twin.objects.get_or_create(project=project, name="town")
    Twin.objects.update(latest_revision=number)
    return TwinRevision.objects.create(
        twin=twin, number=number, kind=RevisionKind.UPDATE, definition_number=1
    )


def _lineage(caller: Caller, of: str, status: int = 200) -> Any:
    answer = caller.get("projects/demo/lineage/", {"of": of})
    assert answer.status_code == status, answer.content
    return answer.json()


def _edges(shown: Any) -> set[tuple[str, str]]:
    return {(edge["from"], edge["to"]) for edge in shown["edges"]}


def _chain(project: Project) -> dict[str, Any]:
    """Create a pipeline run, a training, an inference and a twin update.

    Each reads the result of the previous one.
    """
    raw, pipeline = (
        make.dataset_version(project, "raw"),
        PipelineVersion.objects.get(pipeline__project=project),
    )
    clean, predicted, revision = (
        make.dataset_version(project, "clean"),
        make.dataset_version(project, "predicted"),
        _revision(project),
    )
    model = make.model_version(clean)
    twin = revision.twin
    return {
        "run": _job(project, reads=(pipeline, raw, raw), makes=(clean,)),
        "train": _job(project, "ml_training", reads=(clean,), makes=(model,)),
        "infer": _job(project, "ml_inference", reads=(model, clean), makes=(predicted,)),
        "update": _job(project, "digital_twin_update", reads=(twin, predicted), makes=(revision,)),
    }


def test_the_lineage_of_a_result_lists_all_its_sources(project: Project, caller: Caller) -> None:
    jobs = {name: f"job:{job.id}" for name, job in _chain(project).items()}
    shown = _lineage(caller, "twin:town@latest")
    assert (shown["of"], shown["truncated"]) == ("twin:town@1", False)
    assert _edges(shown) == {
        ("pipeline:echo@1", jobs["run"]),
        ("dataset:raw@1", jobs["run"]),
        (jobs["run"], "dataset:clean@1"),
        ("dataset:clean@1", jobs["train"]),
        (jobs["train"], "model:fan@1"),
        ("model:fan@1", jobs["infer"]),
        ("dataset:clean@1", jobs["infer"]),
        (jobs["infer"], "dataset:predicted@1"),
        ("dataset:predicted@1", jobs["update"]),
        (jobs["update"], "twin:town@1"),
    }
    nodes = {node["id"]: node for node in shown["nodes"]}
    assert set(nodes) == {end for edge in _edges(shown) for end in edge}
    train = nodes[jobs["train"]]
    assert (train["kind"], train["job_type"], train["status"], train["version"], train["by"]) == (
        "job",
        "ml_training",
        "queued",
        None,
        "ada",
    )
    model = nodes["model:fan@1"]
    assert (model["kind"], model["name"], model["version"], model["job_type"], model["status"]) == (
        "model",
        "fan",
        1,
        None,
        None,
    )


def test_the_lineage_of_an_input_lists_everything_derived_from_it(
    project: Project, caller: Caller
) -> None:
    jobs = _chain(project)
    ids = [node["id"] for node in _lineage(caller, "dataset:raw@1")["nodes"]]
    assert ids[0] == "dataset:raw@1"
    assert set(ids) == {
        "dataset:raw@1",
        "dataset:clean@1",
        "dataset:predicted@1",
        "model:fan@1",
        "twin:town@1",
    } | {f"job:{job.id}" for job in jobs.values()}


def test_from_the_middle_it_goes_both_ways_and_omits_siblings(
    project: Project, caller: Caller
) -> None:
    _chain(project)
    beside = make.dataset_version(project, "beside")
    job = _job(
        project,
        reads=(DatasetVersion.objects.get(dataset__name="raw"), beside),
        makes=(make.dataset_version(project, "other"),),
    )
    ids = {node["id"] for node in _lineage(caller, "model:fan@1")["nodes"]}
    assert {"dataset:raw@1", "pipeline:echo@1", "twin:town@1"} <= ids
    assert not {"dataset:beside@1", "dataset:other@1", f"job:{job.id}"} & ids


def test_a_job_that_used_a_version_is_listed_even_without_results(
    project: Project, caller: Caller
) -> None:
    version = make.dataset_version(project)
    job = _job(project, "ml_training", reads=(version,))
    shown = _lineage(caller, "dataset:weather@1")
    assert _edges(shown) == {("dataset:weather@1", f"job:{job.id}")}
    assert shown["nodes"][1]["status"] == "queued"


def test_the_lineage_of_an_unused_version_has_no_edges(project: Project, caller: Caller) -> None:
    make.dataset_version(project)
    make.dataset_version(project)
    shown = _lineage(caller, "dataset:weather@latest")
    assert ([node["id"] for node in shown["nodes"]], shown["edges"]) == (["dataset:weather@2"], [])


def test_nothing_of_another_project_appears_though_rows_should_say_so(
    project: Project, caller: Caller
) -> None:
    other = make.project("other")
    version, foreign = make.dataset_version(project), make.dataset_version(other, "foreign")
    _job(other, reads=(version,), makes=(foreign,))
    _job(other, reads=(foreign,))
    assert [node["id"] for node in _lineage(caller, "dataset:weather@1")["nodes"]] == [
        "dataset:weather@1"
    ]
    assert _lineage(caller, "dataset:foreign@1", 404)["code"] == "not_found"


@pytest.mark.parametrize(
    "of",
    ["", "weather", "dataset:weather", "dataset:weather@", "dataset:@1", "dataset:weather@-1", "dataset:weather@1.0", "dataset:weather@newest",  # noqa: E501
     "job:weather@1", "pipeline:echo@1", "Dataset:weather@1", "dataset:weather@1 ", "dataset:weather@99999999999", "dataset:w@1@1"],  # noqa: E501
)  # fmt: skip
def test_query_parameters_are_validated_strictly(project: Project, caller: Caller, of: str) -> None:
    error = _lineage(caller, of, 400)
    assert (error["code"], "dataset:<name>@<version>" in error["detail"]["of"]) == ("invalid", True)


def test_a_nul_character_is_refused(project: Project, caller: Caller) -> None:
    assert "NUL" in _lineage(caller, "dataset:\x00@1", 400)["detail"]["of"]


@pytest.mark.parametrize(
    "of",
    [
        "dataset:none@1",
        "dataset:weather@2",
        "dataset:weather@0",
        "model:weather@1",
        "twin:none@latest",
        "twin:town@2",
    ],
)
def test_a_missing_object_is_404(project: Project, caller: Caller, of: str) -> None:
    make.dataset_version(project)
    _revision(project)
    assert _lineage(caller, of, 404)["code"] == "not_found"


def test_a_twin_without_a_revision_has_no_lineage(project: Project, caller: Caller) -> None:
    Twin.objects.create(project=project, name="empty")
    assert (
        _lineage(caller, "twin:empty@latest", 404)["message"] == "This project has no twin empty."
    )


def test_it_ends_at_its_bound_and_says_so(project: Project, caller: Caller) -> None:
    version = make.dataset_version(project)
    job = make.job(project)
    fields = {
        field.attname: getattr(job, field.attname)
        for field in Job._meta.concrete_fields
        if field.attname != "id"
    }
    users = Job.objects.bulk_create(Job(**fields) for _ in range(250))
    JobInput.objects.bulk_create(JobInput(job=user, dataset_version=version) for user in users)
    shown = _lineage(caller, "dataset:weather@1")
    assert (len(shown["nodes"]), len(shown["edges"]), shown["truncated"]) == (200, 199, True)
    newest = sorted((user.id for user in users), reverse=True)[:199]
    assert {node["id"] for node in shown["nodes"][1:]} == {f"job:{identity}" for identity in newest}


def test_the_number_of_queries_grows_with_the_steps_and_not_with_the_rows(
    project: Project, caller: Caller
) -> None:
    caller.get("projects/")  # the first use of a token is recorded
    counts = []
    for number in (1, 9):
        middle = make.dataset_version(project, "middle")
        for index in range(number):
            source, created = (
                make.dataset_version(project, f"source{index}"),
                make.dataset_version(project, f"made{index}"),
            )
            _job(project, reads=(source,), makes=(make.dataset_version(project, "unrelated"),))
            _job(project, reads=(middle,), makes=(created,))
        with CaptureQueriesContext(connection) as queries:
            assert (
                len(_lineage(caller, f"dataset:middle@{middle.number}")["nodes"]) == 1 + 2 * number
            )
        counts.append(len(queries))
    assert counts[0] == counts[1]
