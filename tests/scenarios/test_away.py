"""Unreachable cluster: reporting workers continue, silent ones are lost after the grace period."""

from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import pytest

from jobs.contract import FailureReason, JobStatus
from jobs.models import Cluster, Job, JobEvent
from jobs.queries.jobs import jobs_as_dicts
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.scenarios.building import world
from tests.scenarios.oracle import judge
from tests.scenarios.places import Place
from tests.scenarios.troubles import Deed, Order, Phase
from tests.scenarios.workers import Worker
from tests.scenarios.world import Scenario, World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as running:
        yield running


@pytest.fixture
def run(fake: FakeKubernetes) -> Iterator[World]:
    """A world with one job on a cluster that becomes unreachable when the test requests it.

    The cluster `local` stays reachable.
    """
    scenario = Scenario(Deed.CLUSTER_BACK, Phase.CLEANING)
    with world(fake, [scenario], seed=1) as created:
        scenario.order = Order(
            Deed.CLUSTER_BACK, "", "", created.clock.now, over=True
        )  # the test ends the trouble
        for _ in range(5):
            created.advance(20)  # web has settled
        created.rounds_of(1, workers_act=False)
        yield created


@pytest.fixture
def running(run: World) -> World:
    """A world whose worker has claimed and runs for a long time."""
    run.rounds_of(2)
    assert (run.job.status, run.attempt().cluster_id) == (JobStatus.RUNNING, "c0")
    _worker(run).rounds_to_run = 1000
    return run


def _place(run: World) -> Place:
    return run.places["c0"]


def _worker(run: World, number: int = 1) -> Worker:
    wanted = run.attempt(number).id
    return next(worker for worker in run.workers.by_pod.values() if worker.attempt_id == wanted)


def _away(run: World) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = jobs_as_dicts([run.job])[0]["away"]
    return found


def _over(run: World) -> None:
    """Run to the end. The cluster never returns, so objects left there do not count."""
    assert run.scenarios[0].order is not None
    run.scenarios[0].order.trouble = Deed.CLUSTER_AWAY
    run.run()
    assert judge(run) == []


def test_unreachable_before_the_claim_it_ends_at_the_launch_timeout(run: World) -> None:
    _place(run).cut_off(silent=True)
    run.rounds_of(7, seconds=30)
    assert run.job.status == JobStatus.LAUNCHING
    away = _away(run)
    assert away is not None
    assert (away["cluster"], away["heard_at"], away["lost_at"]) == ("c0", None, None)
    run.rounds_of(5, seconds=30)
    attempt = run.attempt()
    assert (run.job.attempt, attempt.reason, attempt.counts) == (
        2,
        FailureReason.LAUNCH_TIMEOUT,
        False,
    )
    assert "cluster c0 has not answered since" in attempt.message
    assert attempt.gone_at is not None, (
        "what never claimed has run nothing: the next one need not wait"
    )
    _over(run)
    assert (run.job.status, run.attempt(2).cluster_id) == (JobStatus.SUCCEEDED, "local")


def test_away_for_a_moment_at_the_launch_time_limit_says_nothing_of_the_worker(run: World) -> None:
    run.rounds_of(3, seconds=95, workers_act=False)
    _place(run).cut_off(silent=True)
    run.rounds_of(10, seconds=2, workers_act=False)
    _place(run).back()
    assert run.job.attempt == 1
    run.rounds_of(1, workers_act=False)
    assert run.attempt().reason == FailureReason.NEVER_CLAIMED, (
        "the cluster answers again, and says better what it was"
    )


def test_unreachable_while_running_it_is_lost_after_the_grace_period(running: World) -> None:
    _place(running).cut_off(silent=True)
    heartbeat_at = running.attempt().heartbeat_at
    running.rounds_of(10, seconds=60)
    assert running.job.status == JobStatus.RUNNING, "its grace is not over"
    away = _away(running)
    assert away is not None
    assert heartbeat_at is not None
    assert away["heard_at"] == heartbeat_at.isoformat()
    assert away["since"] < away["lost_at"]
    assert "The cluster c0 has not answered since" in away["detail"]
    running.rounds_of(4, seconds=30)
    attempt, job = running.attempt(), running.job
    assert (job.attempt, attempt.reason, attempt.counts) == (2, FailureReason.HEARTBEAT_LOST, False)
    assert job.diagnosis is None or job.diagnosis["category"] == FailureReason.HEARTBEAT_LOST
    _over(running)
    assert (running.job.status, running.attempt(2).cluster_id) == (JobStatus.SUCCEEDED, "local")
    assert running.attempt().log_complete is False


def test_a_cluster_can_have_its_own_grace_period(running: World) -> None:
    Cluster.objects.filter(name="c0").update(away_grace_seconds=3600)
    _place(running).cut_off(silent=True)
    running.rounds_of(10, seconds=300)
    assert running.job.status == JobStatus.RUNNING
    running.rounds_of(4, seconds=300)
    assert running.attempt().reason == FailureReason.HEARTBEAT_LOST


def test_unreachable_while_finishing_its_capacity_is_free_after_the_grace_period(
    running: World,
) -> None:
    _worker(running).rounds_to_run = 1
    for _ in range(3):
        running.workers.act(running.fake.ledger(running=True, env=True), set())
    assert running.job.status == JobStatus.SUCCEEDED
    _place(running).cut_off(silent=True)
    running.rounds_of(5, seconds=60)
    assert running.attempt().gone_at is None
    running.rounds_of(7, seconds=60)
    assert running.attempt().gone_at is not None
    _over(running)
    assert running.job.status == JobStatus.SUCCEEDED
    assert running.attempt().log_complete, "it was closed by its worker's finish"


