"""Models over the API: versions, their authors, their metadata, and the model file."""

from typing import Any

import pytest
from django.core.files.base import ContentFile

from jobs.models import JobOutput
from projects.models import Project
from projects.storage import artifacts
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db

PLOTS = {
    "residuals": {"edges": [0, 1], "counts": [3]},
    "importance": [{"feature": "wind", "value": 0.5}],
}


@pytest.fixture
def project() -> Project:
    return make.project()


@pytest.fixture
def caller(project: Project) -> Caller:
    return Caller(project.created_by)


def test_a_model_shows_its_versions_newest_first_with_the_job_that_trained_each(
    project: Project, caller: Caller
) -> None:
    data = make.dataset_version(project)
    versions = [make.model_version(data, created_by=project.created_by) for _ in range(2)]
    job = make.job(project)
    JobOutput.objects.create(job=job, model_version=versions[1])
    listed = caller.get("projects/demo/models/").json()["results"]
    assert [(row["name"], row["version"]["number"], row["version"]["job"]) for row in listed] == [
        ("fan", 2, str(job.id))
    ]
    shown = caller.get("projects/demo/models/fan/").json()
    assert [(row["number"], row["job"]) for row in shown["versions"]] == [
        (2, str(job.id)),
        (1, None),
    ]
    newest = shown["versions"][0]
    assert newest["training_data"] == {"name": "weather", "version": 1}
    assert (newest["metrics"], newest["baseline"], newest["created_by"]) == (
        {"r2": 0.9},
        {"r2": 0.0},
        "ada",
    )


def test_one_version_shows_everything_that_is_known_of_it(project: Project, caller: Caller) -> None:
    data = make.dataset_version(project)
    make.model_version(
        data,
        plots=PLOTS,
        hyperparameters={"fit_intercept": False},
        training={"seed": 3},
        libraries={"scikit-learn": "1.9"},
    )
    shown = caller.get("projects/demo/models/fan/versions/1/").json()
    assert shown == caller.get("projects/demo/models/fan/versions/latest/").json()
    assert shown["plots"] == {"residuals": PLOTS["residuals"]}
    assert shown["importance"] == PLOTS["importance"]
    assert (shown["hyperparameters"], shown["training"], shown["libraries"]) == (
        {"fit_intercept": False},
        {"seed": 3},
        {"scikit-learn": "1.9"},
    )
    assert shown["signature"]["features"] == [{"name": "wind", "kind": "number", "type": "DOUBLE"}]


def test_the_file_comes_as_an_attachment_that_nothing_runs(
    project: Project, caller: Caller
) -> None:
    key = artifacts.backend().save("artifacts/model", ContentFile(b"skops"))
    make.model_version(make.dataset_version(project), storage_key=key, size_bytes=5)
    answer = caller.get("projects/demo/models/fan/versions/latest/content/")
    assert (answer.status_code, b"".join(answer)) == (200, b"skops")
    assert answer["Content-Disposition"] == 'attachment; filename="fan-v1.skops"'
    assert (answer["Content-Type"], answer["X-Content-Type-Options"]) == (
        "application/octet-stream",
        "nosniff",
    )


def test_a_file_missing_from_the_storage_is_reported(project: Project, caller: Caller) -> None:
    make.model_version(make.dataset_version(project))
    answer = caller.get("projects/demo/models/fan/versions/1/content/")
    assert (answer.status_code, answer.json()["code"]) == (500, "content_missing")


@pytest.mark.parametrize(
    "path",
    [
        "none/",
        "fan/versions/2/",
        "fan/versions/0/",
        "fan/versions/x/",
        "fan/versions/9999999999/content/",
    ],
)
def test_a_missing_object_is_404(project: Project, caller: Caller, path: str) -> None:
    make.model_version(make.dataset_version(project))
    assert caller.get(f"projects/demo/models/{path}").status_code == 404


def test_a_list_costs_the_same_queries_whatever_is_in_it(
    project: Project, caller: Caller, django_assert_max_num_queries: Any
) -> None:
    data = make.dataset_version(project)
    for number in range(12):
        make.model_version(data, f"m{number:02}", created_by=project.created_by)
        make.model_version(data, "many", created_by=project.created_by)
    for path in ("", "many/"):
        with django_assert_max_num_queries(5):
            assert caller.get(f"projects/demo/models/{path}").status_code == 200
