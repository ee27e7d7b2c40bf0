"""What the reconciler decides about one attempt, from its row and from what the cluster shows."""

import dataclasses
import datetime as dt
import uuid

import pytest

from jobs.contract import FailureReason, JobStatus
from jobs.reconciliation import AttemptView, Sight, Times, Verb, decide

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TIMES = Times(launch_timeout=300, cancel_grace=10, worker_grace=600)
ALIVE = Sight(alive=True)
DEAD = Sight(alive=False, gone=True)
REFUSED = Sight(alive=False, gone=True, reason="protocol", message="The orchestrator refused a report.")
NO_COMMAND = Sight(alive=False, gone=True, reason="bad_command", message="The worker could not be started.")
LEFTOVERS = Sight(alive=False, gone=False)


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
RUNNING = dataclasses.replace(
    LAUNCHED, job_status=JobStatus.RUNNING, claim_id=uuid.UUID(int=3), claimed_at=at(2), heartbeat_at=at(2)
)
FENCED = dataclasses.replace(RUNNING, fenced_at=at(20), ended_at=at(20))
FINISHED = dataclasses.replace(RUNNING, ended_at=at(20), job_status=JobStatus.SUCCEEDED)
CANCELLING = dataclasses.replace(RUNNING, job_status=JobStatus.CANCELLING, cancel_requested_at=at(5))


@pytest.mark.parametrize(
    ("case", "row", "seen", "now", "verb", "reason"),
    [
        ("not launched yet", LAUNCHING, None, 5, Verb.NOTHING, None),
        ("launching and seen", LAUNCHED, ALIVE, 5, Verb.NOTHING, None),
        ("vanished before its claim", LAUNCHED, None, 5, Verb.END, FailureReason.WORKER_LOST),
        ("dead before its claim", LAUNCHED, DEAD, 5, Verb.END, FailureReason.WORKER_LOST),
        ("its claim was lost with a restored database", LAUNCHED, REFUSED, 5, Verb.END, FailureReason.WORKER_LOST),
        ("the cluster found it wanting before its claim", LAUNCHED, NO_COMMAND, 5, Verb.END, FailureReason.BAD_COMMAND),
        ("never claimed", LAUNCHED, ALIVE, 301, Verb.END, FailureReason.LAUNCH_TIMEOUT),
        ("cancelled before its claim", dataclasses.replace(LAUNCHED, job_status=JobStatus.CANCELLING), ALIVE, 5, Verb.FENCE, None),
        ("running and seen", RUNNING, ALIVE, 30, Verb.NOTHING, None),
        ("running and silent but seen", RUNNING, ALIVE, 59, Verb.NOTHING, None),
        ("vanished while running", RUNNING, None, 30, Verb.END, FailureReason.WORKER_LOST),
        ("supervisor dead, workload left", RUNNING, LEFTOVERS, 30, Verb.END, FailureReason.WORKER_LOST),
        ("past its deadline", RUNNING, ALIVE, 63, Verb.END, FailureReason.DEADLINE_EXCEEDED),
        ("cancel within its grace", CANCELLING, ALIVE, 14, Verb.NOTHING, None),
        ("cancel past its grace", CANCELLING, ALIVE, 16, Verb.FENCE, None),
        ("lost while cancelling", CANCELLING, None, 7, Verb.END, FailureReason.WORKER_LOST),
        ("its job moved on", dataclasses.replace(RUNNING, job_attempt=2), ALIVE, 30, Verb.FENCE, None),
        ("fenced and still there", FENCED, ALIVE, 30, Verb.TERMINATE, None),
        ("fenced, workload left", FENCED, LEFTOVERS, 30, Verb.TERMINATE, None),
        ("fenced and gone", FENCED, DEAD, 30, Verb.GONE, None),
        ("fenced and not listed", FENCED, None, 30, Verb.GONE, None),
        ("fenced by a clock that is ahead", FENCED, None, 19, Verb.GONE, None),
        ("finished by a clock that is ahead", FINISHED, DEAD, 19, Verb.GONE, None),
        ("claimed by a clock that is ahead, vanished", RUNNING, None, 1.5, Verb.END, FailureReason.WORKER_LOST),
        ("finished, about to exit", FINISHED, ALIVE, 30, Verb.NOTHING, None),
        ("finished, supervisor dead, workload left", FINISHED, LEFTOVERS, 30, Verb.TERMINATE, None),
        ("finished, does not exit", FINISHED, ALIVE, 700, Verb.TERMINATE, None),
        ("finished and gone", FINISHED, DEAD, 30, Verb.GONE, None),
        ("gone, log not sealed", dataclasses.replace(FINISHED, gone_at=at(30)), DEAD, 40, Verb.NOTHING, None),
        ("gone and sealed", dataclasses.replace(FINISHED, gone_at=at(30), sealed=True), DEAD, 40, Verb.CLEAN_UP, None),
    ],
)
def test_each_case_has_its_action(
    case: str, row: AttemptView, seen: Sight | None, now: float, verb: Verb, reason: FailureReason | None
) -> None:
    action = decide(row, seen, now=at(now), times=TIMES)
    assert (action.verb, action.reason) == (verb, reason), case


def test_what_exit_json_says_is_the_reason() -> None:
    seen = Sight(alive=False, gone=True, reason="out_of_memory", message="Ran out of memory.")
    action = decide(RUNNING, seen, now=at(30), times=TIMES)
    assert (action.reason, action.message) == (FailureReason.OUT_OF_MEMORY, "Ran out of memory.")
