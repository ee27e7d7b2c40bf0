"""Inputs of a job are resolved and checked when it is submitted."""

from typing import Any

import pytest

from jobs.admission.admit import admit_once
from jobs.clusters.rows import cluster_ensure
from jobs.dispatch.launch import attempts_launch
from jobs.lifecycle.retry import job_retry
from jobs.lifecycle.submit import RequestedResources, job_submit
from jobs.models import Attempt, Cluster, Job, JobInput
from mimir.lib.errors import Invalid
from projects.models import (
    Dataset,
    DatasetVersion,
    Model,
    ModelVersion,
    Project,
    Twin,
    TwinDefinition,
)
from tests.support import make

pytestmark = pytest.mark.django_db

SCHEMA = [
    ("id", "BIGINT"),
    ("wind", "DOUBLE"),
    ("sky", "VARCHAR"),
    ("day", "DATE"),
    ("raw", "BLOB"),
]
SIGNATURE = {
    "features": [{"name": "wind", "kind": "number", "type": "DOUBLE"}],
    "target": {"name": "id", "type": "BIGINT"},
    "task": "regression",
}
DEFINITION = {
    "types": [
        {"name": "day", "key": {"name": "id"}, "properties": [{"name": "wind", "type": "number"}]}
    ]
}

TRAIN = {"dataset": "weather", "target": "wind", "model": "m"}
INFER = {"model": "fan", "dataset": "weather", "output": "o"}
UPDATE = {"twin": "town", "dataset": "weather", "type": "day", "key": "id"}


@pytest.fixture
def project() -> Project:
    """A project with a dataset in two versions, a model and a twin."""
    created = make.project()
    dataset = Dataset.objects.create(project=created, name="weather", latest_number=2)
    for number in (1, 2):
        version = _version(dataset, number)
    model = Model.objects.create(project=created, name="fan", latest_number=1)
    facts = {
        "task": "regression",
        "algorithm": "linear",
        "target": "id",
        "metrics": {},
        "baseline": {},
        "size_bytes": 1,
        "sha256": "0" * 64,
    }
    ModelVersion.objects.create(
        model=model, number=1, signature=SIGNATURE, training_data=version, storage_key="k", **facts
    )
    twin = Twin.objects.create(project=created, name="town", definition_number=1)
    TwinDefinition.objects.create(twin=twin, number=1, definition=DEFINITION)
    return created


def _version(
    dataset: Dataset, number: int, rows: int = 10, columns: list[tuple[str, str]] = SCHEMA
) -> DatasetVersion:
    return DatasetVersion.objects.create(
        dataset=dataset,
        number=number,
        format="csv",
        schema=[{"name": name, "type": kind} for name, kind in columns],
        row_count=rows,
        size_bytes=1,
        sha256="0" * 64,
        storage_key=f"k{number}",
        source="upload",
    )


def _submit(project: Project, kind: str, parameters: dict[str, Any]) -> Job:
    return job_submit(
        project=project, user=project.created_by, type=kind, parameters=parameters
    ).job


def test_each_type_is_fixed_on_the_newest_versions_and_a_version_finds_who_uses_it(
    project: Project,
) -> None:
    newest = DatasetVersion.objects.get(dataset__name="weather", number=2)
    training = _submit(project, "ml_training", TRAIN)
    inference = _submit(project, "ml_inference", INFER)
    update = _submit(project, "digital_twin_update", UPDATE)
    assert [(row["kind"], row.get("version")) for row in training.inputs] == [("dataset", 2)]
    assert [(row["kind"], row.get("version")) for row in inference.inputs] == [
        ("model", 1),
        ("dataset", 2),
    ]
    assert [(row["kind"], row.get("version")) for row in update.inputs] == [
        ("twin", None),
        ("dataset", 2),
    ]
    users = JobInput.objects.filter(dataset_version=newest).values_list("job_id", flat=True)
    assert set(users) == {training.id, inference.id, update.id}
    assert JobInput.objects.get(model_version__number=1).job_id == inference.id
    assert JobInput.objects.get(twin__name="town").job_id == update.id


def test_updates_of_one_twin_share_an_exclusive_key_and_other_jobs_have_none(
    project: Project,
) -> None:
    twin = Twin.objects.get()
    assert _submit(project, "digital_twin_update", UPDATE).exclusive_key == f"twin:{twin.id}"
    assert _submit(project, "ml_inference", INFER).exclusive_key == ""


def test_run_again_reads_what_the_first_one_read_though_the_newest_would_not_fit(
    project: Project,
) -> None:
    job = _submit(project, "digital_twin_update", UPDATE)
    Job.objects.filter(id=job.id).update(status="cancelled", finished_at=job.created_at)
    job.refresh_from_db()
    dataset = Dataset.objects.get()
    _version(dataset, 3, columns=[("other", "DOUBLE")])
    Dataset.objects.update(latest_number=3)
    again = job_retry(job=job, user=project.created_by).job
    assert (again.inputs, again.exclusive_key) == (job.inputs, job.exclusive_key)
    assert again.input_rows.count() == 2


