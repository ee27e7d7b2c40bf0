"""RQ carries only hints: lost hints delay jobs but do not change their order."""

import signal
import uuid

import pytest
import redis

from tests.chaos.beside import beside, environment_of, stopped, wait_for_sweeps
from tests.support.installation import left_of
from tests.support.stack import Stack
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(180)

# Its messages have no receiver, and it receives none: it finds every job that it starts by
# polling.
_DEAF_DISPATCHER = """
import os, threading
os.environ["DJANGO_SETTINGS_MODULE"] = "mimir.settings.orchestrator"
import django
django.setup()
from redis import Redis
from jobs.core import queue
from jobs.dispatch import dispatcher
nowhere = Redis.from_url(os.environ["NOWHERE"])
queue.connection = lambda: nowhere
dispatcher.run(threading.Event())
"""
PRIORITIES = ("low", "normal", "critical", "high", "normal", "low", "high", "critical")


def _database(stack: Stack, number: int) -> str:
    """Return REDIS_URL of another database of the same Valkey.

    Messages of one database are not delivered in another.
    """
    return environment_of(stack, "web")["REDIS_URL"].rpartition("/")[0] + f"/{number}"


def _started_order(stack: Stack) -> list[int]:
    """Fill every slot, submit one job for each of PRIORITIES, then free the slots.

    Return the order of admission by index.
    """
    go = stack.folder / f"go-{uuid.uuid4().hex}"
    holders = [stack.submit_oracle(f"while [ ! -e {go} ]; do sleep 0.1; done") for _ in range(4)]
    wait_for(lambda: all(stack.ran(job) for job in holders), "every place is taken")
    jobs = [stack.submit_oracle(priority=priority) for priority in PRIORITIES]
    assert not any(stack.ran(job) for job in jobs)
    go.touch()
    for job in [*holders, *jobs]:
        stack.assert_whole(job)
        assert not left_of(job)
    at = {
        job: next(event["at"] for event in stack.events(job) if event["kind"] == "job.admitted")
        for job in jobs
    }
    return [jobs.index(job) for job in sorted(jobs, key=lambda job: at[job])]


def test_with_every_message_dropped_jobs_start_in_the_same_order(stack: Stack) -> None:
    """Run once with all messages and once with none.

    In the second run every wake and launch message is sent, and none is delivered.
    """
    order_before = _started_order(stack)
    environment = {"REDIS_URL": _database(stack, 1), "NOWHERE": _database(stack, 2)}
    with (
        stopped(stack.pids("dispatcher")[0]),
        beside(stack, "dispatcher", "-c", _DEAF_DISPATCHER, **environment),
    ):
        unheard = _started_order(stack)
    assert unheard == order_before == [2, 7, 3, 6, 1, 4, 0, 5]


def test_a_launch_message_starts_what_a_sweep_has_admitted(stack: Stack) -> None:
    """A job is launched without a wake message.

    The first sweep admits it and sends the launch message. The next sweep would be too late.
    """
    with stopped(stack.pids("dispatcher")[0]):
        job = stack.submit_oracle()
        with beside(stack, "dispatcher", REDIS_URL=_database(stack, 1), SWEEP_SECONDS="60"):
            stack.assert_whole(job, seconds=40)
    assert len(stack.ran(job)) == 1


@pytest.mark.parametrize(
    "point",
    [
        "admit.before_commit",
        "admit.after_commit",
        "launch.before",
        "launch.between_lock_and_fork",
        "launch.after",
    ],
)
def test_the_dispatcher_dies_during_a_launch_message_at(stack: Stack, point: str) -> None:
    with stopped(stack.pids("dispatcher")[0]):
        job = stack.submit_oracle()
        stack.arm(point)
        with beside(
            stack, "dispatcher", REDIS_URL=_database(stack, 1), SWEEP_SECONDS="60"
        ) as other:
            stack.wait_hit(point)
            assert other.wait(20) == -signal.SIGKILL
    stack.assert_whole(job)
    assert len(stack.ran(job)) == 1


def test_a_dropped_launch_message_and_a_cancel_start_nothing(stack: Stack) -> None:
    """The job is admitted; the dispatcher dies and its message is lost.

    The job is cancelled while no dispatcher runs; then a dispatcher starts.
    """
    dispatcher = stack.pids("dispatcher")[0]
    stack.arm("admit.after_commit")
    job = stack.submit_oracle()
    stack.wait_hit("admit.after_commit")
    with stopped(
        wait_for(
            lambda: [pid for pid in stack.pids("dispatcher") if pid != dispatcher],
            "the next dispatcher is started",
        )[0]
    ):
        redis.Redis.from_url(_database(stack, 0)).flushall()
        stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
        stack.assert_whole(job, status="cancelled")
    wait_for_sweeps(stack)
    assert stack.ran(job) == {}
    assert [name for name in stack.workers() if job in name] == []
    assert [event["kind"] for event in stack.events(job)].count("job.launched") == 0


def test_an_emptied_valkey_only_delays_jobs(stack: Stack) -> None:
    client = redis.Redis.from_url(_database(stack, 0))
    jobs = []
    for _ in range(5):
        jobs.append(stack.submit_oracle())
        client.flushall()
    for job in jobs:
        stack.assert_whole(job)
