"""Lists and searches with 100,000 jobs.

They use as few queries as with ten jobs, and no query scans the whole table.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.clusters.rows import cluster_ensure
from jobs.contract import JobStatus
from jobs.models import Job
from projects.models import Project
from tests.api.caller import Caller
from tests.support import make, many

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(120)]

QUERIES_MAX = 7  # one of them, the usual durations, only with waiting jobs
JOBS = 100_000


@pytest.fixture(scope="module", autouse=True)
def _many(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Create the jobs of this file once. Some are waiting, to cover the explanations."""
    with django_db_blocker.unblock():
        cluster_ensure()
        project, small = make.project("many"), make.project("few")
        waiting = [make.job(project) for _ in range(3)]
        few = make.job(small)
        with many.loading():
            many.jobs_like(waiting[0], JOBS)
            many.jobs_like(few, 1000)
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE jobs_job, jobs_cluster, projects_project, auth_user CASCADE")


@pytest.fixture
def caller() -> Caller:
    caller = Caller(User.objects.get(username="ada"))
    caller.get("projects/")  # the first use of a token is recorded
    return caller


def _statements(caller: Caller, path: str) -> tuple[Any, list[str]]:
    """Return the response, and every SQL statement that it needed."""
    with CaptureQueriesContext(connection) as queries:
        answer = caller.get(path)
    assert answer.status_code == 200, answer.content
    return answer.json(), [query["sql"] for query in queries.captured_queries]


def _plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())


def _assert_by_index(statements: list[str]) -> None:
    for sql in statements:
        assert "Seq Scan on jobs_job" not in _plan(sql), _plan(sql)  # or on jobs_jobsearch


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", 50),
        ("limit=200", 200),
        ("status=queued", 3),
        ("status=running", 0),
        ("status=failed", 50),
        ("status=succeeded", 50),
        ("status=failed&status=cancelled", 50),
        ("type=pipeline_execution", 50),
        ("type=ml_training", 50),
        ("q=nightly load of", 50),
        ("q=NIGHTLY", 50),
        ("q=r", 50),
        ("q=quarterly", 10),
        ("q=y c", 10),
        ("q=region 42", 50),
        ("q=region 41", 0),
        ("q=zz", 0),
        ("q=nowhere", 0),
        ("q=pipeline p7", 50),
        ("q=PIPELINE", 50),
        ("q=train m17", 50),
        ("q=Predict with m1", 50),
        ("q=update t29", 50),
        ("q=training", 50),
        ("q=update t31", 0),
        ("q=100%", 0),
        ("label=team", 50),
        ("label=team=team 0", 50),
        ("label=case", 10),
        ("label=case=K-4711", 10),
        ("label=none", 0),
        ("status=failed&type=pipeline_execution&q=nightly&label=team", 50),
    ],
)
def test_the_list_takes_at_most_seven_queries_and_no_scan_of_the_table(
    caller: Caller, query: str, rows: int
) -> None:
    shown, statements = _statements(caller, f"projects/many/jobs/?{query}")
    assert len(shown["results"]) == rows
    assert len(statements) <= QUERIES_MAX, statements
    _assert_by_index(statements)
    if shown["next"]:
        further, statements = _statements(caller, shown["next"].removeprefix("/api/v1/"))
        assert further["results"][0]["created_at"] <= shown["results"][-1]["created_at"]
        assert len(statements) <= QUERIES_MAX
        _assert_by_index(statements)


@pytest.mark.parametrize("characters", [36, 12, 8, 4])
def test_a_job_is_found_by_the_end_of_its_id_without_a_scan(
    caller: Caller, characters: int
) -> None:
    job = Job.objects.filter(project__slug="many").order_by("-created_at")[77]
    shown, statements = _statements(
        caller, f"projects/many/jobs/?q={str(job.id)[-characters:].upper()}"
    )
    assert str(job.id) in [row["id"] for row in shown["results"]]
    _assert_by_index(statements)


def test_a_small_project_beside_it_is_listed_without_a_scan(caller: Caller) -> None:
    for query in (
        "",
        "q=nightly",
        "q=quarterly",
        "label=team",
        "status=failed",
        "type=ml_training",
    ):
        shown, statements = _statements(caller, f"projects/few/jobs/?{query}")
        assert {row["project"] for row in shown["results"]} <= {"few"}
        _assert_by_index(statements)


def test_counts_end_at_their_bound(caller: Caller) -> None:
    shown, statements = _statements(caller, "projects/many/jobs/counts/")
    _assert_by_index(statements)
    assert (shown["queued"], shown["running"], shown["failed"]) == (3, 0, JOBS // 20)
    assert (shown["succeeded"], shown["launching"], sorted(shown)) == (
        10_001,
        0,
        sorted(status.value for status in JobStatus),
    )


def test_the_summary_reads_no_table_of_jobs_from_end_to_end(caller: Caller) -> None:
    shown, statements = _statements(caller, "projects/many/summary/")
    assert (len(shown["attention"]), shown["counts"]["waiting"]) == (1, 3)
    assert sum(hour["succeeded"] for hour in shown["hourly"]) == shown["counts"]["succeeded"] > 1000
    assert len(statements) <= 15
    _assert_by_index(statements)


def test_all_jobs_newest_first_are_read_by_an_index() -> None:
    _assert_by_index([str(Job.objects.order_by("-created_at", "-id")[:100].query)])


def test_what_is_written_here_is_what_services_would_write() -> None:
    """Check the rows, inserted directly, against the constraints and the shape of the body."""
    project = Project.objects.get(slug="many")
    assert (
        Job.objects.filter(project=project, finished_at__isnull=True)
        .exclude(status=JobStatus.QUEUED)
        .count()
        == 0
    )
    assert Job.objects.filter(project=project).count() == JOBS + 3
