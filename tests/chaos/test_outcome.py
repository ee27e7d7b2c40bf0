"""Success and its effect on the project are atomic.

Any process may die during the finish: there is one new version or none, never two.
"""

import pytest

from tests.chaos.beside import kill_worker, lines
from tests.chaos.learning import KINDS, job_of, outcome_faults, prepare
from tests.support.stack import Stack
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(180)

AROUND_THE_FINISH = [
    "finish.before_transaction",
    "outcome.inside",
    "finish.before_commit",
    "finish.after_commit_before_answer",
]


@pytest.mark.parametrize("point", AROUND_THE_FINISH)
def test_web_dies_and_one_version_is_written(stack: Stack, point: str) -> None:
    stack.arm(point)
    job, dataset = stack.submit_writing()
    stack.wait_hit(point)
    ended = stack.assert_whole(job)
    assert ended["result"]["datasets"] == [{"name": dataset, "version": 1}]
    assert stack.versions(dataset) == 1
    assert (ended["attempt"], ended["attempts_used"]) == (1, 1), (
        "its worker lived on and repeated its finish"
    )
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


PROJECT = "learning"


@pytest.fixture(scope="module")
def _prepared(_installation: Stack) -> None:
    prepare(_installation, PROJECT)


@pytest.mark.usefixtures("_prepared")
@pytest.mark.parametrize(
    ("kind", "point"),
    [
        *((kind, "outcome.inside") for kind in KINDS),
        (KINDS[-1], "finish.after_commit_before_answer"),
    ],
)
def test_web_dies_and_another_types_outcome_is_applied_once(
    stack: Stack, kind: str, point: str
) -> None:
    """Before the commit nothing is stored and the finish is repeated.

    After the commit the repeated finish gets the same response.
    """
    stack.arm(point)
    job, name = job_of(stack, PROJECT, kind)
    stack.wait_hit(point, 60)
    ended = stack.assert_whole(job, oracle=False)
    assert outcome_faults(stack, PROJECT, kind, name, ended) == []
    assert ended["attempts_used"] == 1


@pytest.mark.usefixtures("_prepared")
@pytest.mark.parametrize(
    ("kind", "meanwhile"), [*((kind, "worker dies") for kind in KINDS), (KINDS[-1], "cancel")]
)
def test_a_finish_of_another_type_in_flight_meets(stack: Stack, kind: str, meanwhile: str) -> None:
    stack.arm("finish.before_transaction", "hold")
    job, name = job_of(stack, PROJECT, kind)
    stack.wait_hit("finish.before_transaction", 60)
    if meanwhile == "worker dies":
        kill_worker(stack, job)
        wait_for(lambda: stack.job(job)["attempt"] == 2, "the attempt is given up")
    else:
        stack.call("POST", f"/api/v1/jobs/{job}/cancel/")
    stack.release("finish.before_transaction")
    ended = stack.assert_whole(
        job, status="succeeded" if meanwhile == "worker dies" else "cancelled", oracle=False
    )
    assert outcome_faults(stack, PROJECT, kind, name, ended) == []
