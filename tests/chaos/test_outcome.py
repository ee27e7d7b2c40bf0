"""Success and what it does to the project are one: exactly one new version, or none, never two, whoever dies around the finish."""

import pytest

from tests.chaos.beside import kill_worker, lines
from tests.support.stack import Stack, wait_for

pytestmark = pytest.mark.timeout(180)

AROUND_THE_FINISH = ["finish.before_transaction", "outcome.inside", "finish.before_commit", "finish.after_commit_before_answer"]


@pytest.mark.parametrize("point", AROUND_THE_FINISH)
def test_web_dies_and_one_version_is_written(stack: Stack, point: str) -> None:
    stack.arm(point)
    job, dataset = stack.submit_writing()
    stack.wait_hit(point)
    ended = stack.assert_whole(job)
    assert ended["result"]["datasets"] == [{"name": dataset, "version": 1}]
    assert stack.versions(dataset) == 1
    assert (ended["attempt"], ended["attempts_used"]) == (1, 1), "its worker lived on and repeated its finish"
    assert (stack.log(job).headers["Log-Complete"], lines(stack, job)) == ("true", ["one", "two"])


@pytest.mark.parametrize("point", ["admit.before_commit", "outcome.inside", "finish.before_commit"])
def test_the_database_dies_inside_a_transaction(stack: Stack, point: str) -> None:
    stack.arm(point, "hold")
    job, dataset = stack.submit_writing()
    stack.wait_hit(point)
    stack.kill("postgres")
    stack.release(point)
    ended = stack.assert_whole(job)
    assert (ended["attempt"], stack.versions(dataset)) == (1, 1)


@pytest.mark.parametrize("meanwhile", ["worker dies", "cancel", "fence"])
def test_a_finish_in_flight_meets(stack: Stack, meanwhile: str) -> None:
    stack.arm("finish.before_transaction", "hold")
    job, dataset = stack.submit_writing()
    stack.wait_hit("finish.before_transaction")
    if meanwhile == "worker dies":
        kill_worker(stack, job)
        wait_for(lambda: stack.job(job)["attempt"] == 2, "the attempt is given up")
    else:
        stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
        if meanwhile == "fence":
            wait_for(lambda: stack.attempts(job)[0]["ended_at"], "the grace of the cancel is over")
    stack.release("finish.before_transaction")
    won = meanwhile == "worker dies"
    stack.assert_whole(job, status="succeeded" if won else "cancelled")
    assert stack.versions(dataset) == int(won)
