"""The parameter `explain` of a submit request: responses, refusals, and no writes."""

from dataclasses import replace

import pytest
from django.conf import settings

from jobs.api import jobs
from jobs.clusters.rows import cluster_ensure
from jobs.liveness.beats import beat_record
from jobs.models import Job
from jobs.queries.explain_turns import ExplainTurns
from projects.models import Project, Role
from tests.api.caller import JOBS, Caller, check_refusal
from tests.support import make

pytestmark = pytest.mark.django_db

ECHO = {"type": "pipeline_execution", "parameters": {"pipeline": "echo"}}


@pytest.fixture(autouse=True)
def _ready() -> None:
    cluster_ensure()
    beat_record(component="dispatcher")


@pytest.mark.parametrize("query", ["explain=1", "explain=true&dry_run=true"])
def test_an_explained_request_is_a_dry_run_with_its_start(caller: Caller, query: str) -> None:
    dry = caller.post(f"{JOBS}?dry_run=1", ECHO).json()
    assert dry["start"] is None
    answer = caller.post(f"{JOBS}?{query}", ECHO)
    assert answer.status_code == 200
    body = answer.json()
    start = body.pop("start")
    assert body | {"start": None} == dry
    assert (start["starts_now"], start["cluster"], start["detail"]) == (
        True,
        "local",
        "Would start now on local.",
    )
    assert not Job.objects.exists()


def test_a_request_to_explain_and_to_submit_is_refused(caller: Caller) -> None:
    check_refusal(caller.post(f"{JOBS}?explain=1&dry_run=0", ECHO), 400, "explain")
    check_refusal(caller.post(f"{JOBS}?explain=maybe", ECHO), 400, "explain")
    assert not Job.objects.exists()
    assert caller.post(f"{JOBS}?explain=0", ECHO).status_code == 201


def test_an_invalid_request_is_refused_as_at_submit(caller: Caller) -> None:
    body = ECHO | {"resources": {"memory": "heaps"}}
    check_refusal(caller.post(f"{JOBS}?explain=1", body), 400, "resources.memory")


def test_only_who_may_submit_gets_an_explanation(caller: Caller) -> None:
    project = Project.objects.get(slug="demo")
    viewer = Caller(make.member(project, "vera", Role.VIEWER))
    check_refusal(viewer.post(f"{JOBS}?explain=1", ECHO), 403)
    check_refusal(Caller(make.user("nina")).post(f"{JOBS}?explain=1", ECHO), 404)
    operator = Caller(make.member(project, "olga", Role.OPERATOR))
    assert operator.post(f"{JOBS}?explain=1", ECHO).status_code == 200


def test_a_full_queue_is_refused_as_at_submit(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ENV", replace(settings.ENV, queued_jobs_per_project=1))
    make.job()
    check_refusal(caller.post(f"{JOBS}?explain=1", ECHO), 429)
    assert caller.post(f"{JOBS}?dry_run=1", ECHO).status_code == 200


def test_a_request_that_waits_too_long_is_refused_with_retry_after(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = ExplainTurns()
    monkeypatch.setattr(jobs, "EXPLAIN_TURNS", turns)
    monkeypatch.setattr("jobs.queries.explain_turns.WAITING_MAX", 0)
    with turns.held("somebody"):
        answer = caller.post(f"{JOBS}?explain=1", ECHO)
        check_refusal(answer, 429)
        assert answer.json()["code"] == "explanations_busy"
        assert int(answer["Retry-After"]) >= 1
        check_refusal(
            caller.post(f"{JOBS}?explain=1", ECHO | {"priority": "none"}), 400, "priority"
        )
        assert caller.post(f"{JOBS}?dry_run=1", ECHO).status_code == 200
        assert caller.post(JOBS, ECHO).status_code == 201
    assert caller.post(f"{JOBS}?explain=1", ECHO).status_code == 200
