"""Steps and checks of the scenarios with one job."""

from jobs.contract import FailureReason, FinishStatus, JobStatus
from jobs.lifecycle.finish import attempt_finish
from jobs.lifecycle.values import FinishReport
from jobs.logs.read import log_sha256
from tests.fakes.kubernetes.faults import Fault
from tests.scenarios.oracle import judge
from tests.scenarios.world import World


def lose_create_answer(run: World) -> None:
    """Create the Job, lose the response, and refuse reads until the faults are cleared.

    No worker has claimed yet.
    """
    run.fake.fault(Fault.DROP_AFTER_COMMIT, verb="create", resource="jobs")
    run.fake.fault(Fault.DROP_BEFORE_COMMIT, verb="get", resource="jobs", count=None)
    run.fake.fault(Fault.ERROR_BEFORE_COMMIT, verb="create", resource="jobs", count=None)
    run.rounds_of(1, workers_act=False)
    assert run.attempt().uid == ""
    assert len(run.fake.ledger(running=True)) == 1


def check_end(run: World, status: JobStatus, reason: str = "") -> None:
    """Clear the faults, run to the end, and check the job and all invariants."""
    run.fake.clear_faults()
    run.run()
    job = run.job
    assert (job.status, job.reason) == (status, reason)
    assert judge(run) == []


def report_interrupted(run: World) -> JobStatus:
    """Report, as the worker does, that it is being stopped."""
    attempt = run.attempt()
    report = FinishReport(
        status=FinishStatus.FAILED,
        reason=FailureReason.INTERRUPTED,
        message="It was asked to stop.",
        log_end=attempt.log_end,
        log_sha256=log_sha256(attempt),
    )
    return attempt_finish(attempt_id=attempt.id, report=report)
