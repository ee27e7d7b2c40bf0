"""Search of jobs by the fields that lists show.

These are the name, the title derived for a job without one, and the type.
"""

from dataclasses import replace
from typing import Any, cast

import pytest

from jobs.models import SQL_TITLES, Job
from jobs.queries.jobs import job_list
from jobs.types.registry import SPECS, derived_title
from jobs.types.spec import JobTypeSpec
from mimir.frontend.pages.jobs.present import job_title
from tests.support import make
from tests.support.job_types import load_job_types

pytestmark = pytest.mark.django_db

PARAMETERS = {
    "pipeline_execution": {"pipeline": "sales-daily"},
    "ml_training": {"model": "churn-risk", "dataset": "churn", "target": "churned"},
    "ml_inference": {"model": "churn-risk", "dataset": "customers", "output": "scores"},
    "digital_twin_update": {
        "twin": "pumps",
        "dataset": "readings",
        "type": "pump",
        "key": "id",
    },
}


@pytest.fixture(autouse=True)
def _titles() -> None:
    load_job_types()


def _job(kind: str, name: str = "") -> Job:
    job = make.job()
    Job.objects.filter(id=job.id).update(type=kind, parameters=PARAMETERS[kind], name=name)
    job.refresh_from_db()
    return job


def _found(job: Job, text: str) -> bool:
    return job in job_list(project=job.project, text=text)


@pytest.mark.parametrize("kind", PARAMETERS)
def test_the_title_that_lists_show_is_found_whole_and_in_parts_whatever_the_case(
    kind: str,
) -> None:
    job = _job(kind)
    shown: Any = {"name": "", "type": job.type, "parameters": job.parameters}
    title = job_title(shown)
    terms = [title, title.upper(), title[1:-1], *title.split(), SPECS[job.type].title]
    assert [word for word in terms if not _found(job, word)] == []
    assert not _found(job, title + "x")


@pytest.mark.parametrize("kind", PARAMETERS)
def test_a_named_job_is_found_by_its_name_and_by_what_it_runs(kind: str) -> None:
    job = _job(kind, name="Nightly 100%_run")
    shown: Any = {"name": "", "type": job.type, "parameters": job.parameters}
    title = job_title(shown)
    found = ("nightly", "100%_", *(value for value in PARAMETERS[kind].values() if value in title))
    assert [text for text in found if not _found(job, text)] == []
    assert not _found(job, "100__")


def test_the_titles_that_the_database_derives_are_those_of_types_of_this_release() -> None:
    assert set(PARAMETERS) == SQL_TITLES
    assert set(SPECS) >= SQL_TITLES


@pytest.mark.parametrize("parameters", [{"model": "churn-risk"}, {"model": None}, {}])
def test_titles_of_a_type_without_a_migration_are_found(
    parameters: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(
        SPECS["ml_training"],
        name="audit",
        title="Model audit",
        job_title="Audit {model}",
        parameters={"type": "object"},
        check=lambda _parameters: [],
    )
    monkeypatch.setitem(cast(dict[str, JobTypeSpec], SPECS), "audit", spec)
    other = _job("ml_training")
    job, named = (
        make.job(type="audit", parameters=parameters, fixed_inputs=[], name=name)
        for name in ("", "Nightly")
    )
    title = derived_title("audit", parameters)
    terms = [title, title.upper(), title[1:-1], *title.split(), "model audit", str(job.id)[-6:]]
    assert [text for text in terms if not _found(job, text)] == []
    assert not _found(job, title + "x")
    assert not _found(job, "aud_t")
    assert not _found(other, "audit")
    assert _found(named, "nightly")
    assert _found(named, title)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"pipeline": 5}, {"pipeline": None}, {"pipeline": "x" * 100_000}, {"pipeline": ["a"]}],
)
def test_odd_parameters_hinder_neither_the_row_nor_a_search(parameters: dict[str, object]) -> None:
    job = make.job()
    Job.objects.filter(id=job.id).update(parameters=parameters, name="odd")
    assert _found(job, "odd")
    assert _found(job, "pipeline")
