"""The admin with 100,000 jobs.

No count or scan of a whole table, and no change that bypasses a service.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.clusters.rows import cluster_ensure
from jobs.models import Artifact, Attempt, Job, JobEvent
from projects.models import Membership, Project
from tests.support import make, many

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(120)]
JOBS = 100_000
QUERIES_MAX = 9  # two of them are for the session and the user
LARGE = (
    "jobs_job",
    "jobs_jobsearch",
    "jobs_attempt",
    "jobs_jobevent",
    "jobs_artifact",
    "projects_datasetversion",
    "projects_entity",
)


@pytest.fixture(scope="module", autouse=True)
def _many(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Insert jobs with an attempt, two events and an artifact each, once for all tests of this
    file.
    """
    with django_db_blocker.unblock():
        cluster_ensure()
        attempt = make.claimed()
        make.finish(attempt)
        Artifact.objects.create(
            attempt=attempt,
            name="a.csv",
            size_bytes=1,
            sha256="0" * 64,
            media_type="text/csv",
            storage_key="none/a",
        )
        with many.loading(), connection.cursor() as cursor:
            many.jobs_like(attempt.job, JOBS)
            for statement in _BESIDE:
                cursor.execute(statement)
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE jobs_job, jobs_cluster, jobs_metricdelta, projects_project, auth_user CASCADE"
        )


_ATTEMPT = ", ".join(f'"{field.column}"' for field in Attempt._meta.concrete_fields)
_OF_ITS_OWN = {
    "id": "gen_random_uuid()",
    "job_id": "job.id",
    "name": "'worker-job-' || job.id || '-1'",
}
_ATTEMPT_OF = ", ".join(
    _OF_ITS_OWN.get(str(field.column), f'like_it."{field.column}"')
    for field in Attempt._meta.concrete_fields
)
_BESIDE = (
    f"INSERT INTO jobs_attempt ({_ATTEMPT}) SELECT {_ATTEMPT_OF} FROM jobs_attempt like_it, "
    "jobs_job job WHERE job.id <> like_it.job_id",
    "INSERT INTO jobs_jobevent (job_id, seq, at, attempt, kind, actor, data) SELECT id, n, "
    "created_at, 1, 'progress', 'x', '{}' "
    "FROM jobs_job, generate_series(101, 102) n",
    "INSERT INTO jobs_artifact (id, attempt_id, name, role, size_bytes, sha256, media_type, "
    "storage_key, created_at) "
    "SELECT gen_random_uuid(), id, 'b.csv', 'artifact', 1, repeat('0', 64), 'text/csv', 'none/' "
    "|| id, created_at FROM jobs_attempt",
    "ANALYZE",
)


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(make.user("boss", is_staff=True, is_superuser=True))
    return client


