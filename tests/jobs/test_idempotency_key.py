"""An idempotency key belongs to one job for every user. Users with keys can be deleted."""

from importlib import import_module
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from jobs.contract import Priority
from jobs.lifecycle.idempotency import is_same_request, request_digest
from jobs.lifecycle.submit import job_submit
from jobs.models import Job
from tests.support import make

pytestmark = pytest.mark.django_db


def test_two_submissions_without_a_user_are_one_job() -> None:
    project = make.project()
    request: dict[str, Any] = {
        "type": "pipeline_execution",
        "parameters": {"pipeline": "echo"},
        "idempotency_key": "k",
    }
    first, again = (job_submit(project=project, user=None, **request).job for _ in range(2))
    assert first.id == again.id
    other = Job.objects.filter(id=make.job(project).id)
    other.update(created_by=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        other.update(idempotency_key="k")


@pytest.mark.parametrize(
    ("fields", "digest"),
    [
        (
            {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}, "name": "", "labels": {}, "priority": None},  # noqa: E501
            "6afa1c18134e7785df5115f63ec5cced397231c97331e6c539d2bfac9de471cd",
        ),
        (
            {"type": "pipeline_execution", "parameters": {"pipeline": "echo", "version": 1}, "name": "Nightly", "labels": {"team": "ops"},  # noqa: E501
             "priority": Priority.HIGH, "resources": {"cpu": "1"}, "timeout_seconds": 60, "max_attempts": None, "cluster": "", "region": None},  # noqa: E501
            "fbdd9a87ede2d06b69c5759db2773f60cbed9ae8da01f15bea1a7b737845c884",
        ),
    ],
)  # fmt: skip
def test_a_digest_that_version_0_1_0_stored_still_matches(fields: Any, digest: str) -> None:
    """That release computed the digests in this test."""
    assert is_same_request(digest, fields)
    assert not is_same_request(digest, {**fields, "name": "other"})
    project = make.project()
    job = job_submit(project=project, user=None, idempotency_key="k", **fields).job
    Job.objects.filter(id=job.id).update(idempotency_digest=digest)
    again = job_submit(project=project, user=None, idempotency_key="k", **fields)
    assert (again.job, again.created) == (job, False)


def test_a_field_that_a_later_release_adds_changes_no_digest() -> None:
    fields = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
    stored = request_digest(fields)
    assert stored.startswith("v2:")
    assert len(stored) <= 64
    assert is_same_request(stored, {**fields, "name": "", "labels": {}, "new_field": None})
    assert not is_same_request(stored, {**fields, "new_field": "set"})
    assert not is_same_request(stored, {**fields, "parameters": {"pipeline": ""}})


def test_users_of_the_same_key_can_all_be_deleted() -> None:
    project = make.project()
    people = [make.user(name) for name in ("bob", "cleo")]
    jobs = [make.job(project, user=user, idempotency_key="same") for user in people]
    for user in people:
        user.delete()
    left = [Job.objects.get(id=job.id) for job in jobs]
    assert [(job.created_by, job.idempotency_key) for job in left] == [(None, None)] * 2


def test_existing_duplicates_keep_the_key_at_the_oldest_job() -> None:
    project = make.project()
    for _ in range(3):
        make.job(project)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX job_idempotency_key_once")
        Job.objects.update(created_by=None)
        Job.objects.update(idempotency_key="k")
        cursor.execute(import_module("jobs.migrations.0010_idempotency_key_once").DUPLICATES)
    assert [key for _, key in sorted(Job.objects.values_list("created_at", "idempotency_key"))] == [
        "k",
        None,
        None,
    ]
