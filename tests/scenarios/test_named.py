"""The scenarios that have a name: each was a way to lose or double a job."""

from collections.abc import Iterator
from unittest import mock
from uuid import UUID

import pytest
from django.conf import settings

from jobs.clusters.launchers.base import Launched
from jobs.contract import FailureReason, FinishStatus, JobStatus
from jobs.dispatch import launch_outcome
from jobs.lifecycle.cancel import job_cancel
from jobs.lifecycle.finish import attempt_finish
from jobs.lifecycle.values import FinishReport
from jobs.logs.read import log_sha256
from jobs.models import Attempt
from jobs.reconcile.silence import job_away
from tests.fakes.kubernetes.client import FakeKubernetes
from tests.fakes.kubernetes.faults import Fault
from tests.fakes.kubernetes.scripts import Act, Start
from tests.scenarios.oracle import judge
from tests.scenarios.troubles import Phase
from tests.scenarios.world import Scenario, World, world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as running:
        yield running


@pytest.fixture
def run(cluster: FakeKubernetes) -> Iterator[World]:
    """One job, and nothing that goes wrong but what the test says."""
    with world(cluster, [Scenario(None, Phase.RUNNING)], seed=1) as made:
        yield made


def _answer_is_lost(run: World) -> None:
    """The create is done, its answer is lost, and so is each look at it, for a while; nobody has claimed yet."""
    run.fake.fault(Fault.DROP_AFTER_COMMIT, verb="create", resource="jobs")
    run.fake.fault(Fault.DROP_BEFORE_COMMIT, verb="get", resource="jobs", count=None)
    run.fake.fault(Fault.ERROR_BEFORE_COMMIT, verb="create", resource="jobs", count=None)
    run.rounds_of(1, workers_act=False)
    assert run.attempt().uid == ""
    assert len(run.fake.ledger(running=True)) == 1


def _ends_well(run: World, status: JobStatus, reason: str = "") -> None:
    run.fake.clear_faults()
    run.run()
    job = run.job
    assert (job.status, job.reason) == (status, reason)
    assert judge(run) == []


def _asked_to_stop(run: World) -> JobStatus:
    """The worker's own word of it."""
    attempt = run.attempt()
    report = FinishReport(
        status=FinishStatus.FAILED,
        reason=FailureReason.INTERRUPTED,
        message="It was asked to stop.",
        log_end=attempt.log_end,
        log_sha256=log_sha256(attempt),
    )
    return attempt_finish(attempt_id=attempt.id, report=report)


def test_created_but_the_answer_lost_and_it_claims(run: World) -> None:
    _answer_is_lost(run)
    run.rounds_of(1)
    assert run.job.status == JobStatus.RUNNING, "the claim makes it run, not the launcher's answer"
    _ends_well(run, JobStatus.SUCCEEDED)
    assert len(run.fake.ledger()) == 1


def test_created_but_the_answer_lost_and_a_cancel(run: World) -> None:
    _answer_is_lost(run)
    run.cancel(run.scenarios[0])
    _ends_well(run, JobStatus.CANCELLED, FailureReason.CANCELLED)


def test_created_but_the_answer_lost_until_the_launch_time_limit(run: World) -> None:
    _answer_is_lost(run)
    run.rounds_of(4, workers_act=False, seconds=100)
    assert run.job.attempt == 2, "the first attempt is ended, its worker is there"
    _ends_well(run, JobStatus.SUCCEEDED)
    assert [run_.exit_code for run_ in run.fake.ledger()] == [143, 0]


@pytest.mark.parametrize("how", ["TTL", "deleted by hand"])
def test_created_but_the_answer_lost_and_the_object_gone(run: World, how: str) -> None:
    """The same number is launched again: nobody had claimed it, no answer of its launch is known."""
    _answer_is_lost(run)
    name = run.attempt().name
    run.fake.fault(Fault.ERROR_BEFORE_COMMIT, verb="list", count=None)
    if how == "TTL":
        run.fake.exit(name, 1)
        run.advance(290)
        run.advance(20)
    else:
        run.fake.delete_job(name)
    assert run.fake.counts()["jobs"] == 0
    run.fake.clear_faults()
    run.run()
    assert run.job.status == JobStatus.SUCCEEDED
    assert judge(run) == []
    assert Attempt.objects.filter(claim_id__isnull=False, end_status="succeeded").count() == 1


def test_a_create_that_lands_after_the_job_ended_and_after_clean_up(run: World) -> None:
    """Its worker is refused, and its object is removed: no open attempt owns it."""
    run.fake.fault(
        Fault.LATE_COMMIT,
        verb="create",
        resource="jobs",
        seconds=2000,
        answer=Fault.ERROR_BEFORE_COMMIT,
    )
    run.rounds_of(1)
    run.cancel(run.scenarios[0])
    run.rounds_of(10)
    assert run.job.status == JobStatus.CANCELLED
    assert run.attempt().cleaned_up_at is not None
    run.advance(2000)
    assert run.fake.counts() == {"jobs": 1, "pods": 1}
    run.rounds_of(60, seconds=5)
    assert run.fake.counts() == {"jobs": 0, "pods": 0}
    assert judge(run) == []


