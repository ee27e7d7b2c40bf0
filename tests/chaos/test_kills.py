"""SIGKILL at each crash point of real processes.

The job ends once, no attempt runs twice, no process is left and no client waits forever.
"""

import contextlib
import os
import random
import time
import uuid

import psutil
import pytest

from tests.chaos.beside import kill_worker, lines
from tests.support.stack import Stack
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(180)

DISPATCHER_AND_LAUNCH = [
    "admit.before_commit",
    "admit.after_commit",
    "launch.before",
    "launch.before_lock",
    "launch.between_lock_and_fork",
    "launch.after_spawn",
    "launch.after",
]
FIRST_STAGE = ["worker.before_fork", "worker.after_fork", "worker.before_accept"]
WEB = ["claim.after_commit_before_answer", "log.before_append", "log.after_append_before_answer"]
RECONCILER = [
    "log.after_close_before_seal",
    "log.after_object_before_pointer",
    "clean_up.before",
    "reconcile.after_list",
    "reconcile.seen_gone",
]
WORKER = ["worker.before_claim", "worker.after_claim", "worker.after_log_answer"]


@pytest.mark.parametrize("point", DISPATCHER_AND_LAUNCH + FIRST_STAGE + WEB + RECONCILER)
def test_a_process_of_ours_dies_at(stack: Stack, point: str) -> None:
    stack.arm(point)
    job = stack.submit_oracle("echo one; echo two")
    stack.wait_hit(point)
    ended = stack.assert_whole(job)
    assert len(stack.ran(job)) == 1, "its only attempt must be resumed, not repeated"
    assert ended["attempts_used"] == 1
    assert (stack.log(job).headers["Log-Complete"], lines(stack, job)) == ("true", ["one", "two"])


@pytest.mark.parametrize("point", WORKER)
def test_a_worker_dies_at(stack: Stack, point: str) -> None:
    """Its attempt is lost and the next one succeeds. The lost attempt ran at most once."""
    stack.arm(point)
    job = stack.submit_oracle("echo one")
    stack.wait_hit(point)
    ended = stack.assert_whole(job)
    assert ended["attempt"] == 2
    assert ended["attempts_used"] == 1, "a lost worker does not use up the user's attempts"


def test_the_supervisor_alone_is_killed_while_its_workload_lives(stack: Stack) -> None:
    job = stack.submit_oracle("echo started; sleep 30", max_attempts=1)
    wait_for(lambda: stack.ran(job), "the workload runs")
    kill_worker(stack, job)
    wait_for(lambda: stack.job(job)["attempt"] == 2, "the attempt is given up")
    wait_for(lambda: len(stack.ran(job)) == 2, "the next attempt runs")
    assert stack.attempts(job)[0]["gone_at"], (
        "the next attempt started before the previous one was gone"
    )
    stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    stack.assert_whole(job, status="cancelled")


def test_a_worker_whose_first_stage_was_killed_can_be_ended(stack: Stack) -> None:
    """The first stage died before it stored the process id of its fork.

    Without it, only processes with a readable environment are found.
    """
    stack.arm("worker.after_fork")
    job = stack.submit_oracle("sleep 600")
    stack.wait_hit("worker.after_fork")
    wait_for(lambda: stack.ran(job), "the workload runs")
    assert psutil.pid_exists(stack.worker_pid(job))
    stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    stack.assert_whole(job, status="cancelled")


def test_a_workload_that_left_its_session_and_environment_is_killed_with_its_attempt(
    stack: Stack,
) -> None:
    job = stack.submit_oracle("env -i setsid sleep 4242 & sleep 0.2; exit 3")
    stack.assert_whole(job, status="failed")
    assert not _sleepers("4242")


def _sleepers(mark: str) -> list[str]:
    found = [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
    return [line for line in found if f"sleep {mark}" in line]


@pytest.mark.parametrize(
    "name", ["web", "frontend", "dispatcher", "reconciler", "postgres", "valkey"]
)
def test_a_process_is_killed_while_jobs_run(stack: Stack, name: str) -> None:
    jobs = [stack.submit_oracle("sleep 1; echo done") for _ in range(3)]
    wait_for(lambda: any(stack.ran(job) for job in jobs), "a job runs")
    stack.kill(name)
    for job in jobs:
        stack.assert_whole(job)
        assert len(stack.ran(job)) == 1


def test_a_claim_whose_worker_died_before_the_answer_is_tried_again(stack: Stack) -> None:
    stack.arm("claim.after_commit_before_answer", "hold")
    job = stack.submit_oracle()
    stack.wait_hit("claim.after_commit_before_answer")
    kill_worker(stack, job)
    stack.release("claim.after_commit_before_answer")
    assert stack.assert_whole(job)["attempt"] == 2


def test_an_attempt_fenced_while_its_claim_is_answered_does_nothing(stack: Stack) -> None:
    stack.arm("claim.after_commit_before_answer", "hold")
    job = stack.submit_oracle("sleep 20")
    stack.wait_hit("claim.after_commit_before_answer")
    stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    wait_for(lambda: stack.attempts(job)[0]["ended_at"], "the grace of the cancel is over", 20)
    stack.release("claim.after_commit_before_answer")
    stack.assert_whole(job, status="cancelled")


def test_workers_are_killed_at_random_moments(stack: Stack) -> None:
    """Each job loses its worker twice, at random moments. Its third attempt succeeds."""
    dice = random.Random(7)  # noqa: S311 - no secret
    go = stack.folder / f"go-{uuid.uuid4().hex}"
    jobs = [
        stack.submit_oracle(f"echo begun; while [ ! -e {go} ]; do sleep 0.1; done; echo done")
        for _ in range(3)
    ]
    for attempt in (1, 2):
        for job in jobs:
            pid = stack.worker_pid(job, attempt)
            time.sleep(dice.uniform(0.0, 0.3))  # the moment
            _kill_tree(pid, alone=dice.random() < 0.5)
    go.touch()
    for job in jobs:
        ended = stack.assert_whole(job)
        assert ended["attempts_used"] == 1
        assert (stack.log(job).headers["Log-Complete"], lines(stack, job)) == (
            "true",
            ["begun", "done"],
        )


def _kill_tree(pid: int, *, alone: bool) -> None:
    """Kill a worker's supervisor, alone or with its children. It may have ended."""
    try:
        supervisor = psutil.Process(pid)
        whole = [supervisor, *([] if alone else supervisor.children(recursive=True))]
    except psutil.NoSuchProcess:
        return
    for process in whole:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def test_files_of_killed_servers_are_swept(stack: Stack) -> None:
    """Files without a database row: an artifact, a dataset version, an unfinished upload.

    Recent files are kept, because their row may still be written.
    """
    folders = [
        f"artifacts/artifacts/{uuid.uuid4()}/{uuid.uuid4()}",
        f"artifacts/datasets/{uuid.uuid4()}",
        "spool",
    ]
    job, dataset = stack.submit_writing()
    stack.assert_whole(job)
    known = list((stack.var / "artifacts" / "artifacts").glob("*/*/*"))
    old, young = [[stack.var / folder / uuid.uuid4().hex for folder in folders] for _ in range(2)]
    for path in [*old, *young]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for path in [*old, *known]:
        os.utime(path, (0, 0))
    stack.kill("reconciler")  # it sweeps when it starts, and each hour
    wait_for(lambda: not any(path.exists() for path in old), "what nobody needs is removed")
    assert known
    assert all(path.exists() for path in [*young, *known])
    assert stack.rows_of(dataset) == 100, "the file of a version was removed as an orphan"
