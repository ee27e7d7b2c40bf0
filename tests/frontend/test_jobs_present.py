"""Sentences, history and waiting rules of jobs on the pages."""

from typing import Any

import pytest

from mimir.frontend import formatting
from mimir.frontend.pages.job.history import attempts, grouped, history, rules
from mimir.frontend.pages.jobs.present import status_shape

JOB: Any = {
    "status": "queued",
    "attempt": 1,
    "max_attempts": 3,
    "message": "",
    "reason": "",
    "waiting": None,
    "started_at": None,
    "finished_at": None,
    "result": None,
}


def _event(seq: int, kind: str, attempt: int = 1, **data: Any) -> Any:
    return {
        "seq": seq,
        "at": f"2026-11-25T07:18:{seq:02d}+00:00",
        "attempt": attempt,
        "kind": kind,
        "data": data,
    }


def test_a_job_between_two_attempts_has_its_own_icon() -> None:
    assert status_shape(JOB | {"attempt": 2}) == "retrying"
    assert status_shape(JOB) == "queued"


def test_a_lost_worker_differs_from_one_that_stopped() -> None:
    events = [_event(1, "job.worker_gone"), _event(2, "job.worker_gone", unseen=True, cluster="eu")]
    row, unseen = history(events)["rows"]
    assert (row["label"], row["detail"]) == ("Worker stopped, capacity released", "")
    assert (unseen["label"], unseen["detail"]) == (
        "Worker considered lost, capacity released",
        "eu does not answer",
    )


def test_the_end_of_a_step_includes_its_start() -> None:
    events = [
        _event(1, "job.submitted"),
        _event(2, "step.started", step="trips", index=0, count=2),
        _event(3, "step.succeeded", step="trips", rows=140, seconds=1.0),
        _event(4, "step.started", step="daily", index=1, count=2),
    ]
    shown = history(events, "ada")
    assert [(row["label"], row["detail"]) for row in shown["rows"]] == [
        ("Submitted", "by ada"),
        ("Step trips done", "1 of 2, 140 rows, took 1.0 s"),
        ("Step daily started", "2 of 2"),
    ]
    assert shown["quiet"] == 0


def test_hidden_progress_events_are_counted() -> None:
    events = [
        _event(1, "step.started", step="trips", index=0, count=1),
        _event(2, "step.progress", step="trips", fraction=0.5, message="half"),
        _event(3, "metric", name="loss", value=1.0),
        _event(4, "step.succeeded", step="trips", rows=140, seconds=1.0),
    ]
    assert history(events)["quiet"] == 2


def test_the_same_step_of_another_attempt_keeps_its_start() -> None:
    events = [
        _event(1, "step.started", step="a", index=0, count=1),
        _event(2, "step.failed", attempt=2, step="a"),
    ]
    assert [row["label"] for row in history(events)["rows"]] == ["Step a started", "Step a failed"]


def test_failing_rules_come_first() -> None:
    waiting: Any = {
        "rules": [
            {"rule": "paused", "passes": True, "detail": ""},
            {
                "rule": "capacity",
                "passes": False,
                "detail": "All 4 worker slots are in use.",
            },
        ]
    }
    found = rules(waiting)
    assert [rule["rule"] for rule in found] == ["capacity", "paused"]
    assert found[0]["detail"] == "All 4 worker slots are in use."


@pytest.mark.parametrize(
    ("quantity", "shown"),
    [
        ("4Gi", "4 GiB"),
        ("512Mi", "512 MiB"),
        ("2G", "2 GB"),
        ("1536Mi", "1.5 GiB"),
        ("lots", "lots"),
    ],
)
def test_quantities_keep_their_units(quantity: str, shown: str) -> None:
    assert formatting.limit(quantity) == shown


def _attempt(
    number: int,
    *,
    reason: str = "unschedulable_cpu",
    claimed: str | None = None,
    ended: bool = True,
) -> Any:
    at = "2026-11-25T07:18:00+00:00"
    return {
        "number": number,
        "reason": reason,
        "message": reason,
        "created_at": at,
        "claimed_at": claimed,
        "ended_at": at if ended else None,
    }


def test_an_attempt_with_raised_memory_names_the_one_that_ran_out_of_it() -> None:
    claimed = "2026-11-25T07:18:00+00:00"
    small = {"memory_limit_bytes": 2**30, "memory_raised_to_bytes": 2**31}
    large = {"memory_limit_bytes": 2**31, "memory_raised_to_bytes": None}
    rows = [
        _attempt(1, reason="out_of_memory", claimed=claimed) | small,
        _attempt(2, reason="worker_lost", claimed=claimed) | large,
        _attempt(3, claimed=claimed, ended=False) | large,
    ]
    shown = attempts(rows, (JOB | {"status": "running", "attempt": 3}))
    assert [one["raised_from"] and one["raised_from"]["number"] for one in shown] == [None, 1, None]


def test_the_history_names_the_job_whose_memory_was_taken() -> None:
    event = _event(1, "job.submitted", memory_from_job="a" * 24 + "0123abcd", memory_bytes=2**33)
    [row] = history([event], "ada")["rows"]
    assert row["detail"] == "by ada, with 8 GiB, as in job 0123abcd"


def test_attempts_that_never_ran_for_one_reason_are_one_line() -> None:
    rows = [
        _attempt(1, reason="out_of_memory", claimed="2026-11-25T07:18:00+00:00"),
        *(_attempt(number) for number in range(2, 30)),
        _attempt(30, reason="quota_exceeded"),
        _attempt(31),
        _attempt(32, ended=False),
    ]
    shown = grouped(attempts(rows, (JOB | {"status": "launching", "attempt": 32})))
    assert [(one["first"], one["number"], one["count"]) for one in shown] == [
        (1, 1, 1),
        (2, 29, 28),
        (30, 30, 1),
        (31, 31, 1),
        (32, 32, 1),
    ]
    assert [one["current"] for one in shown] == [False, False, False, False, True]
    assert [one["status"] for one in shown] == [
        "failed",
        "retrying",
        "retrying",
        "retrying",
        "launching",
    ]