def test_the_uid_of_a_deleted_twin_recorded_late(run: World) -> None:
    """The first object was deleted and the attempt launched again, when the first answer is recorded: presence is judged by the attempt."""
    answers: list[dict[UUID, Launched]] = []
    with mock.patch("jobs.dispatch.launch.record_launched", answers.append):
        run.rounds_of(1, workers_act=False)
        run.fake.delete_job(run.attempt().name)
        run.rounds_of(1, workers_act=False)
    first = next(each for each in answers if each)
    launch_outcome.record_launched(first)
    attempt = run.attempt()
    assert attempt.uid == first[attempt.id].uid
    assert attempt.uid not in {each.job_uid for each in run.fake.ledger(running=True)}, (
        "what runs is the second one"
    )
    _ends_well(run, JobStatus.SUCCEEDED)
    assert run.job.attempt == 1


def test_403_while_the_object_exists(run: World) -> None:
    run.fake.fault(Fault.FORBIDDEN_AFTER_COMMIT, verb="create", resource="jobs")
    run.rounds_of(1, workers_act=False)
    assert run.attempt().uid, "it was looked up and adopted"
    _ends_well(run, JobStatus.SUCCEEDED)
    assert len(run.fake.ledger()) == 1


def test_a_full_cluster_fails_no_job_however_long_that_lasts(run: World) -> None:
    """Each launch times out, and its job returns to its old queue position."""
    run.fake.script(start=Start.NO_CPU)
    for _hour in range(40):
        run.rounds_of(4, workers_act=False, seconds=100)
    job = run.job
    assert (job.status in (JobStatus.QUEUED, JobStatus.LAUNCHING), job.infrastructure_failures) == (
        True,
        0,
    )
    assert job.attempt > settings.ENV.infrastructure_retries + 1
    assert {each.reason for each in job.attempts.filter(ended_at__isnull=False)} == {
        FailureReason.UNSCHEDULABLE_CPU
    }
    run.fake.script(start=Start.RUNS)
    _ends_well(run, JobStatus.SUCCEEDED)


def test_a_launch_without_capacity_is_retried_with_backoff_and_starts_at_last(
    run: World,
) -> None:
    run.fake.script(start=Start.NO_CPU)
    while run.job.attempt < 4:
        run.rounds_of(1, workers_act=False, seconds=20)
    run.rounds_of(80, workers_act=False, seconds=20)
    assert (run.job.attempt, run.job.status) == (4, JobStatus.LAUNCHING), (
        "it may wait for half an hour by now"
    )
    run.fake.script(start=Start.RUNS)
    assert run.fake.act(run.attempt(number=4).name, Act.START)
    run.rounds_of(14, workers_act=False, seconds=20)
    _ends_well(run, JobStatus.SUCCEEDED)
    assert run.job.attempt == 4


def test_a_403_of_every_launch_fails_no_job_however_long_that_lasts(run: World) -> None:
    run.fake.fault(Fault.FORBIDDEN, verb="create", resource="jobs", count=None)
    run.rounds_of(100, workers_act=False, seconds=100)
    job = run.job
    assert (job.status in (JobStatus.QUEUED, JobStatus.LAUNCHING), job.infrastructure_failures) == (
        True,
        0,
    )
    ended = job.attempts.filter(ended_at__isnull=False)
    assert {each.reason for each in ended} == {FailureReason.CLUSTER_FORBIDDEN}
    assert job.diagnosis is not None
    assert job.diagnosis["category"] == FailureReason.CLUSTER_FORBIDDEN
    _ends_well(run, JobStatus.SUCCEEDED)


def test_a_403_of_everything_is_reported_and_ends_once_it_is_fixed(run: World) -> None:
    run.fake.fault(Fault.FORBIDDEN, resource="jobs", count=None)
    run.rounds_of(1, workers_act=False)
    assert run.job.status == JobStatus.LAUNCHING
    diagnosis = run.job.diagnosis
    assert diagnosis is not None
    assert diagnosis["category"] == FailureReason.CLUSTER_FORBIDDEN
    _ends_well(run, JobStatus.SUCCEEDED)
    assert run.job.attempt == 1


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (Act.EVICT_EMPTY_DIR, FailureReason.EVICTED_DISK_LIMIT),
        (Act.EVICT_REQUEST, FailureReason.EVICTED_BY_REQUEST),
        (Act.PREEMPT, FailureReason.PREEMPTED),
        (Act.DELETE, FailureReason.DELETED_BY_HAND),
        (Act.EXIT, FailureReason.INTERRUPTED),
        (None, FailureReason.INTERRUPTED),
    ],
)
def test_a_stopping_worker_ends_with_the_state_of_the_cluster(
    run: World, act: Act | None, reason: FailureReason
) -> None:
    """Its own word comes first, and does not say who asked; with no other trace, and when it never goes, that word holds."""
    run.rounds_of(2)
    for _repeated in range(2):
        assert _asked_to_stop(run) == JobStatus.RUNNING
    if act is not None:
        run.fake.act(run.attempt().name, act, exit_code=1)
    run.rounds_of(4, workers_act=False, seconds=20)
    first = run.attempt()
    assert first.reason == reason
    assert first.counts == (reason is FailureReason.EVICTED_DISK_LIMIT), (
        "what it wrote is its own fault"
    )
    if reason is FailureReason.INTERRUPTED:
        assert first.message == "It was asked to stop."
    _ends_well(run, JobStatus.SUCCEEDED)
    assert run.job.attempt == 2


