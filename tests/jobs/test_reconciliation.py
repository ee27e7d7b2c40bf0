"""Decisions of the reconciler about one attempt, from its row and observation."""

import dataclasses
import datetime as dt
import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from jobs.contract import FailureReason, JobStatus
from jobs.diagnosis.message import DiagnosisBody
from jobs.reconcile.decide import (
    AttemptView,
    Silence,
    Times,
    Verb,
    WorkerState,
    capacity_wait,
    decide,
    decide_away,
)

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TIMES = Times(launch_timeout=300, cancel_grace=10, worker_grace=600)
ALIVE = WorkerState(alive=True)
DEAD = WorkerState(alive=False, gone=True)
REFUSED = WorkerState(
    alive=False, gone=True, reason="protocol", message="The orchestrator refused a report."
)
NO_COMMAND = WorkerState(
    alive=False, gone=True, reason="bad_command", message="The worker could not be started."
)
LEFTOVERS = WorkerState(alive=False, gone=False)


def at(seconds: float) -> dt.datetime:
    return T0 + dt.timedelta(seconds=seconds)


LAUNCHING = AttemptView(
    id=uuid.UUID(int=1),
    job_id=uuid.UUID(int=2),
    number=1,
    name="worker-job-2-1",
    job_status=JobStatus.LAUNCHING,
    job_attempt=1,
    timeout_seconds=60,
    created_at=T0,
)
LAUNCHED = dataclasses.replace(LAUNCHING, uid="u", launched_at=at(1))
FIFTH = dataclasses.replace(LAUNCHED, number=5, job_attempt=5)
FORBIDDEN = dataclasses.replace(
    LAUNCHING,
    waits_for={
        "category": "cluster_forbidden",
        "summary": "The cluster does not let Mimir run workers.",
    },
)
NO_ROOM = WorkerState(alive=True, reason="unschedulable_cpu", message="No node has the CPU.")
NO_IMAGE = WorkerState(alive=True, reason="image_not_found", message="There is no such image.")
PLACED = WorkerState(alive=True, placed_at=at(1700.5))
RUNNING = dataclasses.replace(
    LAUNCHED,
    job_status=JobStatus.RUNNING,
    claim_id=uuid.UUID(int=3),
    claimed_at=at(2),
    heartbeat_at=at(2),
)
FENCED = dataclasses.replace(RUNNING, fenced_at=at(20), ended_at=at(20))
FINISHED = dataclasses.replace(RUNNING, ended_at=at(20), job_status=JobStatus.SUCCEEDED)
GIVEN_UP = dataclasses.replace(FENCED, gone_at=at(30), sealed=True)
INTERRUPTED = dataclasses.replace(RUNNING, interrupted_at=at(30), timeout_seconds=3600)
CANCELLING = dataclasses.replace(
    RUNNING, job_status=JobStatus.CANCELLING, cancel_requested_at=at(5)
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
        ("waits for room", FIFTH, NO_ROOM, 1799, Verb.NOTHING, None),
        (
            "waited for room long enough",
            FIFTH,
            NO_ROOM,
            1801,
            Verb.END,
            FailureReason.UNSCHEDULABLE_CPU,
        ),
        (
            "the first waits no longer than it may take to start",
            LAUNCHED,
            NO_ROOM,
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


def silence(cluster: float, worker: float = 0.0, *, has_recent_heartbeat: bool = False) -> Silence:
    return Silence(
        cluster_seconds=cluster,
        worker_seconds=worker,
        grace_seconds=600,
        has_recent_heartbeat=has_recent_heartbeat,
    )


HEARD = silence(5000, has_recent_heartbeat=True)
SILENT = silence(5000, 599)
LOST = silence(700, 600)
LEFT = dataclasses.replace(RUNNING, interrupted_at=at(20), timeout_seconds=600)
ROOMLESS = dataclasses.replace(
    FIFTH, waits_for={"category": "unschedulable_cpu", "summary": "No node has the CPU."}
)
UNANSWERED = dataclasses.replace(
    LAUNCHING,
    number=5,
    job_attempt=5,
    waits_for={"category": "cluster_unreachable", "summary": "No answer."},
)
UNCLAIMED_CANCELLING = dataclasses.replace(LAUNCHED, job_status=JobStatus.CANCELLING)


@pytest.mark.parametrize(
    ("case", "row", "silent", "now", "verb", "reason"),
    [
        ("running and heard of", RUNNING, HEARD, 30, Verb.NOTHING, None),
        ("running and silent within the grace", RUNNING, SILENT, 30, Verb.NOTHING, None),
        ("both silent for the grace", RUNNING, LOST, 30, Verb.END, FailureReason.HEARTBEAT_LOST),
        ("a cluster that has just gone", RUNNING, silence(10, 10), 30, Verb.NOTHING, None),
        (
            "said that it was asked to stop, a while ago",
            INTERRUPTED,
            SILENT,
            90,
            Verb.NOTHING,
            None,
        ),
        (
            "said that it was asked to stop, a minute ago",
            INTERRUPTED,
            SILENT,
            91,
            Verb.END,
            FailureReason.INTERRUPTED,
        ),
        (
            "past its deadline and heard of",
            RUNNING,
            HEARD,
            73,
            Verb.END,
            FailureReason.DEADLINE_EXCEEDED,
        ),
        (
            "past its deadline and silent: it may have ended in time",
            RUNNING,
            SILENT,
            73,
            Verb.NOTHING,
            None,
        ),
        ("past its deadline and lost", RUNNING, LOST, 73, Verb.END, FailureReason.HEARTBEAT_LOST),
        ("cancel within its grace", CANCELLING, HEARD, 14, Verb.NOTHING, None),
        ("cancel past its grace", CANCELLING, HEARD, 16, Verb.FENCE, None),
        ("cancel of a silent one past its grace", CANCELLING, SILENT, 16, Verb.FENCE, None),
        (
            "lost while cancelling, before its cancel's grace",
            CANCELLING,
            LOST,
            7,
            Verb.END,
            FailureReason.HEARTBEAT_LOST,
        ),
        (
            "it said that it was asked to stop",
            dataclasses.replace(RUNNING, interrupted_at=at(20)),
            SILENT,
            40,
            Verb.NOTHING,
            None,
        ),
        (
            "it said so, and why is not known a minute later",
            LEFT,
            SILENT,
            81,
            Verb.END,
            FailureReason.INTERRUPTED,
        ),
        (
            "its job moved on",
            dataclasses.replace(RUNNING, job_attempt=2),
            HEARD,
            30,
            Verb.FENCE,
            None,
        ),
        ("fenced, and its worker may hear of it", FENCED, SILENT, 30, Verb.NOTHING, None),
        ("fenced, and nobody is heard of", FENCED, LOST, 30, Verb.GONE, None),
        ("finished", FINISHED, SILENT, 30, Verb.NOTHING, None),
        ("finished, and nobody is heard of", FINISHED, LOST, 30, Verb.GONE, None),
        ("not started yet", LAUNCHED, silence(5000), 299, Verb.NOTHING, None),
        ("not started in time", LAUNCHED, silence(30), 301, Verb.END, FailureReason.LAUNCH_TIMEOUT),
        (
            "not started in time, and its cluster away for a moment",
            LAUNCHED,
            silence(29),
            301,
            Verb.NOTHING,
            None,
        ),
        (
            "never launched in time",
            LAUNCHING,
            silence(30),
            301,
            Verb.END,
            FailureReason.LAUNCH_TIMEOUT,
        ),
        (
            "waited for room when its cluster went away",
            ROOMLESS,
            silence(30),
            2099,
            Verb.NOTHING,
            None,
        ),
        (
            "waited for room, and its cluster does not come back",
            ROOMLESS,
            silence(30),
            2101,
            Verb.END,
            FailureReason.LAUNCH_TIMEOUT,
        ),
        (
            "its cluster did not answer its launch, and is away",
            UNANSWERED,
            silence(30),
            301,
            Verb.END,
            FailureReason.LAUNCH_TIMEOUT,
        ),
        ("cancelled before its claim", UNCLAIMED_CANCELLING, silence(0), 5, Verb.FENCE, None),
        (
            "fenced before its claim",
            dataclasses.replace(LAUNCHED, fenced_at=at(20), ended_at=at(20)),
            silence(30),
            30,
            Verb.GONE,
            None,
        ),
        (
            "fenced before its claim, a moment ago",
            dataclasses.replace(LAUNCHED, fenced_at=at(20)),
            silence(29),
            30,
            Verb.NOTHING,
            None,
        ),
        ("gone", GIVEN_UP, LOST, 40, Verb.NOTHING, None),
    ],
)
def test_each_case_has_its_action_while_the_cluster_is_away(
    case: str,
    row: AttemptView,
    silent: Silence,
    now: float,
    verb: Verb,
    reason: FailureReason | None,
) -> None:
    action = decide_away(row, silent, now=at(now), times=TIMES)
    assert (action.verb, action.reason) == (verb, reason), case


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
