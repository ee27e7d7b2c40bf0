"""Scenarios of workers that stop, are killed, or cannot work."""

import pytest

from jobs.contract import FailureReason, JobStatus
from jobs.core.resources import GIB
from jobs.models import Attempt, Job
from tests.fakes.kubernetes.scripts import Act
from tests.scenarios.one_job import check_end, report_interrupted
from tests.scenarios.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


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
    """The report of the worker arrives first and does not name the cause.

    It is used if the cluster shows no other cause and the worker never ends.
    """
    run.rounds_of(2)
    for _repeated in range(2):
        assert report_interrupted(run) == JobStatus.RUNNING
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
    check_end(run, JobStatus.SUCCEEDED)
    assert run.job.attempt == 2


def test_a_stopping_worker_can_be_cancelled(run: World) -> None:
    run.rounds_of(2)
    report_interrupted(run)
    run.cancel(run.scenarios[0])
    run.fake.act(run.attempt().name, Act.EVICT_REQUEST)
    check_end(run, JobStatus.CANCELLED, FailureReason.CANCELLED)


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_sidecar_that_does_not_end_holds_no_capacity(run: World, succeeds: bool) -> None:
    """The worker is gone when its own container has ended.

    The Job is deleted with the sidecar once the log is sealed.
    """
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
    check_end(
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
    check_end(run, JobStatus.SUCCEEDED)


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
    report_interrupted(run)
    run.fake.suspend_job(run.attempt().name)
    run.run_until(lambda: run.attempt().ended_at is not None)
    assert (run.attempt().reason, run.attempt().counts) == (FailureReason.SUSPENDED, False)


def test_a_worker_without_dns_is_reported_as_such(run: World) -> None:
    run.rounds_of(1, workers_act=False)
    name = run.attempt().name
    run.fake.append_log(
        name,
        b"worker: the orchestrator does not answer, retrying: gaierror: [Errno -3] Temporary "
        b"failure in name resolution\n",
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
    check_end(run, JobStatus.SUCCEEDED)
    assert run.job.attempt == 2


def test_out_of_memory_says_the_limit_and_what_to_ask_for(run: World) -> None:
    run.rounds_of(2)
    run.fake.act(run.attempt().name, Act.OUT_OF_MEMORY)
    run.rounds_of(1)
    event = run.job.diagnosis or {}
    assert event["category"] == FailureReason.OUT_OF_MEMORY
    assert event["next_steps"][0]["patch"]["resources"]["memory"]


def test_out_of_memory_with_memory_max_runs_again_with_more_until_it_suffices(run: World) -> None:
    Job.objects.update(memory_max_bytes=6 * GIB)
    run.workers.needs_bytes[run.job.id] = 3 * GIB
    check_end(run, JobStatus.SUCCEEDED)
    limits = Attempt.objects.order_by("number").values_list("memory_limit_bytes", flat=True)
    assert list(limits) == [GIB, 2 * GIB, 4 * GIB]
    assert run.job.attempts_used == 1


def test_memory_that_never_suffices_ends_at_memory_max(run: World) -> None:
    Job.objects.update(memory_max_bytes=3 * GIB, max_attempts=1)
    run.workers.needs_bytes[run.job.id] = 8 * GIB
    check_end(run, JobStatus.FAILED, FailureReason.OUT_OF_MEMORY)
    limits = Attempt.objects.order_by("number").values_list("memory_limit_bytes", flat=True)
    assert list(limits) == [GIB, 2 * GIB, 3 * GIB]
    assert "memory_max" in run.job.message
