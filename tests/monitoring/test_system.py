"""GET /api/v1/system/: content, permissions and cost."""

import dataclasses
import datetime as dt
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.admission.limits import limit_set
from jobs.clusters.rows import cluster_ensure, cluster_reached, cluster_unreachable
from jobs.contract import FailureReason, FinishStatus
from jobs.liveness.beats import beat_record
from jobs.liveness.connection_budget import ConnectionBudget
from jobs.models import Cluster, Job, LoopBeat, UsageSample
from jobs.reasons import remedy
from jobs.types.registry import job_type_names
from mimir.lib.clock import utc_now
from mimir.lib.version import VERSION
from monitoring import headline as headlines
from monitoring.headline import headline
from monitoring.selectors import components, stored
from tests.api.caller import Caller
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boss(monkeypatch: pytest.MonkeyPatch) -> Caller:
    """Sign in as a site administrator of a healthy installation, whatever the disk usage of this
    machine.
    """
    monkeypatch.setattr(headlines, "STORAGE_FREE_SHARE_LEAST", 0.0)
    stored._kept = None
    for loop in ("dispatcher", "reconciler"):
        beat_record(component=loop)
    return Caller(make.user("boss", is_superuser=True))


def _system(boss: Caller) -> Any:
    answer = boss.get("system/")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_only_site_administrators_see_it_and_others_get_403() -> None:
    answer = Caller(make.user("clerk", is_staff=True)).get("system/")
    assert (answer.status_code, answer.json()["message"]) == (
        403,
        "The state of the installation is for site administrators.",
    )


def test_a_fresh_installation_is_healthy(boss: Caller) -> None:
    system = _system(boss)
    assert system["headline"] == {"level": "ok", "message": "Everything is healthy.", "remedy": ""}
    assert {row["component"]: row["state"] for row in system["components"]} == dict.fromkeys(
        ("dispatcher", "reconciler", "web", "database", "redis", "storage"), "alive"
    )
    assert [row["priority"] for row in system["queues"]] == ["critical", "high", "normal", "low"]
    assert (system["workers"], system["workers_total"], system["failures"]) == ([], 0, [])
    assert system["versions"]["mimir"] == VERSION
    assert {"python", "django", "postgresql"} <= system["versions"].keys()
    assert system["versions"].keys() & {"redis", "valkey"}
    assert system["storage"]["database_bytes"] > 0
    assert 0 < system["storage"]["artifact_free_bytes"] <= system["storage"]["artifact_total_bytes"]


def test_a_running_worker_is_shown_with_its_usage_limits_and_held_capacity(
    boss: Caller,
) -> None:
    attempt = make.claimed(
        resources={"cpu": "500m", "memory": "1Gi"}, name="Nightly", priority="high"
    )
    for second, memory in enumerate((100, 300, 200)):
        at = utc_now() + dt.timedelta(seconds=second)
        UsageSample.objects.create(
            attempt=attempt, at=at, memory_bytes=memory, cpu_millicores=second
        )
    limit_set(scope="project", key="demo", actor="test", max_jobs=3, paused=False)
    make.job(priority="low")
    cluster_reached(cluster=Cluster.objects.get())
    system = _system(boss)
    (worker,) = system["workers"]
    assert (worker["name"], worker["memory_bytes"], worker["cpu_millicores"]) == ("Nightly", 200, 2)
    assert (worker["memory_limit_bytes"], worker["cpu_limit_millicores"], worker["job"]) == (
        2**30,
        500,
        str(attempt.job_id),
    )
    assert system["workers_total"] == 1
    (cluster,) = system["capacity"]
    assert (cluster["used_jobs"], cluster["used_memory_bytes"], cluster["used_cpu_millicores"]) == (
        1,
        attempt.memory_bytes,
        attempt.cpu_millicores,
    )
    assert system["limits"] == [
        {"scope": "project", "key": "demo", "max_jobs": 3, "paused": False, "running": 1}
    ]
    assert {row["priority"]: row["length"] for row in system["queues"]} == {
        "critical": 0,
        "high": 0,
        "normal": 0,
        "low": 1,
    }
    assert system["reconcile"]["lag_seconds"] < 60