def test_a_stopping_worker_can_be_cancelled(run: World) -> None:
    run.rounds_of(2)
    _asked_to_stop(run)
    run.cancel(run.scenarios[0])
    run.fake.act(run.attempt().name, Act.EVICT_REQUEST)
    _ends_well(run, JobStatus.CANCELLED, FailureReason.CANCELLED)


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_sidecar_that_does_not_end_holds_no_capacity(run: World, succeeds: bool) -> None:
    """The worker is gone when its own container has ended; its Job goes with the sidecar once the log is sealed."""
    run.fake.script(sidecar=True)
    run.workers.succeeds[run.job.id] = succeeds
    run.rounds_of(1)
    run.run_until(lambda: run.attempt().ended_at is not None)
    run.rounds_of(4)
    attempt = run.attempt()
    assert attempt.gone_at is not None
    assert attempt.log_complete
    run.rounds_of(5)
    assert run.attempt().cleaned_up_at is not None
    _ends_well(
        run,
        *(
            (JobStatus.SUCCEEDED,)
            if succeeds
            else (JobStatus.FAILED, FailureReason.WORKLOAD_FAILED)
        ),
    )


def test_a_worker_killed_from_outside_beside_a_sidecar_is_not_counted(run: World) -> None:
    run.fake.script(sidecar=True)
    run.run_until(lambda: run.job.status == JobStatus.RUNNING)
    run.fake.exit(run.attempt().name, 137)
    run.run_until(lambda: run.attempt().ended_at is not None)
    attempt = run.attempt()
    assert (attempt.reason, attempt.counts) == (FailureReason.WORKER_LOST, False)
    assert "signal 9" in attempt.message
    _ends_well(run, JobStatus.SUCCEEDED)


def test_a_wrong_image_that_exits_with_0_fails_permanently(run: World) -> None:
    run.rounds_of(1, workers_act=False)
    run.fake.exit(run.attempt().name, 0)
    run.rounds_of(3, workers_act=False)
    job = run.job
    assert (job.status, job.reason, job.attempt) == (JobStatus.FAILED, FailureReason.BAD_COMMAND, 1)
    assert "exit code 0" in job.message
    assert "mimir-aip/worker" in job.message
    assert not run.attempt().counts


def test_a_worker_that_stops_cleanly_in_a_suspension_is_reported_as_suspended(run: World) -> None:
    run.fake.script(stop_exit_code=0)
    run.run_until(lambda: run.job.status == JobStatus.RUNNING)
    _asked_to_stop(run)
    run.fake.suspend_job(run.attempt().name)
    run.run_until(lambda: run.attempt().ended_at is not None)
    assert (run.attempt().reason, run.attempt().counts) == (FailureReason.SUSPENDED, False)


def test_a_worker_without_dns_is_reported_as_such(run: World) -> None:
    run.rounds_of(1, workers_act=False)
    name = run.attempt().name
    run.fake.append_log(
        name,
        b"worker: the orchestrator does not answer, retrying: gaierror: [Errno -3] Temporary failure in name resolution\n",
    )
    run.rounds_of(8, workers_act=False, seconds=60)
    attempt = run.attempt()
    assert (attempt.reason, attempt.counts) == (FailureReason.NEVER_CLAIMED, False)
    assert "DNS does not work in its pod" in attempt.message
    assert "did not report within" in attempt.message


def test_a_job_suspended_while_it_runs_starts_anew(run: World) -> None:
    run.run_until(lambda: run.job.status == JobStatus.RUNNING)
    run.fake.suspend_job(run.attempt().name)
    run.run_until(lambda: run.attempt().ended_at is not None)
    attempt = run.attempt()
    assert (attempt.reason, attempt.counts) == (FailureReason.SUSPENDED, False)
    assert "suspended while it ran" in attempt.message
    _ends_well(run, JobStatus.SUCCEEDED)
    assert run.job.attempt == 2


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
    _ends_well(run, JobStatus.SUCCEEDED)
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


def test_out_of_memory_says_the_limit_and_what_to_ask_for(run: World) -> None:
    run.rounds_of(2)
    run.fake.act(run.attempt().name, Act.OUT_OF_MEMORY)
    run.rounds_of(1)
    event = run.job.diagnosis or {}
    assert event["category"] == FailureReason.OUT_OF_MEMORY
    assert event["next_steps"][0]["patch"]["resources"]["memory"]


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
    _ends_well(run, JobStatus.SUCCEEDED)


def test_a_pod_that_tolerates_a_node_that_never_returns(run: World) -> None:
    """The cluster never takes the pod away, and shows it as running; its node is silent, and so is the worker."""
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
