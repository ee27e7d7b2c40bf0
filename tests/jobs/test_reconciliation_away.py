"""Decisions of the reconciler about an attempt while its cluster does not answer."""

import dataclasses

import pytest

from jobs.contract import FailureReason, JobStatus
from jobs.reconcile.decide import (
    AttemptView,
    Silence,
    Verb,
    decide_away,
)
from tests.jobs.attempt_examples import (
    CANCELLING,
    FENCED,
    FIFTH,
    FINISHED,
    GIVEN_UP,
    INTERRUPTED,
    LAUNCHED,
    LAUNCHING,
    RUNNING,
    TIMES,
    at,
)


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
AWAITING_CAPACITY = dataclasses.replace(
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
            AWAITING_CAPACITY,
            silence(30),
            2099,
            Verb.NOTHING,
            None,
        ),
        (
            "waited for room, and its cluster does not come back",
            AWAITING_CAPACITY,
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