def test_failures_of_a_day_are_counted_by_reason_with_the_last_job_and_the_remedy(
    boss: Caller,
) -> None:
    jobs = []
    cluster_ensure()
    Cluster.objects.update(capacity_jobs=10)
    for reason in (
        FailureReason.EXIT_CODE,
        FailureReason.OUT_OF_MEMORY,
        FailureReason.EXIT_CODE,
        FailureReason.EXIT_CODE,
    ):
        attempt = make.claimed()
        make.finish(attempt, FinishStatus.FAILED, reason=reason, message="x")
        make.settle()
        jobs.append(attempt.job_id)
    Job.objects.filter(id=jobs[0]).update(finished_at=utc_now() - dt.timedelta(hours=25))
    system = _system(boss)["failures"]
    assert [(row["reason"], row["count"], row["job"]) for row in system] == [
        ("exit_code", 2, str(jobs[3])),
        ("out_of_memory", 1, str(jobs[1])),
    ]
    assert system[1]["remedy"] == remedy(FailureReason.OUT_OF_MEMORY)


def test_a_reason_of_another_release_is_shown_and_does_not_break_the_view(boss: Caller) -> None:
    attempt = make.claimed()
    make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.EXIT_CODE, message="x")
    Job.objects.update(reason="eaten_by_wolves")
    [row] = _system(boss)["failures"]
    assert (row["reason"], row["remedy"]) == (
        "eaten_by_wolves",
        "This release does not know the reason: open one of the jobs.",
    )


def _age(component: str, seconds: float) -> None:
    LoopBeat.objects.filter(component=component).update(
        beat_at=utc_now() - dt.timedelta(seconds=seconds)
    )


@pytest.mark.parametrize(("seconds", "state"), [(1, "alive"), (8, "late"), (20, "away")])
def test_a_loop_is_alive_late_or_away_by_its_last_heartbeat(
    boss: Caller, seconds: float, state: str
) -> None:
    _age("dispatcher", seconds)
    system = _system(boss)
    (row,) = [row for row in system["components"] if row["component"] == "dispatcher"]
    assert (row["state"], row["age_seconds"]) == (state, pytest.approx(seconds, abs=2))
    assert ("dispatcher is not running" in system["headline"]["message"]) == (state == "away")


def test_a_loop_that_never_ran_is_away(boss: Caller) -> None:
    LoopBeat.objects.filter(component="reconciler").delete()
    system = _system(boss)
    (row,) = [row for row in system["components"] if row["component"] == "reconciler"]
    assert (row["state"], row["instance"], row["beat_at"]) == ("away", "", None)
    assert system["headline"]["message"] == "The reconciler is not running."


def test_a_replaced_process_is_omitted(boss: Caller) -> None:
    now = utc_now()
    LoopBeat.objects.all().delete()
    before = now - dt.timedelta(hours=2)
    LoopBeat.objects.create(
        component="dispatcher",
        instance="old:1",
        started_at=before,
        beat_at=now - dt.timedelta(hours=1),
    )
    LoopBeat.objects.create(
        component="dispatcher",
        instance="new:2",
        started_at=now - dt.timedelta(minutes=50),
        beat_at=now,
    )
    LoopBeat.objects.create(component="reconciler", instance="a:1", started_at=before, beat_at=now)
    LoopBeat.objects.create(
        component="reconciler",
        instance="b:1",
        started_at=before,
        beat_at=now - dt.timedelta(minutes=1),
    )
    system = _system(boss)
    loops = [
        (row["instance"], row["state"])
        for row in system["components"]
        if row["component"] in ("dispatcher", "reconciler")
    ]
    assert loops == [("new:2", "alive"), ("a:1", "alive"), ("b:1", "away")]
    assert system["headline"]["level"] == "ok", "another reconciler works"


def test_unreachable_redis_is_reported_and_the_response_still_arrives(
    boss: Caller, settings: Any
) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, redis_url="redis://127.0.0.1:1/0")
    system = _system(boss)
    assert system["headline"]["message"] == "Redis does not answer."
    assert not system["versions"].keys() & {"redis", "valkey"}


