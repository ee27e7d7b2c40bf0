"""Suspended processes that continue later, as on a laptop that sleeps.

The suspension is longer than a lease or the limit of idle transactions.
"""

import time
from contextlib import ExitStack

import pytest

from tests.chaos.beside import beside, stopped
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(180)


def test_the_leader_is_stopped_for_longer_than_its_lease(stack: Stack) -> None:
    with beside(stack, "reconciler"):
        with stopped(stack.pids("reconciler")[0]):
            jobs = [stack.submit_oracle("sleep 0.5") for _ in range(3)]
            for job in jobs:
                stack.assert_whole(job)  # only the new holder of the lease cleans up
        after = stack.submit_oracle()
        for job in [*jobs, after]:
            stack.assert_whole(job)
            assert len(stack.ran(job)) == 1


def test_a_dispatcher_stopped_inside_the_admission_stops_it_for_seconds_only(stack: Stack) -> None:
    """The database ends its idle transaction, and another dispatcher continues."""
    stack.arm("admit.inside_transaction", "hold")
    job = stack.submit_oracle()
    stack.wait_hit("admit.inside_transaction")
    dispatcher = stack.pids("dispatcher")[0]
    with stopped(dispatcher), beside(stack, "dispatcher"):
        stack.assert_whole(job)
    stack.release("admit.inside_transaction")
    after = stack.submit_oracle()
    stack.assert_whole(after)
    stack.assert_whole(job)
    assert (len(stack.ran(job)), len(stack.ran(after))) == (1, 1)


def test_a_stopped_server_loses_nothing(stack: Stack) -> None:
    """The server is suspended inside the transaction of a finish, with the job's row locked.

    It is suspended for longer than the limit of idle transactions.
    """
    stack.arm("finish.before_commit", "hold")
    job = stack.submit_oracle("echo one")
    stack.wait_hit("finish.before_commit")
    with stopped(stack.pids("web")[0]):
        time.sleep(6)  # duration of the suspension; idle_in_transaction_session_timeout is 5 s
    stack.release("finish.before_commit")
    assert stack.assert_whole(job)["attempt"] == 1


def test_a_server_stopped_for_longer_than_the_launch_timeout_ends_no_attempt(stack: Stack) -> None:
    """Web does not answer claims for 25 seconds; the launch timeout is 20 seconds."""
    with ExitStack() as server:
        with stopped(stack.pids("dispatcher")[0]):
            jobs = [stack.submit_oracle() for _ in range(4)]
            server.enter_context(stopped(stack.pids("web")[0]))
        time.sleep(25)
        assert len(stack.workers()) == 4
    for job in jobs:
        assert stack.assert_whole(job)["attempt"] == 1
        assert len(stack.ran(job)) == 1


def test_valkey_down_for_half_a_minute_only_delays_jobs(stack: Stack) -> None:
    with stopped(stack.pids("valkey")[0]):
        began, jobs = time.monotonic(), []
        while time.monotonic() - began < 30:
            jobs.append(stack.submit_oracle())  # asserts that the POST returns 201
            stack.assert_whole(jobs[-1])
            time.sleep(3)
    assert len(jobs) >= 3
    stack.assert_whole(stack.submit_oracle())
