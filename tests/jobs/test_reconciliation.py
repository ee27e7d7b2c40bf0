"""Decisions of the reconciler about one attempt, from its row and its observation."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from jobs.contract import FailureReason, JobStatus
from jobs.diagnosis.message import DiagnosisBody
from jobs.reconcile.decide import (
    AttemptView,
    Verb,
    WorkerState,
    capacity_wait,
    decide,
)
from tests.jobs.attempt_examples import (
    ALIVE,
    CANCELLING,
    DEAD,
    FENCED,
    FIFTH,
    FINISHED,
    FORBIDDEN,
    GIVEN_UP,
    INTERRUPTED,
    LAUNCHED,
    LAUNCHING,
    LEFTOVERS,
    NO_CAPACITY,
    NO_COMMAND,
    NO_IMAGE,
    PLACED,
    REFUSED,
    RUNNING,
    TIMES,
    at,
)


@pytest.mark.parametrize(
    ("case", "row", "seen", "now", "verb", "reason"),
    [
        ("was asked to stop, and is about to go", INTERRUPTED, ALIVE, 60, Verb.NOTHING, None),
        (
            "was asked to stop, and does not go",
            INTERRUPTED,
            ALIVE,
            91,
            Verb.END,
            FailureReason.INTERRUPTED,
        ),
        (
            "was asked to stop, and is nowhere",
            INTERRUPTED,
            None,
            31,
            Verb.END,
            FailureReason.INTERRUPTED,
        ),
        (
            "was asked to stop, and ended without a word",
            INTERRUPTED,
            WorkerState(alive=False, gone=True),
            31,
            Verb.END,
            FailureReason.INTERRUPTED,
        ),
        (
            "was evicted",
            INTERRUPTED,
            WorkerState(alive=False, gone=True, reason="evicted"),
            31,
            Verb.END,
            FailureReason.EVICTED,
        ),
        ("not launched yet", LAUNCHING, None, 5, Verb.NOTHING, None),
        ("launching and seen", LAUNCHED, ALIVE, 5, Verb.NOTHING, None),
        ("vanished before its claim", LAUNCHED, None, 5, Verb.END, FailureReason.WORKER_LOST),
        ("dead before its claim", LAUNCHED, DEAD, 5, Verb.END, FailureReason.WORKER_LOST),
        (
            "its claim was lost with a restored database",
            LAUNCHED,
            REFUSED,
            5,
            Verb.END,
            FailureReason.WORKER_LOST,
        ),
        (
            "the cluster found it wanting before its claim",
            LAUNCHED,
            NO_COMMAND,
            5,
            Verb.END,
            FailureReason.BAD_COMMAND,
        ),
        ("never claimed", LAUNCHED, ALIVE, 301, Verb.END, FailureReason.LAUNCH_TIMEOUT),
        ("waits for room", FIFTH, NO_CAPACITY, 1799, Verb.NOTHING, None),
        (
            "waited for room long enough",
            FIFTH,
            NO_CAPACITY,
            1801,
            Verb.END,
            FailureReason.UNSCHEDULABLE_CPU,
        ),
        (
            "the first waits no longer than it may take to start",
            LAUNCHED,
            NO_CAPACITY,
            301,
            Verb.END,
            FailureReason.UNSCHEDULABLE_CPU,
        ),
        (
            "what a change alone mends is not waited for so long",
            FIFTH,
            NO_IMAGE,
            301,
            Verb.END,
            FailureReason.IMAGE_NOT_FOUND,
        ),
        ("had room at last, and starts", FIFTH, PLACED, 2000, Verb.NOTHING, None),
        (
            "had room at last, and did not start in time",
            FIFTH,
            PLACED,
            2001,
            Verb.END,
            FailureReason.LAUNCH_TIMEOUT,
        ),
        ("placed by a clock that is ahead", LAUNCHED, PLACED, 301, Verb.NOTHING, None),
        ("may not be launched", FORBIDDEN, None, 299, Verb.NOTHING, None),
        (
            "might not be launched for long",
            FORBIDDEN,
            None,
            301,
            Verb.END,
            FailureReason.CLUSTER_FORBIDDEN,
        ),
        (
            "cancelled before its claim",
            dataclasses.replace(LAUNCHED, job_status=JobStatus.CANCELLING),
            ALIVE,
            5,
            Verb.FENCE,
            None,
        ),
        ("running and seen", RUNNING, ALIVE, 30, Verb.NOTHING, None),
        ("running and silent but seen", RUNNING, ALIVE, 59, Verb.NOTHING, None),
        ("vanished while running", RUNNING, None, 30, Verb.END, FailureReason.WORKER_LOST),
        (
            "supervisor dead, workload left",
            RUNNING,
            LEFTOVERS,
            30,
            Verb.END,
            FailureReason.WORKER_LOST,
        ),
        ("past its deadline, within the grace to stop", RUNNING, ALIVE, 71, Verb.NOTHING, None),
        (
            "past its deadline and that grace",
            RUNNING,
            ALIVE,
            73,
            Verb.END,
            FailureReason.DEADLINE_EXCEEDED,
        ),
        ("cancel within its grace", CANCELLING, ALIVE, 14, Verb.NOTHING, None),
        ("cancel past its grace", CANCELLING, ALIVE, 16, Verb.FENCE, None),
        ("lost while cancelling", CANCELLING, None, 7, Verb.END, FailureReason.WORKER_LOST),
        (
            "its job moved on",
            dataclasses.replace(RUNNING, job_attempt=2),
            ALIVE,
            30,
            Verb.FENCE,
            None,
        ),
        ("fenced and still there", FENCED, ALIVE, 30, Verb.TERMINATE, None),
        ("fenced, workload left", FENCED, LEFTOVERS, 30, Verb.TERMINATE, None),
        ("fenced and gone", FENCED, DEAD, 30, Verb.GONE, None),
        ("fenced and not listed", FENCED, None, 30, Verb.GONE, None),
        ("fenced by a clock that is ahead", FENCED, None, 19, Verb.GONE, None),
        ("finished by a clock that is ahead", FINISHED, DEAD, 19, Verb.GONE, None),
        (
            "claimed by a clock that is ahead, vanished",
            RUNNING,
            None,
            1.5,
            Verb.END,
            FailureReason.WORKER_LOST,
        ),
        ("finished, about to exit", FINISHED, ALIVE, 30, Verb.NOTHING, None),
        ("finished, supervisor dead, workload left", FINISHED, LEFTOVERS, 30, Verb.TERMINATE, None),
        ("finished, does not exit", FINISHED, ALIVE, 700, Verb.TERMINATE, None),
        ("finished and gone", FINISHED, DEAD, 30, Verb.GONE, None),
        (
            "gone, log not sealed",
            dataclasses.replace(FINISHED, gone_at=at(30)),
            DEAD,
            40,
            Verb.NOTHING,
            None,
        ),
        ("given up with its cluster, and there again", GIVEN_UP, ALIVE, 40, Verb.TERMINATE, None),
        ("given up with its cluster, and gone there", GIVEN_UP, None, 40, Verb.CLEAN_UP, None),
        (
            "gone and sealed",
            dataclasses.replace(FINISHED, gone_at=at(30), sealed=True),
            DEAD,
            40,
            Verb.CLEAN_UP,
            None,
        ),
    ],
)
def test_each_case_has_its_action(
    case: str,
    row: AttemptView,
    seen: WorkerState | None,
    now: float,
    verb: Verb,
    reason: FailureReason | None,
) -> None:
    action = decide(row, seen, now=at(now), times=TIMES)
    assert (action.verb, action.reason) == (verb, reason), case


WAIT: DiagnosisBody = {
    "category": "unschedulable_cpu",
    "code": "unschedulable_cpu",
    "params": {"wanted": "1 CPU"},
    "summary": "Waiting: no node has 1 CPU free.",
    "detail": "It starts when a node has free capacity.",
    "next_steps": [],
}
OLD_WAIT = {name: value for name, value in WAIT.items() if name not in ("code", "params")}


def test_the_end_of_a_wait_says_that_the_worker_never_started() -> None:
    state = WorkerState(
        alive=True, reason=WAIT["category"], message=WAIT["summary"], diagnosis=WAIT
    )
    action = decide(LAUNCHED, state, now=at(301), times=TIMES)
    assert action.text == (
        "Never started: no node has 1 CPU free. It did not report within 300 s of its admission."
    )


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (WAIT, "Never started: no node has 1 CPU free. It"),
        (OLD_WAIT, "Waiting: no node has 1 CPU free. It"),
    ],
    ids=["this-release", "previous-release"],
)
def test_the_end_of_a_stored_wait_has_its_reason(stored: Mapping[str, Any], text: str) -> None:
    row = dataclasses.replace(LAUNCHING, waits_for={**stored, "since": "2026-01-01"})
    action = decide(row, None, now=at(301), times=TIMES)
    assert action.reason is FailureReason.UNSCHEDULABLE_CPU
    assert action.text.startswith(text)


def test_what_exit_json_says_is_the_reason() -> None:
    seen = WorkerState(alive=False, gone=True, reason="out_of_memory", message="Ran out of memory.")
    action = decide(RUNNING, seen, now=at(30), times=TIMES)
    assert (action.reason, action.message) == (FailureReason.OUT_OF_MEMORY, "Ran out of memory.")


def test_a_worker_that_can_never_start_ends_at_once_with_what_its_cluster_says() -> None:
    seen = WorkerState(alive=True, stuck=True, reason="image_not_found", message="No such image.")
    action = decide(LAUNCHED, seen, now=at(2), times=TIMES)
    assert (action.verb, action.reason, action.message) == (
        Verb.END,
        FailureReason.IMAGE_NOT_FOUND,
        "No such image.",
    )


@pytest.mark.parametrize(
    ("number", "launch_timeout", "seconds"),
    [
        (1, 300, 300),
        (2, 300, 600),
        (3, 300, 1200),
        (4, 300, 1800),
        (40, 300, 1800),
        (9, 7200, 7200),
    ],
)
def test_the_time_to_wait_for_capacity_doubles_up_to_half_an_hour(
    number: int, launch_timeout: float, seconds: float
) -> None:
    assert capacity_wait(number, launch_timeout) == seconds
