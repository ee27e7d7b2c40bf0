"""Orders of events that chance rarely brings, forced: held processes, stopped processes, lost messages."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from mimir.dev.places import MARKER, ROOT
from tests.support.stack import Stack, left_of, wait_for

pytestmark = pytest.mark.timeout(180)


def test_a_reconciler_held_after_its_list_kills_no_worker_that_claims_meanwhile(stack: Stack) -> None:
    stack.arm("reconcile.after_list", "hold")
    stack.wait_hit("reconcile.after_list")
    job = stack.submit_oracle("sleep 1")
    wait_for(lambda: stack.ran(job), "it runs")
    stack.release("reconcile.after_list")
    assert stack.assert_whole(job)["attempt"] == 1


def test_two_reconcilers_held_after_their_lists_do_no_harm_together(stack: Stack) -> None:
    environment = psutil.Process(stack.pids("reconciler")[0]).environ()
    environment.pop(MARKER)
    second = subprocess.Popen([sys.executable, "-c", _SECOND_RECONCILER], cwd=ROOT, env=environment)
    try:
        stack.arm("reconcile.after_list", "hold")
        stack.wait_hit("reconcile.after_list")
        job = stack.submit_oracle("sleep 2")
        wait_for(lambda: stack.ran(job), "it runs")
        stack.release("reconcile.after_list")
        assert stack.assert_whole(job)["attempt"] == 1
    finally:
        second.kill()
        second.wait()


# One that leads without asking for the lease: the lease spares work, it does not make writes safe.
_SECOND_RECONCILER = """
import os, time
os.environ["DJANGO_SETTINGS_MODULE"] = "mimir.settings.orchestrator"
import django
django.setup()
from jobs.reconciler import reconcile_once
from jobs.services.clusters import cluster_ensure, launcher_of
while True:
    cluster = cluster_ensure()
    reconcile_once(cluster, launcher_of(cluster))
    time.sleep(0.01)
"""


def test_a_claim_between_the_decision_to_end_and_its_commit_wins(stack: Stack) -> None:
    """The starter is held between lock and fork until its launch time limit is over; then the worker claims."""
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


def test_a_lost_launch_message_and_a_cancel_start_nothing(stack: Stack) -> None:
    stack.arm("launch.before_lock", "hold")
    job = stack.submit_oracle()
    stack.wait_hit("launch.before_lock")
    stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    stack.release("launch.before_lock")
    stack.assert_whole(job, status="cancelled")
    assert stack.ran(job) == {}


def test_a_worker_that_lives_on_after_its_job_holds_its_room(stack: Stack) -> None:
    """All slots are taken by jobs whose end is accepted while their workers still live: nobody else starts."""
    stack.arm("finish.after_commit_before_answer", "hold")
    first = stack.submit_oracle()
    stack.wait_hit("finish.after_commit_before_answer")
    wait_for(lambda: stack.status(first) == "succeeded", "its end is committed")
    others = [stack.submit_oracle("sleep 2") for _ in range(4)]
    time.sleep(1.5)  # long enough for a pass that gave the room away
    assert len([job for job in others if stack.ran(job)]) == 3, "four slots, one of them held by a worker that lives"
    stack.release("finish.after_commit_before_answer")
    for job in [first, *others]:
        stack.assert_whole(job)


def test_the_leader_is_stopped_for_longer_than_its_lease(stack: Stack) -> None:
    environment = psutil.Process(stack.pids("reconciler")[0]).environ()
    environment.pop(MARKER)
    second = subprocess.Popen([sys.executable, "manage.py", "reconciler"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    leader = stack.pids("reconciler")[0]
    os.kill(leader, signal.SIGSTOP)
    try:
        jobs = [stack.submit_oracle("sleep 0.5") for _ in range(3)]
        for job in jobs:
            stack.assert_whole(job)
        os.kill(leader, signal.SIGCONT)
        after = stack.submit_oracle()
        stack.assert_whole(after)
        assert all(len(stack.ran(job)) == 1 for job in [*jobs, after])
    finally:
        os.kill(leader, signal.SIGCONT)
        second.terminate()
        second.wait()


def test_a_dispatcher_stopped_inside_the_admission_transaction_stops_admission_for_seconds_only(stack: Stack) -> None:
    stack.arm("admit.inside_transaction", "hold")
    job = stack.submit_oracle()
    stack.wait_hit("admit.inside_transaction")
    dispatcher = stack.pids("dispatcher")[0]
    os.kill(dispatcher, signal.SIGSTOP)
    environment = psutil.Process(dispatcher).environ()
    environment.pop(MARKER)
    second = subprocess.Popen([sys.executable, "manage.py", "dispatcher"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        stack.assert_whole(job, seconds=60)
        os.kill(dispatcher, signal.SIGCONT)
        stack.release("admit.inside_transaction")
        after = stack.submit_oracle()
        stack.assert_whole(after)
        assert (len(stack.ran(job)), len(stack.ran(after))) == (1, 1)
    finally:
        os.kill(dispatcher, signal.SIGCONT)
        second.terminate()
        second.wait()


def test_valkey_away_for_half_a_minute_costs_time_and_nothing_else(stack: Stack) -> None:
    valkey = stack.pids("valkey")[0]
    os.kill(valkey, signal.SIGSTOP)
    began = time.monotonic()
    try:
        jobs = []
        while time.monotonic() - began < 30:
            jobs.append(stack.submit_oracle())  # asserts that the POST answers 201
            stack.assert_whole(jobs[-1])
            time.sleep(3)
    finally:
        os.kill(valkey, signal.SIGCONT)
    assert len(jobs) >= 3
    stack.assert_whole(stack.submit_oracle())


def test_valkey_emptied_costs_time_and_nothing_else(stack: Stack) -> None:
    import redis

    url = psutil.Process(stack.pids("web")[0]).environ()["REDIS_URL"]
    jobs = []
    for _ in range(5):
        jobs.append(stack.submit_oracle())
        redis.Redis.from_url(url).flushall()
    for job in jobs:
        stack.assert_whole(job)


def test_with_every_message_dropped_jobs_start_in_the_same_order(stack: Stack) -> None:
    """A key of another type under each queue's name makes every enqueue fail: no message is ever sent."""
    import redis

    url = psutil.Process(stack.pids("web")[0]).environ()["REDIS_URL"]
    client = redis.Redis.from_url(url)
    os.kill(stack.pids("dispatcher")[0], signal.SIGSTOP)
    try:
        jobs = [stack.submit_oracle() for _ in range(8)]
        client.flushall()
    finally:
        os.kill(stack.pids("dispatcher")[0], signal.SIGCONT)
    for job in jobs:
        stack.assert_whole(job)
    admitted = sorted((next(event["at"] for event in stack.events(job) if event["kind"] == "job.admitted"), job) for job in jobs)
    assert [job for _, job in admitted] == jobs
    assert not any(left_of(job) for job in jobs)
