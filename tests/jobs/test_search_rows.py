"""Search rows: one per job, with the same results as a search in the jobs table."""

import random
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from jobs.models import Job, JobSearch
from jobs.queries.jobs import job_list
from projects.models import Project
from tests.support import make, many
from tests.support.job_types import load_job_types

pytestmark = pytest.mark.django_db(transaction=True)
JOBS, SEARCHES = 200, 300
ALPHABET = "aAbB ß%_\\éÉİi1-\nπΠ"
# The search of release 0.1.0, which read the jobs table.
BY_JOBS = """
SELECT id FROM jobs_job WHERE project_id = %(project)s
AND jobs_search_text(name, type, parameters) ILIKE %(pattern)s
"""


def _rows() -> dict[Any, tuple[str, Any]]:
    return {row.job_id: (row.titles, row.labels) for row in JobSearch.objects.all()}


def _found(project: Project, **search: str) -> set[Job]:
    return set(job_list(project=project, **search))


def test_jobs_of_any_statement_have_search_rows() -> None:
    job = make.job(name="Nightly", labels={"team": "ops"})
    unlabelled = make.job(name="other")
    many.jobs_like(unlabelled, 50)
    assert _rows()[job.id] == ("Nightly\nPipeline echo", {"team": "ops"})
    assert _rows().keys() == set(Job.objects.values_list("id", flat=True))
    assert _rows()[unlabelled.id] == ("other\nPipeline echo", None)
    assert _found(job.project, text="nightly", label="team=ops") == {job}
    assert _found(job.project, text="nightly", label="team=none") == set()


def test_a_change_of_a_name_or_label_changes_the_search_row() -> None:
    job = make.job(name="Nightly", labels={"team": "ops"})
    Job.objects.update(name="Weekly", labels={"site": "B"})
    assert _rows()[job.id] == ("Weekly\nPipeline echo", {"site": "B"})
    Job.objects.update(labels={})
    assert _rows()[job.id] == ("Weekly\nPipeline echo", None)


def test_running_a_job_does_not_write_its_search_row() -> None:
    attempt = make.claimed(name="Nightly")
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text, ctid::text FROM jobs_jobsearch")
        before = cursor.fetchall()
        make.finish(attempt)
        cursor.execute("SELECT xmin::text, ctid::text FROM jobs_jobsearch")
        assert cursor.fetchall() == before


def test_a_release_without_search_rows_can_delete_jobs() -> None:
    kept, deleted = make.job(), make.job()
    with connection.cursor() as cursor:
        for table in ("jobs_jobevent", "jobs_jobinput"):
            cursor.execute(f"DELETE FROM {table} WHERE job_id = %s", [deleted.id])
        cursor.execute("DELETE FROM jobs_job WHERE id = %s", [deleted.id])
    assert _rows().keys() == {kept.id}


def test_the_migration_copies_existing_jobs_and_keeps_no_row_of_a_deleted_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The constraint is added at the end, because a job may be deleted after its row was copied."""
    migration = import_module("jobs.migrations.0025_job_search_rows")
    monkeypatch.setattr(migration, "BATCH", 2)
    jobs = [make.job(name=f"Job {number}", labels={"n": str(number)}) for number in range(5)]
    wanted = _rows()
    with connection.cursor() as cursor:
        cursor.execute(migration.CONSTRAINT[0])
        cursor.execute("DELETE FROM jobs_jobsearch WHERE job_id <> %s", [jobs[1].id])
        cursor.execute("INSERT INTO jobs_jobsearch VALUES (gen_random_uuid(), 'deleted', NULL)")
    with connection.schema_editor(atomic=False) as editor:
        migration.copy(None, editor)
    with connection.cursor() as cursor:
        for statement in migration.CONSTRAINT:
            cursor.execute(statement)
    assert _rows() == wanted


def test_the_same_jobs_are_found_as_by_a_search_in_the_jobs() -> None:
    load_job_types()
    generated = random.Random(23)  # noqa: S311 - test data
    project = make.project()
    first = make.job(project)
    many.jobs_like(first, JOBS)

    def text(length: int) -> str:
        return "".join(generated.choice(ALPHABET) for _ in range(generated.randint(1, length)))

    for job in Job.objects.filter(project=project):
        Job.objects.filter(id=job.id).update(name=text(12))
    searches = [text(4) for _ in range(SEARCHES)]
    searches += ["Pipeline p1", "train", "ß", "SS", "%", "\\", "update t2 from", "echo"]
    matches = 0
    for search in searches:
        escaped = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        with connection.cursor() as cursor:
            cursor.execute(BY_JOBS, {"project": project.id, "pattern": f"%{escaped}%"})
            wanted = {row[0] for row in cursor.fetchall()}
        found = {job.id for job in _found(project, text=search)}
        by_id = {job_id for job_id in found - wanted if str(job_id).endswith(search.lower())}
        assert found - by_id == wanted, search
        matches += len(wanted)
    assert matches > JOBS
