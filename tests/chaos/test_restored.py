"""The database is restored from a backup while workers run.

It lacks recent facts, and workers report them again.
"""

import uuid

import psycopg
import pytest

from tests.chaos.beside import environment_of, lines
from tests.support.stack import Stack
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(180)


def _undo(stack: Stack, job: str, *statements: str) -> None:
    """Undo a job's first attempt in the database, as a restored backup does."""
    with psycopg.connect(environment_of(stack, "web")["DATABASE_URL"]) as connection:
        for statement in statements:
            connection.execute(statement, {"job": job})  # type: ignore[arg-type]


def test_a_stored_log_is_sent_again(stack: Stack) -> None:
    go = stack.folder / f"go-{uuid.uuid4().hex}"
    job = stack.submit_oracle(f"echo one; while [ ! -e {go} ]; do sleep 0.1; done; echo two")
    wait_for(lambda: lines(stack, job) == ["one"], "its first line is stored")
    _undo(
        stack,
        job,
        "DELETE FROM jobs_logchunk WHERE attempt_id = (SELECT id FROM jobs_attempt WHERE job_id = "
        "%(job)s)",
        "UPDATE jobs_attempt SET log_end = 0, log_lines = 0 WHERE job_id = %(job)s",
    )
    go.touch()
    assert stack.assert_whole(job)["attempt"] == 1
    assert (stack.log(job).headers["Log-Complete"], lines(stack, job)) == ("true", ["one", "two"])


def test_a_job_whose_claim_is_forgotten_is_run_again(stack: Stack) -> None:
    """Its worker is refused and ends.

    The worker's final report, that it was refused, does not count as a failure of the job.
    """
    go = stack.folder / f"go-{uuid.uuid4().hex}"
    job = stack.submit_oracle(f"while [ ! -e {go} ]; do sleep 0.1; done")
    wait_for(lambda: stack.ran(job), "it runs")
    _undo(
        stack,
        job,
        "UPDATE jobs_attempt SET claim_id = NULL, claimed_at = NULL, heartbeat_at = NULL WHERE "
        "job_id = %(job)s",
        "UPDATE jobs_job SET status = 'launching' WHERE id = %(job)s",
    )
    wait_for(lambda: stack.job(job)["attempt"] == 2, "the attempt is given up")
    go.touch()
    ended = stack.assert_whole(job)
    assert (ended["attempts_used"], sorted(stack.ran(job).values())) == (1, [1, 1])


def test_stored_events_do_not_block_the_following_ones(stack: Stack) -> None:
    go = stack.folder / f"go-{uuid.uuid4().hex}"
    job = stack.submit_oracle(f"while [ ! -e {go} ]; do sleep 0.1; done")
    wait_for(
        lambda: any(event["kind"] == "step.started" for event in stack.events(job)),
        "its first event is stored",
    )
    _undo(stack, job, "UPDATE jobs_attempt SET event_n = 0 WHERE job_id = %(job)s")
    go.touch()
    assert stack.assert_whole(job)["attempt"] == 1
    assert [event["kind"] for event in stack.events(job) if event["kind"].startswith("step.")] == [
        "step.started",
        "step.succeeded",
    ]
