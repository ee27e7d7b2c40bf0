"""Scenarios of nodes that are lost, silent or return."""

import pytest

from jobs.contract import FailureReason, JobStatus
from jobs.lifecycle.cancel import job_cancel
from jobs.reconcile.silence import job_away
from tests.scenarios.one_job import check_end
from tests.scenarios.oracle import judge
from tests.scenarios.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


def test_node_away_attempt_2_node_back(run: World) -> None:
    """The old worker continues beside its successor; its requests are refused."""
    run.rounds_of(2)
    assert run.job.status == JobStatus.RUNNING
    run.fake.add_node("other")
    run.fake.script(node="other")
    run.fake.node_lost("node1", toleration_seconds=30)
    run.rounds_of(8, workers_act=False, seconds=60)
    assert run.job.attempt == 2
    assert run.attempt().reason == FailureReason.NODE_LOST
    old = next(iter(run.workers.by_pod.values()))
    while old.step in ("claimed", "printed"):
        run.workers.act(run.fake.ledger(running=True, env=True), held={run.attempt(2).id})
    assert old.step == "refused"
    run.fake.node_back("node1")
    check_end(run, JobStatus.SUCCEEDED)
    assert len(run.workers.successes) == 1


def test_cancel_on_a_node_that_never_returns(run: World) -> None:
    run.rounds_of(2)
    run.fake.node_lost("node1", toleration_seconds=30)
    job_cancel(job_id=run.job.id, actor="user:ada")
    run.scenarios[0].cancelled = True
    run.rounds_of(12, workers_act=False, seconds=60)
    job = run.job
    assert job.status == JobStatus.CANCELLED
    assert run.attempt().gone_at is not None, "its room is free"
    assert judge(run) == []


def test_a_worker_on_a_silent_node_says_so_while_it_waits(run: World) -> None:
    run.rounds_of(2)
    run.fake.node_lost("node1", toleration_seconds=10_000)
    run.rounds_of(2, workers_act=False, seconds=60)
    assert run.job.status == JobStatus.RUNNING
    away = job_away([run.job])[run.job.id]
    assert away["what"] == "node"
    assert "its node does not answer" in away["detail"]
    run.fake.node_back("node1")
    run.rounds_of(1)
    assert job_away([run.job]) == {}
    check_end(run, JobStatus.SUCCEEDED)


def test_a_pod_that_tolerates_a_node_that_never_returns(run: World) -> None:
    """The cluster never deletes the pod, and shows it as running.

    Its node is silent, and so is the worker.
    """
    for _ in range(5):
        run.advance(20)  # web has settled
    run.rounds_of(2)
    run.fake.add_node("other")
    run.fake.script(node="other")
    run.fake.node_lost("node1", toleration_seconds=1e9)
    run.rounds_of(8, workers_act=False, seconds=60)
    assert run.job.status == JobStatus.RUNNING, "its cluster's grace is not over"
    run.rounds_of(4, workers_act=False, seconds=60)
    attempt = run.attempt()
    assert (run.job.attempt, attempt.reason, attempt.counts) == (2, FailureReason.NODE_LOST, False)
    assert "node1 does not answer" in attempt.message
    run.rounds_of(4, workers_act=False, seconds=60)
    assert run.attempt().gone_at is not None, "deleted, and past its node's grace"


def test_node_not_ready_while_its_worker_sends_heartbeats(run: World) -> None:
    """A silent kubelet is not a reason to end a running worker."""
    for _ in range(5):
        run.advance(20)
    run.rounds_of(2)
    next(iter(run.workers.by_pod.values())).rounds_to_run = 1000
    run.fake.node_lost("node1", toleration_seconds=1e9)
    run.rounds_of(10, seconds=100)
    assert (run.job.status, run.job.attempt) == (JobStatus.RUNNING, 1)
