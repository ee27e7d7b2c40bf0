"""Scenarios of launches: lost responses, late creates, refusals and full clusters."""

from unittest import mock
from uuid import UUID

import pytest
from django.conf import settings

from jobs.clusters.launchers.base import Launched
from jobs.contract import FailureReason, JobStatus
from jobs.dispatch import launch_outcome
from jobs.models import Attempt
from tests.fakes.kubernetes.faults import Fault
from tests.fakes.kubernetes.scripts import Act, Start
from tests.scenarios.one_job import check_end, lose_create_answer
from tests.scenarios.oracle import judge
from tests.scenarios.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


def test_created_but_the_answer_lost_and_it_claims(run: World) -> None:
    lose_create_answer(run)
    run.rounds_of(1)
    assert run.job.status == JobStatus.RUNNING, "the claim makes it run, not the launcher's answer"
    check_end(run, JobStatus.SUCCEEDED)
    assert len(run.fake.ledger()) == 1


def test_created_but_the_answer_lost_and_a_cancel(run: World) -> None:
    lose_create_answer(run)
    run.cancel(run.scenarios[0])
    check_end(run, JobStatus.CANCELLED, FailureReason.CANCELLED)


def test_created_but_the_answer_lost_until_the_launch_time_limit(run: World) -> None:
    lose_create_answer(run)
    run.rounds_of(4, workers_act=False, seconds=100)
    assert run.job.attempt == 2, "the first attempt is ended, its worker is there"
    check_end(run, JobStatus.SUCCEEDED)
    assert [run_.exit_code for run_ in run.fake.ledger()] == [143, 0]


@pytest.mark.parametrize("how", ["TTL", "deleted by hand"])
def test_created_but_the_answer_lost_and_the_object_gone(run: World, how: str) -> None:
    """The same attempt is launched again.

    No worker had claimed it, and no response to its launch was recorded.
    """
    lose_create_answer(run)
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
    """The worker is refused and its object deleted, because no open attempt owns it."""
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
    """The first response is recorded after the first object was deleted and launched again.

    The presence of a worker is decided by its attempt, not by the recorded uid.
    """
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
    check_end(run, JobStatus.SUCCEEDED)
    assert run.job.attempt == 1


def test_403_while_the_object_exists(run: World) -> None:
    run.fake.fault(Fault.FORBIDDEN_AFTER_COMMIT, verb="create", resource="jobs")
    run.rounds_of(1, workers_act=False)
    assert run.attempt().uid, "it was looked up and adopted"
    check_end(run, JobStatus.SUCCEEDED)
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
    check_end(run, JobStatus.SUCCEEDED)


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
    check_end(run, JobStatus.SUCCEEDED)
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
    check_end(run, JobStatus.SUCCEEDED)


def test_a_403_of_everything_is_reported_and_ends_once_it_is_fixed(run: World) -> None:
    run.fake.fault(Fault.FORBIDDEN, resource="jobs", count=None)
    run.rounds_of(1, workers_act=False)
    assert run.job.status == JobStatus.LAUNCHING
    diagnosis = run.job.diagnosis
    assert diagnosis is not None
    assert diagnosis["category"] == FailureReason.CLUSTER_FORBIDDEN
    check_end(run, JobStatus.SUCCEEDED)
    assert run.job.attempt == 1