@pytest.mark.parametrize(
    ("kind", "parameters", "path", "words"),
    [
        (
            "ml_training",
            {**TRAIN, "dataset": "gone"},
            "parameters.dataset",
            "no dataset gone here: upload it",
        ),
        (
            "ml_training",
            {**TRAIN, "version": 9},
            "parameters.version",
            "no dataset weather version 9",
        ),
        (
            "ml_training",
            {**TRAIN, "target": "speed"},
            "parameters.target",
            "no column speed: the dataset has id, wind, sky",
        ),
        (
            "ml_training",
            {**TRAIN, "features": ["sky", "nope"]},
            "parameters.features[1]",
            "no column nope",
        ),
        (
            "ml_training",
            {**TRAIN, "features": ["raw"]},
            "parameters.features[0]",
            "raw is BLOB",
        ),
        (
            "ml_training",
            {**TRAIN, "target": "day"},
            "parameters.target",
            "is DATE. A target must be",
        ),
        (
            "ml_training",
            {**TRAIN, "target": "sky", "task": "regression"},
            "parameters.target",
            '"sky" is text. Regression needs a',
        ),
        (
            "ml_training",
            {**TRAIN, "exclude": ["nope"]},
            "parameters.exclude[0]",
            "no column nope",
        ),
        (
            "ml_training",
            {**TRAIN, "split": "time", "time_column": "sky"},
            "parameters.time_column",
            "sky is VARCHAR",
        ),
        (
            "ml_training",
            {**TRAIN, "rare_classes": "group"},
            "parameters.rare_classes",
            "only classes of text can be grouped",
        ),
        (
            "ml_inference",
            {**INFER, "model": "gone"},
            "parameters.model",
            "no model gone here: train it first",
        ),
        (
            "ml_inference",
            {**INFER, "version": 7},
            "parameters.version",
            "no model fan version 7",
        ),
        (
            "ml_inference",
            {**INFER, "keys": ["id", "nope"]},
            "parameters.keys[1]",
            "no column nope",
        ),
        (
            "digital_twin_update",
            {**UPDATE, "twin": "gone"},
            "parameters.twin",
            "no twin gone here",
        ),
        (
            "digital_twin_update",
            {**UPDATE, "type": "night"},
            "parameters.type",
            "not an entity type of town: it has day",
        ),
        (
            "digital_twin_update",
            {**UPDATE, "latest_by": "nope"},
            "parameters.latest_by",
            "no column nope",
        ),
        (
            "digital_twin_update",
            {**UPDATE, "key": "nope"},
            "parameters.key",
            "no column nope",
        ),
        (
            "digital_twin_update",
            {**UPDATE, "properties": {"rain": "wind"}},
            "parameters.properties.rain",
            "day has no property rain",
        ),
        (
            "digital_twin_update",
            {**UPDATE, "properties": {"wind": "gust"}},
            "parameters.properties.wind",
            "no column gust",
        ),
    ],
)
def test_an_unsuitable_input_is_refused_at_its_field(
    project: Project, kind: str, parameters: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(Invalid) as refused:
        _submit(project, kind, parameters)
    assert words in refused.value.detail.get(path, ""), refused.value.detail
    assert not Job.objects.exists()


def test_a_dataset_without_rows_has_nothing_to_learn_from(project: Project) -> None:
    DatasetVersion.objects.update(row_count=0)
    with pytest.raises(Invalid) as refused:
        _submit(project, "ml_training", TRAIN)
    assert "has no rows" in refused.value.detail["parameters.dataset"]


def test_a_dataset_that_does_not_fit_the_model_is_refused_with_the_difference(
    project: Project,
) -> None:
    dataset = Dataset.objects.create(project=project, name="calm", latest_number=1)
    _version(dataset, 1, columns=[("Wind", "DOUBLE")])
    with pytest.raises(Invalid) as refused:
        _submit(project, "ml_inference", {**INFER, "dataset": "calm"})
    assert "column wind is missing (there is Wind)" in refused.value.detail["parameters.dataset"]


def test_a_kept_column_that_a_prediction_would_cover_is_refused(project: Project) -> None:
    dataset = Dataset.objects.create(project=project, name="again", latest_number=1)
    _version(dataset, 1, columns=[*SCHEMA, ("Prediction", "DOUBLE")])
    with pytest.raises(Invalid) as refused:
        _submit(project, "ml_inference", {**INFER, "dataset": "again"})
    assert (
        "prediction is the name of a column that the prediction adds"
        in refused.value.detail["parameters.keys"]
    )
    assert _submit(project, "ml_inference", {**INFER, "dataset": "again", "keys": ["id"]})


def test_an_update_without_a_column_called_like_a_property_says_how_to_name_them(
    project: Project,
) -> None:
    dataset = Dataset.objects.create(project=project, name="other", latest_number=1)
    _version(dataset, 1, columns=[("id", "BIGINT"), ("breeze", "DOUBLE")])
    with pytest.raises(Invalid) as refused:
        _submit(project, "digital_twin_update", {**UPDATE, "dataset": "other"})
    assert "choose a column for each property" in refused.value.detail["parameters.properties"]
    assert _submit(
        project,
        "digital_twin_update",
        {**UPDATE, "dataset": "other", "properties": {"wind": "breeze"}},
    )


def test_a_requested_gpu_reaches_the_launcher(project: Project) -> None:
    cluster_ensure()
    Cluster.objects.update(capacity_gpus=2)
    resources: RequestedResources = {"cpu": "1", "memory": "512Mi", "gpu": 2}
    job = job_submit(
        project=project,
        user=project.created_by,
        type="ml_training",
        parameters={**TRAIN},
        resources=resources,
    ).job
    admit_once()
    attempt = Attempt.objects.get(job=job)
    attempts_launch([attempt.id])
    assert make.launcher().workers[attempt.name].spec.gpu_count == 2