def _statements(boss: Client, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as seen:
        answer = boss.get(path)
    assert answer.status_code == 200, (path, answer.content[:500])
    return [query["sql"] for query in seen.captured_queries if query["sql"].startswith("SELECT")]


def _scans(statement: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    return [plan for table in LARGE if f"Seq Scan on {table}" in plan]


def _paths() -> list[str]:
    some = Job.objects.all()[500]
    of_jobs = [f"?q={some.id}", f"?q={some.id.hex[-8:]}", f"?q={str(some.id)[-12:]}"]
    of_jobs += ["?q=nightly", "?q=Quarterly+closing", "?q=demo", "?q=nothing-like-it"]
    of_jobs += ["", "?p=10", "?reason=exit_code", "?reason=protocol", "?submitted=7"]
    of_jobs += [
        f"?status__exact={status}" for status in ("queued", "running", "failed", "succeeded")
    ]
    of_jobs += [
        "?type__exact=ml_training",
        "?status__exact=failed&type__exact=ml_inference&reason=exit_code",
    ]
    paths = [f"job/{query}" for query in of_jobs]
    for table in ("attempt", "jobevent", "artifact", "usagesample"):
        paths += [f"{table}/", f"{table}/?p=3", f"{table}/?q={some.id}", f"{table}/?q=nonsense"]
    return [*paths, f"attempt/?q=worker-job-{some.id}-1"]


def test_no_list_and_no_search_reads_a_table_from_end_to_end(boss: Client) -> None:
    for path in _paths():
        statements = _statements(boss, f"/admin/jobs/{path}")
        assert len(statements) <= QUERIES_MAX, (path, statements)
        assert not [
            statement
            for statement in statements
            if "COUNT(" in statement and "LIMIT" not in statement
        ], path
        for statement in statements:
            assert not _scans(statement), (path, statement, _scans(statement))


def test_a_search_finds_what_it_names(boss: Client) -> None:
    some = Job.objects.exclude(name="").first()
    assert some is not None
    for text in (str(some.id), some.id.hex[-8:]):
        assert str(some.id) in boss.get("/admin/jobs/job/", {"q": text}).content.decode()
    assert "50 jobs" not in boss.get("/admin/jobs/job/", {"q": "Quarterly"}).content.decode()
    assert "10 jobs" in boss.get("/admin/jobs/job/", {"q": "quarterly clos"}).content.decode()
    assert "1 attempt" in boss.get("/admin/jobs/attempt/", {"q": str(some.id)}).content.decode()


@pytest.mark.parametrize(
    "path",
    sorted(f"{model._meta.app_label}/{model._meta.model_name}" for model in admin.site._registry),
)
def test_every_list_opens(boss: Client, path: str) -> None:
    assert boss.get(f"/admin/{path}/").status_code == 200
    assert boss.get(f"/admin/{path}/", {"q": "x"}).status_code == 200


def test_a_row_of_each_kind_opens_and_cannot_be_changed(boss: Client) -> None:
    attempt = Attempt.objects.exclude(log_closed_at=None).first()
    assert attempt is not None
    event, artifact = (
        JobEvent.objects.filter(job=attempt.job).first(),
        Artifact.objects.filter(attempt=attempt).first(),
    )
    for path in (
        f"job/{attempt.job_id}",
        f"attempt/{attempt.id}",
        f"jobevent/{event and event.pk}",
        f"artifact/{artifact and artifact.pk}",
    ):
        assert len(_statements(boss, f"/admin/jobs/{path}/change/")) <= 20, path
        assert boss.post(f"/admin/jobs/{path}/change/", {"status": "failed"}).status_code == 403
        assert boss.post(f"/admin/jobs/{path}/delete/", {"post": "yes"}).status_code == 403
    assert boss.get("/admin/jobs/job/add/").status_code == 403


WRITABLE = {"auth.user", "auth.group", "projects.project", "jobs.cluster", "jobs.limit"}


def test_immutable_rows_cannot_be_added_changed_or_deleted(rf: Any) -> None:
    request = rf.get("/")
    request.user = User(is_active=True, is_staff=True, is_superuser=True)
    for model, shown in admin.site._registry.items():
        label = model._meta.label_lower
        if model._meta.app_label not in ("jobs", "projects") or label in WRITABLE:
            continue
        allowed = [
            shown.has_add_permission(request),
            shown.has_change_permission(request),
            shown.has_delete_permission(request),
        ]
        assert allowed == [False, False, label == "projects.accesstoken"], label


def _form(project: Project, **fields: Any) -> dict[str, Any]:
    rows = list(project.memberships.order_by("pk"))
    form: dict[str, Any] = {
        "name": project.name,
        "description": project.description,
        "status": project.status,
    }
    form |= {"memberships-TOTAL_FORMS": len(rows) + 1, "memberships-INITIAL_FORMS": len(rows)}
    for number, row in enumerate(rows):
        form |= {f"memberships-{number}-id": row.pk, f"memberships-{number}-project": project.pk}
        form |= {f"memberships-{number}-user": row.user_id, f"memberships-{number}-role": row.role}
    return form | {f"memberships-{len(rows)}-project": project.pk} | fields


def test_a_project_and_its_members_change_by_the_services(boss: Client) -> None:
    project = make.project("edited", owner=make.user("owner"))
    path = f"/admin/projects/project/{project.pk}/change/"
    grace = make.user("grace")
    etag = project.updated_at
    answer = boss.post(
        path,
        _form(
            project,
            **{
                "name": "  Better  ",
                "memberships-1-user": grace.pk,
                "memberships-1-role": "operator",
            },
        ),
    )
    assert answer.status_code == 302, answer.context["errors"]
    project.refresh_from_db()
    assert (project.name, project.updated_at > etag) == ("Better", True)
    assert Membership.objects.get(project=project, user=grace).role == "operator"
    assert boss.post(path, _form(project, status="archived")).status_code == 302
    project.refresh_from_db()
    refused = boss.post(path, _form(project, name="Other"))
    assert b"Set its status to active" in refused.content
    assert (
        boss.post(
            path, _form(project, **{"status": "active", "memberships-0-DELETE": "on"})
        ).status_code
        == 302
    )
    assert not Membership.objects.filter(project=project, user__username="owner").exists()


def test_the_creator_of_a_project_is_its_first_maintainer(boss: Client) -> None:
    form = {
        "slug": "made",
        "name": "Made",
        "description": "",
        "status": "active",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    assert boss.post("/admin/projects/project/add/", form).status_code == 302
    made = Project.objects.get(slug="made")
    assert (made.created_by and made.created_by.username, made.memberships.get().role) == (
        "boss",
        "maintainer",
    )
