"""`GET /api/v1/jobs/{id}/time/`: the time phases of stored rows, their cost and their limits."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.contract import EventKind, FailureReason, FinishStatus
from jobs.lifecycle.report import events_record
from jobs.lifecycle.storagewait import _wait_end, _wait_record
from jobs.lifecycle.values import WorkerEvent
from jobs.models import Attempt, Job, JobEvent
from jobs.queries import time_spent
from jobs.queries.time_spent import job_time
from jobs.reconcile.apply import wait_record
from mimir.lib.clock import utc_now
from tests.api.caller import Caller, check_refusal
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def _report(attempt: Attempt, *events: tuple[EventKind, dict[str, Any]]) -> None:
    attempt.refresh_from_db()
    rows = [
        WorkerEvent(n=attempt.event_n + index, at=utc_now(), kind=kind, data=data)
        for index, (kind, data) in enumerate(events, start=1)
    ]
    events_record(attempt_id=attempt.id, events=rows)


def _causes(body: Any) -> list[tuple[str, str]]:
    return [(phase["cause"], phase["detail"]) for phase in body["phases"]]


def _read(attempt: Attempt) -> Any:
    answer = Caller(attempt.job.project.created_by).get(f"jobs/{attempt.job_id}/time/")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_phases_of_a_finished_job_are_its_whole_time() -> None:
    attempt = make.claimed()
    _report(attempt, (EventKind.STEP_STARTED, {"step": "say", "index": 0, "count": 1}))
    _report(attempt, (EventKind.STEP_SUCCEEDED, {"step": "say"}))
    make.finish(attempt)
    job = Job.objects.get(id=attempt.job_id)
    body = _read(attempt)
    assert _causes(body) == [
        ("queued", ""),
        ("launching", ""),
        ("starting", ""),
        ("preparing", ""),
        ("step", "say"),
        ("finishing", ""),
    ]
    assert job.finished_at is not None
    assert (body["from"], body["to"], body["is_live"]) == (
        job.created_at.isoformat(),
        job.finished_at.isoformat(),
        False,
    )
    whole = (job.finished_at - job.created_at).total_seconds()
    assert body["seconds"] == whole
    for rows in (body["phases"], body["causes"]):
        assert round(sum(row["seconds"] for row in rows), 6) == whole


def test_a_wait_of_a_launch_that_is_over_leaves_the_start() -> None:
    attempt = make.launched()
    wait: Any = {
        "category": FailureReason.IMAGE_PULLING.value,
        "code": "image_pulling",
        "params": {},
        "summary": "The image is being pulled.",
        "detail": "",
        "next_steps": [],
    }
    wait_record(attempt_id=attempt.id, wait=wait)
    wait_record(attempt_id=attempt.id, wait=None)
    assert _causes(_read(attempt))[2:] == [
        ("starting", ""),
        ("image_pull", ""),
        ("starting", ""),
    ]
    kinds = JobEvent.objects.filter(job=attempt.job_id, kind=EventKind.WAITS)
    assert [row.data["category"] for row in kinds] == ["image_pulling", "starting"]


def test_a_start_without_another_wait_is_not_an_event() -> None:
    attempt = make.launched()
    wait: Any = {"category": "starting", "code": "starting", "params": {}, "summary": "s"}
    wait |= {"detail": "", "next_steps": []}
    wait_record(attempt_id=attempt.id, wait=wait)
    wait_record(attempt_id=attempt.id, wait=None)
    assert not JobEvent.objects.filter(job=attempt.job_id, kind=EventKind.WAITS).exists()


def test_a_worker_cannot_end_a_wait_for_the_storage() -> None:
    """Only a notice of the orchestrator ends the wait. A notice of a worker is only text."""
    attempt = make.claimed()
    _report(attempt, (EventKind.STEP_STARTED, {"step": "say"}))
    _wait_record(attempt.id, "the artifact storage is full")
    _report(attempt, (EventKind.NOTICE, {"message": "The artifact storage is available again."}))
    assert _causes(_read(attempt))[-1] == ("storage", "")
    _wait_end(attempt.id)
    assert _causes(_read(attempt))[-2:] == [("storage", ""), ("step", "say")]


def test_the_time_costs_the_same_queries_for_any_number_of_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = make.claimed()
    job = Job.objects.get(id=attempt.job_id)
    for number in range(40):
        step = {"step": f"s{number}", "index": number, "count": 40}
        _report(attempt, (EventKind.STEP_STARTED, step), (EventKind.STEP_SUCCEEDED, step))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        body = job_time(job=job)
    assert len(queries) == 3
    assert len(body["phases"]) > 40
    monkeypatch.setattr(time_spent, "EVENTS_MAX", 10)
    cut = job_time(job=job)
    assert [phase["cause"] for phase in cut["phases"]][3:5] == ["running", "step"]
    assert len(cut["phases"]) < 20


def test_of_very_many_attempts_the_newest_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = make.claimed(max_attempts=3)
    make.finish(attempt, FinishStatus.FAILED, reason=FailureReason.WORKLOAD_FAILED)
    monkeypatch.setattr(time_spent, "EVENTS_MAX", 2)
    job = Job.objects.get(id=attempt.job_id)
    body = job_time(job=job)
    assert [phase["cause"] for phase in body["phases"]] == ["earlier"]
    whole = dt.datetime.fromisoformat(body["to"]) - dt.datetime.fromisoformat(body["from"])
    assert body["phases"][0]["seconds"] == whole.total_seconds()


def test_a_stranger_reads_no_time() -> None:
    attempt = make.claimed()
    check_refusal(Caller(make.user("stranger")).get(f"jobs/{attempt.job_id}/time/"), 404)