def test_too_few_connections_are_reported_with_a_fitting_number(
    boss: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = ConnectionBudget(
        processes=6, pools=120, max_connections=100, reserved=3, others=7, role_limit=-1
    )
    monkeypatch.setattr(components, "connection_budget", lambda: budget)
    system = _system(boss)
    (row,) = [row for row in system["components"] if row["component"] == "database"]
    assert row["state"] == "alive"
    assert row["message"] == (
        "6 processes may open 132 connections, and PostgreSQL accepts 90 from them. Increase"
        " max_connections to at least 142, or set DATABASE_POOL_SIZE to at most 13."
    )
    assert system["headline"] == {
        "level": "attention",
        "message": "PostgreSQL accepts too few connections for all processes under load.",
        "remedy": row["message"],
    }


def test_a_pool_that_would_be_too_small_is_not_proposed() -> None:
    budget = ConnectionBudget(
        processes=6, pools=120, max_connections=100, reserved=3, others=0, role_limit=40
    )
    assert components.connections_problem(budget) == (
        "6 processes may open 132 connections, and PostgreSQL accepts 40 from them. Increase the"
        " connection limit of the role to at least 132."
    )


def test_an_unreachable_cluster_and_a_pause_are_reported(boss: Caller) -> None:
    make.admitted()
    limit_set(scope="global", key="", actor="test", max_jobs=None, paused=True)
    assert _system(boss)["headline"]["message"] == "All starts are paused."
    cluster_unreachable(cluster=Cluster.objects.get(), message="connection refused")
    system = _system(boss)
    assert system["headline"]["message"] == "The cluster local does not answer: connection refused"
    assert system["capacity"][0]["unreachable_message"] == "connection refused"


def test_the_number_of_statements_does_not_grow_with_running_jobs(boss: Caller) -> None:
    def count() -> int:
        stored._kept = None
        with CaptureQueriesContext(connection) as queries:
            _system(boss)
        return len(queries)

    make.claimed()
    count()  # the first use of a token is written down
    few = count()
    Cluster.objects.update(capacity_jobs=10)
    for kind in job_type_names():
        make.claimed()
        limit_set(scope="type", key=kind, actor="x", max_jobs=9, paused=False)
    for _ in range(3):
        make.job()
    assert count() == few


_QUIET: dict[str, Any] = {
    "components": [
        {"component": name, "state": "alive"}
        for name in ("dispatcher", "reconciler", "redis", "storage")
    ],
    "capacity": [],
    "storage": {"artifact_free_bytes": 50, "artifact_total_bytes": 100},
    "reconcile": {"lag_seconds": 1.0},
    "failures": [],
    "limits": [],
}


@pytest.mark.parametrize(
    ("change", "system"),
    [
        ({}, "Everything is healthy."),
        (
            {"storage": {"artifact_free_bytes": 4, "artifact_total_bytes": 100}},
            "nearly full: 4% is free",
        ),
        ({"reconcile": {"lag_seconds": 90.0}}, "no cluster whole for 90 seconds"),
        (
            {"failures": [{"reason": "launch_failed", "count": 2}]},
            "2 jobs failed in the last 24 hours with launch_failed",
        ),
        ({"failures": [{"reason": "exit_code", "count": 9}]}, "Everything is healthy."),
        (
            {"limits": [{"scope": "type", "key": "ml_training", "paused": True}]},
            "Starts of ml_training are paused.",
        ),
        (
            {"capacity": [{"cluster": "a", "enabled": False, "unreachable_message": ""}]},
            "Every cluster is disabled",
        ),
        (
            {"components": [{"component": "reconciler", "state": "alive"}]},
            "The dispatcher is not running.",
        ),
    ],
)
def test_the_headline(change: dict[str, Any], system: str) -> None:
    state: Any = {**_QUIET, **change}
    assert system in headline(state)["message"]


def test_the_version_is_that_of_the_project_file() -> None:
    assert tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"] == VERSION


@pytest.mark.parametrize(
    ("read_seconds", "keep_seconds"), [(0.01, 30.0), (0.3, 30.0), (0.7, 70.0), (60.0, 600.0)]
)
def test_sums_that_take_long_are_kept_longer(read_seconds: float, keep_seconds: float) -> None:
    assert stored.keep_seconds(read_seconds) == pytest.approx(keep_seconds)


def test_sums_are_read_once_until_they_expire(boss: Caller) -> None:
    _system(boss)
    assert stored._kept is not None
    until, _sums = stored._kept
    stored._kept = (until, (1, 2, 3))
    assert _system(boss)["storage"]["log_bytes"] == 3
    stored._kept = (time.monotonic(), (1, 2, 3))
    assert _system(boss)["storage"]["log_bytes"] == 0
