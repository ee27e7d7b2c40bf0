"""A key stands for one job, whoever submitted it, and deleting users never fails for it."""

from importlib import import_module
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

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
