"""Correction of a wrong upload.

The current version, deletion of unused versions, and differences of columns.
"""

import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from jobs.contract import JobStatus
from jobs.lifecycle.retry import job_retry
from jobs.lifecycle.submit import job_submit
from jobs.models import Job, JobInput, JobOutput
from mimir.lib.clock import utc_now
from mimir.lib.errors import Conflict, MimirError
from projects.datasets.read import dataset_version_find
from projects.datasets.versions_write import InUse, dataset_version_delete
from projects.models import Dataset, DatasetVersion, Project, Role
from projects.pipelines.write import pipeline_save
from projects.storage import artifacts
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)
BASE = "projects/demo/datasets/"


@pytest.fixture
def project() -> Project:
    return make.project()


@pytest.fixture
def caller(project: Project) -> Caller:
    assert project.created_by is not None
    return Caller(project.created_by)


def upload(caller: Caller, content: bytes, **fields: str) -> Any:
    file = SimpleUploadedFile("t.csv", content)
    answer = caller.client.post(f"/api/v1/{BASE}", {"name": "t", "file": file, **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()["version"]


def reader(project: Project, *, version: int | None = None, name: str = "p") -> None:
    parameters = {"dataset": "t"} | ({"version": version} if version else {})
    steps = [
        {"id": "a", "uses": "read", "with": parameters},
        {"id": "b", "uses": "write", "with": {"dataset": "out", "from": "a"}},
    ]
    pipeline_save(project=project, name=name, definition={"steps": steps}, user=project.created_by)  # type: ignore[arg-type]


def test_an_upload_says_which_columns_differ_from_the_version_before(caller: Caller) -> None:
    assert upload(caller, b"a,b\n1,x\n")["column_changes"] == []
    second = upload(caller, b"a,c\nz,1.5\n")
    assert second["compared_with"] == 1
    assert [
        (change["kind"], change["column"], change["before"], change["after"])
        for change in second["column_changes"]
    ] == [
        ("removed", "b", "VARCHAR", ""),
        ("type", "a", "BIGINT", "VARCHAR"),
        ("added", "c", "", "DOUBLE"),
    ]
    assert caller.get(f"{BASE}t/versions/2/").json()["column_changes"] == second["column_changes"]


def test_another_version_can_become_current_until_the_next_upload(
    caller: Caller, project: Project
) -> None:
    for content in (b"a\n1\n", b"a\n2\n3\n"):
        upload(caller, content)
    changed = caller.send("PATCH", f"{BASE}t/", {"current_version": 1})
    assert (changed.status_code, changed.json()["current_version"]) == (200, 1)
    found = dataset_version_find(project=project, name="t")
    assert found is not None
    assert found.number == 1
    assert caller.get(BASE).json()["results"][0]["version"]["number"] == 1
    assert caller.get(f"{BASE}t/versions/latest/").json()["number"] == 1
    reader(project)
    job = make.job(project, parameters={"pipeline": "p"})
    assert [row["version"] for row in job.inputs if row["kind"] == "dataset"] == [1]
    assert upload(caller, b"a\n4\n")["current"] is True


def test_an_upload_may_leave_the_current_version_as_it_is(caller: Caller) -> None:
    assert upload(caller, b"a\n1\n", make_current="false")["current"] is True  # there is no other
    assert upload(caller, b"a\n2\n", make_current="false")["current"] is False
    assert upload(caller, b"a\n3\n", make_current="false")["number"] == 3
    assert caller.get(f"{BASE}t/").json()["current_version"] == 1


def test_a_release_that_does_not_know_the_choice_still_adds_a_current_version(
    caller: Caller, project: Project
) -> None:
    upload(caller, b"a\n1\n")
    upload(caller, b"a\n2\n")
    caller.send("PATCH", f"{BASE}t/", {"current_version": 1})
    make.dataset_version(project, "t")  # writes only latest_number
    assert caller.get(f"{BASE}t/").json()["current_version"] == 3


def test_a_version_that_nothing_needs_is_deleted_with_its_file_and_its_number_is_not_reused(
    caller: Caller,
) -> None:
    upload(caller, b"a\n1\n")
    upload(caller, b"secret\n2\n")
    wrong = DatasetVersion.objects.get(number=2)
    caller.send("PATCH", f"{BASE}t/", {"current_version": 1})
    assert caller.send("DELETE", f"{BASE}t/versions/2/", b"").status_code == 204
    assert not Path(artifacts.backend().path(wrong.storage_key)).exists()
    assert caller.get(f"{BASE}t/versions/2/").status_code == 404
    assert [row["number"] for row in caller.get(f"{BASE}t/").json()["versions"]] == [1]
    assert upload(caller, b"a\n5\n")["number"] == 3


def test_the_current_version_is_not_deleted(caller: Caller) -> None:
    upload(caller, b"a\n1\n")
    answer = caller.send("DELETE", f"{BASE}t/versions/1/", b"")
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert "current" in answer.json()["message"]


@pytest.mark.parametrize("need", ["pipeline", "job", "made", "model"])
def test_what_something_needs_is_not_deleted_and_the_answer_names_it(
    caller: Caller, project: Project, need: str
) -> None:
    upload(caller, b"a\n1\n")
    upload(caller, b"a\n2\n")
    version = DatasetVersion.objects.get(number=1)
    reader(project, version=1, name="pinned" if need == "pipeline" else "other")
    if need == "pipeline":
        expected = "Pipeline pinned version 1 reads this version"
    else:
        job = make.job(project, parameters={"pipeline": "other"})
        reader(project, name="other")  # its newest version names no version
        expected = f"Job {job.id} reads it"
        if need in ("made", "model"):
            Job.objects.filter(id=job.id).update(status=JobStatus.SUCCEEDED, finished_at=utc_now())
            made: Any = {"dataset_version": make.dataset_version(project, "out")}
            if need == "model":
                made = {"model_version": make.model_version(version)}
            JobOutput.objects.create(job=job, **made)
            expected = (
                "Dataset out version 1 was created from it"
                if need == "made"
                else "Model fan version 1 was created from it"
            )
    answer = caller.send("DELETE", f"{BASE}t/versions/1/", b"")
    assert (answer.status_code, answer.json()["code"]) == (409, "in_use")
    assert expected in answer.json()["message"]
    assert expected in caller.get(f"{BASE}t/versions/1/").json()["uses"][0]["message"]
    assert DatasetVersion.objects.filter(id=version.id).exists()


def test_a_version_that_only_failed_jobs_read_is_deleted_and_such_a_job_cannot_be_run_again(
    caller: Caller, project: Project
) -> None:
    upload(caller, b"a\n1\n")
    reader(project)
    job = make.job(project, parameters={"pipeline": "p"})
    Job.objects.filter(id=job.id).update(
        status=JobStatus.FAILED, finished_at=utc_now(), reason="exit_code"
    )
    job.refresh_from_db()
    upload(caller, b"a\n2\n")
    assert caller.send("DELETE", f"{BASE}t/versions/1/", b"").status_code == 204
    assert caller.get(f"jobs/{job.id}/").json()["inputs"][1]["version"] == 1
    with pytest.raises(Conflict, match="t version 1") as refused:
        job_retry(job=job, user=project.created_by)
    assert refused.value.code == "input_deleted"


def test_a_dataset_is_deleted_whole_unless_a_pipeline_reads_it(
    caller: Caller, project: Project
) -> None:
    upload(caller, b"a\n1\n")
    reader(project)
    refused = caller.send("DELETE", f"{BASE}t/", b"")
    assert (refused.status_code, refused.json()["detail"]["uses"][0]["name"]) == (409, "p")
    pipeline_save(project=project, name="p", definition=make.ECHO, user=project.created_by)  # type: ignore[arg-type]
    assert caller.send("DELETE", f"{BASE}t/", b"").status_code == 204
    assert caller.get(f"{BASE}t/").status_code == 404
    assert upload(caller, b"a\n1\n")["number"] == 1


def test_edits_hold_the_etag_and_need_a_maintainer(caller: Caller, project: Project) -> None:
    upload(caller, b"a\n1\n")
    tag = caller.get(f"{BASE}t/")["ETag"]
    upload(caller, b"a\n2\n")
    stale = {"If-Match": tag}
    assert (
        caller.send("PATCH", f"{BASE}t/", {"current_version": 1}, headers=stale).status_code == 412
    )
    assert caller.send("DELETE", f"{BASE}t/", b"", headers=stale).status_code == 412
    assert caller.send("DELETE", f"{BASE}t/versions/1/", b"", headers=stale).status_code == 412
    operator = Caller(make.member(project, "olga", Role.OPERATOR))
    assert operator.send("PATCH", f"{BASE}t/", {"current_version": 1}).status_code == 403
    assert operator.send("DELETE", f"{BASE}t/versions/1/", b"").status_code == 403
    assert caller.send("PATCH", f"{BASE}t/", {"current_version": 9}).status_code == 404


def test_a_job_and_a_deletion_at_the_same_time_never_leave_a_job_without_its_input(
    caller: Caller, project: Project
) -> None:
    """The first commit wins; the other request gets an error."""
    ended: list[str] = []

    def submit() -> None:
        try:
            job_submit(
                project=project,
                user=project.created_by,
                type="pipeline_execution",
                parameters={"pipeline": "p", "version": 1},
            )
            ended.append("submitted")
        except MimirError as error:
            ended.append(error.code)
        finally:
            connection.close()

    reader(project, version=1)
    for _ in range(8):
        Dataset.objects.all().delete()
        upload(caller, b"a\n1\n")
        upload(caller, b"a\n2\n")
        reader(project, version=1)
        pipeline_save(project=project, name="p", definition=make.ECHO, user=project.created_by)  # type: ignore[arg-type]
        thread = threading.Thread(target=submit)
        thread.start()
        deleted = True
        try:
            dataset_version_delete(dataset=Dataset.objects.get(), number=1)
        except InUse:
            deleted = False
        thread.join()
        reads = JobInput.objects.filter(dataset_version__isnull=False).count()
        assert reads == 0 if deleted else reads >= 1
        if deleted:
            assert ended[-1] in ("input_deleted", "invalid")
        Job.objects.all().delete()
