"""`/health` and `/ready` name the missing service: database, migrations or Redis.

Log lines have the ids of request and job.
"""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from mimir.dev.ports import free_port
from monitoring import readiness
from tests.support import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forget_cached_health() -> None:
    readiness._migrated.clear()


def _ready() -> tuple[int, str, dict[str, str]]:
    answer = Client().get("/ready", headers={"Host": "10.1.2.3:8080"})
    body = answer.json()
    return answer.status_code, body["status"], body["checks"]


def test_everything_is_healthy() -> None:
    assert _ready() == (
        200,
        "ready",
        {"database": "ok", "migrations": "ok", "redis": "ok", "storage": "ok"},
    )


def test_health_asks_nobody_and_takes_any_host(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = Client().get("/health", headers={"Host": "10.1.2.3:8080"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_redis_away_is_degraded_and_not_dead(settings: Any) -> None:
    settings.ENV = replace(settings.ENV, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    status, word, checks = _ready()
    assert (status, word) == (200, "degraded")
    assert checks["redis"].startswith("Redis does not answer")
    assert checks["database"] == checks["migrations"] == "ok"


def test_a_missing_migration_is_not_ready_and_says_what_to_do() -> None:
    ((_app, newest),) = MigrationLoader(connection).graph.leaf_nodes("jobs")
    MigrationRecorder(connection).record_unapplied("jobs", newest)
    status, word, checks = _ready()
    assert (status, word) == (503, "not_ready")
    assert "manage.py migrate" in checks["migrations"]
    assert checks["database"] == "ok"


def test_the_database_away_is_said_before_a_probe_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = {**connection.get_connection_params(), "port": free_port()}
    monkeypatch.setattr(type(connections["default"]), "get_connection_params", lambda self: nobody)
    status, word, checks = _ready()
    assert (status, word) == (503, "not_ready")
    assert checks["database"].startswith("The database does not answer")
    assert checks["migrations"] == "Unknown: the database does not answer."


@pytest.mark.django_db(transaction=True)
def test_a_line_about_a_job_bears_its_id_and_that_of_the_request(
    caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    from tests.api.caller import Caller

    owner = make.project().created_by
    assert owner is not None
    caplog.set_level("INFO")
    body = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}
    submitted = Caller(owner).post(
        "projects/demo/jobs/", body, headers={"X-Request-ID": "request-0001"}
    )
    job = submitted.json()["id"]
    Caller(owner).post(f"jobs/{job}/cancel/", None, headers={"X-Request-ID": "request-0002"})
    lines = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    logged = {
        (line["event"], line.get("request_id")) for line in lines if line.get("job_id") == job
    }
    assert ("job submitted", "request-0001") in logged
    assert ("job moved", "request-0002") in logged
    assert ("request_finished", "request-0002") in logged


def test_lines_are_json_without_secrets() -> None:
    import logging.config

    from mimir.lib.logging import logging_config

    formatter = logging_config("info")["formatters"]["json"]
    created = formatter["()"](
        processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
    )
    record = logging.LogRecord(
        "x", logging.INFO, "f", 1, "to redis://:sesame@host with Bearer abcdefghijkl", (), None
    )
    record.password = "sesame"
    line = json.loads(created.format(record))
    assert {"event", "level", "logger", "timestamp", "password"} <= set(line)
    assert "sesame" not in json.dumps(line)
    assert "abcdefghijkl" not in json.dumps(line)
