"""Forced orders of events that rarely occur at random.

A process is held at one line until another process has progressed.
"""

import uuid
from contextlib import ExitStack

import pytest

from tests.chaos.beside import RECONCILER_WITHOUT_LEASE, beside, wait_for_sweeps
from tests.support.stack import Stack
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("reconcilers", [1, 2], ids=["one", "two"])
def test_a_claim_lands_while_reconcilers_hold_older_lists(stack: Stack, reconcilers: int) -> None:
    """Reconcilers hold a row and a list without its worker.

    The worker is launched and claims meanwhile.
    """
    with ExitStack() as also:
        for _ in range(reconcilers - 1):
            also.enter_context(beside(stack, "reconciler", "-c", RECONCILER_WITHOUT_LEASE))
        stack.arm("launch.before", "hold")
        job = stack.submit_oracle("sleep 1")
        stack.wait_hit("launch.before")
        for _ in range(reconcilers):
            stack.arm(
                "reconcile.after_list", "hold"
            )  # already blocked processes stay blocked until all are released
            stack.wait_hit("reconcile.after_list")
        stack.release("launch.before")
        wait_for(lambda: stack.ran(job), "the worker has claimed and runs")
        stack.release("reconcile.after_list")
        assert stack.assert_whole(job)["attempt"] == 1


def test_a_claim_between_the_decision_to_end_and_its_commit_wins(stack: Stack) -> None:
    """The starter is held between lock and fork until its launch time limit is over.

    Then the worker claims.
    """
    stack.arm("launch.between_lock_and_fork", "hold")
    stack.arm("reconcile.decided_to_end", "hold")
    job = stack.submit_oracle()
    stack.wait_hit("launch.between_lock_and_fork")
    stack.wait_hit("reconcile.decided_to_end", 60)
    stack.release("launch.between_lock_and_fork")
    wait_for(lambda: stack.ran(job), "the worker has claimed and runs")
    stack.release("reconcile.decided_to_end")
    ended = stack.assert_whole(job)
    assert ended["attempt"] == 1


def test_a_reconciler_held_before_it_records_gone_frees_no_worker_that_starts_meanwhile(
    stack: Stack,
) -> None:
    """The starter waits before the lock while the reconciler has seen no worker of the attempt."""
    stack.arm("launch.before_lock", "hold")
    job = stack.submit_oracle()
    stack.wait_hit("launch.before_lock")
    stack.arm("reconcile.seen_gone", "hold")
    stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    stack.wait_hit("reconcile.seen_gone")
    stack.release("launch.before_lock")
    wait_for_sweeps(stack)
    stack.release("reconcile.seen_gone")
    stack.assert_whole(job, status="cancelled")
    assert stack.ran(job) == {}


def test_a_worker_that_outlives_its_job_holds_its_capacity(stack: Stack) -> None:
    """All four slots are in use, one by a worker that outlives its job.

    The next job gets no slot until this worker has stopped.
    """
    go = stack.folder / f"go-{uuid.uuid4().hex}"
    stack.arm("finish.after_commit_before_answer", "hold")
    first = stack.submit_oracle()
    stack.wait_hit("finish.after_commit_before_answer")
    wait_for(lambda: stack.status(first) == "succeeded", "its end is committed")
    others = [stack.submit_oracle(f"while [ ! -e {go} ]; do sleep 0.1; done") for _ in range(4)]
    wait_for(lambda: len([job for job in others if stack.ran(job)]) == 3, "three of them run")
    wait_for_sweeps(stack)
    assert [bool(stack.ran(job)) for job in others] == [True, True, True, False]
    assert stack.job(others[-1])["waiting"]["blocked_by"] == "capacity"
    stack.release("finish.after_commit_before_answer")
    wait_for(
        lambda: stack.ran(others[-1]), "the next one gets the place of the worker that is gone"
    )
    go.touch()
    for job in [first, *others]:
        stack.assert_whole(job)


def test_a_slow_launch_does_not_block_others(stack: Stack) -> None:
    """The starter of one job is held between lock and fork.

    Another job is admitted, launched and completed meanwhile.
    """
    stack.arm("launch.between_lock_and_fork", "hold")
    slow = stack.submit_oracle()
    stack.wait_hit("launch.between_lock_and_fork")
    other = stack.submit_oracle()
    stack.assert_whole(other)
    assert stack.ran(slow) == {}, "it was not blocked"
    stack.release("launch.between_lock_and_fork")
    stack.assert_whole(slow)