def test_unreachable_and_cancelled_it_ends_after_the_grace_period(running: World) -> None:
    _place(running).cut_off(silent=True)
    running.rounds_of(2, seconds=60)
    running.cancel(running.scenarios[0])
    running.rounds_of(2, seconds=60)
    assert running.job.status == JobStatus.CANCELLING
    away = _away(running)
    assert away is not None
    assert "It counts as stopped at about" in away["detail"]
    running.rounds_of(8, seconds=60)
    assert (running.job.status, running.job.attempt) == (JobStatus.CANCELLED, 1)
    _over(running)


def test_unreachable_and_cancelled_before_the_claim_it_ends_at_once(run: World) -> None:
    _place(run).cut_off(silent=True)
    run.rounds_of(2, workers_act=False)
    run.cancel(run.scenarios[0])
    run.rounds_of(2, seconds=30)
    assert run.job.status == JobStatus.CANCELLED
    _over(run)


def test_back_after_the_grace_the_old_worker_is_refused_and_removed(running: World) -> None:
    """The old worker runs all the time.

    Its requests are answered with 410 once its cluster is back, and the outcome is applied once.
    """
    _place(running).cut_off(silent=True)
    running.rounds_of(12, seconds=60)
    assert running.job.attempt == 2
    assert (
        len(
            [
                each
                for each in running.fake.ledger(running=True)
                if each.attempt_id == str(running.attempt().id)
            ]
        )
        == 1
    )
    running.run_until(lambda: running.job.status == JobStatus.RUNNING)
    _worker(running, 2).rounds_to_run = 1000
    _place(running).back()
    running.rounds_of(1)
    assert _worker(running).step == "refused"
    running.rounds_of(4)
    assert running.job.status == JobStatus.RUNNING
    assert {each.attempt_id for each in running.fake.ledger(running=True)} == {
        str(running.attempt(2).id)
    }
    _worker(running, 2).rounds_to_run = 1
    running.run()
    assert judge(running) == []
    assert (running.job.status, running.workers.successes) == (
        JobStatus.SUCCEEDED,
        [running.attempt(2).id],
    )
    assert JobEvent.objects.filter(kind="job.worker_gone", data__unseen=True).count() == 1


def test_web_down_for_longer_than_the_grace_period_loses_no_worker(running: World) -> None:
    """Web is down, so silence of workers and cluster does not count.

    Both have the whole grace period once web is back.
    """
    with mock.patch("jobs.liveness.uptime.GAP_SECONDS", 100):
        _place(running).cut_off(silent=True)
        running.rounds_of(2, seconds=30)
        running.web_is_up = False
        running.rounds_of(5, seconds=300, workers_act=False)
        assert running.job.status == JobStatus.RUNNING
        running.web_is_up = True
        running.rounds_of(8, seconds=60, workers_act=False)
        assert running.job.status == JobStatus.RUNNING, "time in which web was down is no silence"
        _place(running).silent = False
        running.rounds_of(12, seconds=60)
        assert (running.job.status, running.job.attempt) == (JobStatus.RUNNING, 1)
        assert _away(running) is None


def test_an_intermittent_web_loses_no_worker(running: World) -> None:
    """Web is never up for long enough to receive a heartbeat."""
    _place(running).cut_off(silent=True)
    for _ in range(40):
        running.web_is_up = True
        running.advance(20)
        running.rounds_of(1, seconds=20, workers_act=False)
        running.web_is_up = False
        running.advance(10_000)
    assert running.job.status == JobStatus.RUNNING


def test_with_heartbeats_but_no_api_server_it_runs_to_its_own_timeout(
    running: World,
) -> None:
    _place(running).cut_off(silent=False)
    for _ in range(10):
        running.rounds_of(1, seconds=300)
        assert running.job.status == JobStatus.RUNNING
        assert _away(running) is None, "nothing is wrong with the job"
    running.rounds_of(4, seconds=300)
    assert running.attempt().reason == FailureReason.DEADLINE_EXCEEDED
    assert _worker(running).step in ("refused", "exited")
    running.rounds_of(4, seconds=300)
    assert running.attempt().gone_at is not None, "a grace after it was last heard of"


def test_a_heartbeat_that_comes_again_begins_the_grace_anew(running: World) -> None:
    _place(running).cut_off(silent=True)
    running.rounds_of(9, seconds=60)
    _place(running).silent = False
    running.rounds_of(1, seconds=2)
    assert _away(running) is None
    _place(running).silent = True
    running.rounds_of(9, seconds=60)
    assert running.job.status == JobStatus.RUNNING
    running.rounds_of(3, seconds=60)
    assert running.attempt().reason == FailureReason.HEARTBEAT_LOST


def test_a_cluster_that_answers_intermittently_loses_no_worker(running: World) -> None:
    """A worker shown as alive is not lost, however silent.

    Each answer restarts the grace period.
    """
    for _ in range(5):
        _place(running).cut_off(silent=True)
        running.rounds_of(5, seconds=100, workers_act=False)
        _place(running).back()
        running.rounds_of(1, seconds=2, workers_act=False)
    assert running.job.status == JobStatus.RUNNING


def test_the_tries_on_clusters_that_go_away_are_bounded(running: World) -> None:
    Job.objects.update(infrastructure_failures=5)
    _place(running).cut_off(silent=True)
    running.rounds_of(12, seconds=60)
    job = running.job
    assert (job.status, job.reason, job.attempts_used) == (
        JobStatus.FAILED,
        FailureReason.HEARTBEAT_LOST,
        0,
    )
    assert job.diagnosis is not None
    assert [step["label"] for step in job.diagnosis["next_steps"]] == [
        "Run again",
        "Check the cluster",
    ]
    _over(running)
