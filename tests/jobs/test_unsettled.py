"""Workers that are read between two complete passes without a change on the cluster."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.clusters.launchers.base import Launcher
from jobs.clusters.rows import cluster_ensure
from jobs.contract import FailureReason, JobStatus
from jobs.models import Attempt, Job
from jobs.reconcile.attempts import unsettled_names
from jobs.reconcile.known_state import KnownState
from jobs.reconcile.once import reconcile_once, reconcile_workers
from mimir.lib.clock import utc_now
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def _unsettled() -> set[str]:
    return unsettled_names(cluster=cluster_ensure())


def test_a_running_attempt_in_time_is_settled() -> None:
    cluster = make.claimed().cluster
    with CaptureQueriesContext(connection) as queries:
        assert unsettled_names(cluster=cluster) == set()
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("attempt_fields", "job_fields"),
    [
        ({"claimed_at": None}, {}),
        ({"fenced_at": utc_now()}, {}),
        ({"ended_at": utc_now()}, {}),
        ({"end_status": "interrupted"}, {}),
        ({"claimed_at": utc_now() - dt.timedelta(days=30)}, {}),
        ({}, {"status": JobStatus.CANCELLING}),
        ({}, {"status": JobStatus.FAILED, "finished_at": utc_now()}),
        ({}, {"attempt": 2}),
    ],
)
def test_an_attempt_that_rows_or_time_can_move_is_unsettled(
    attempt_fields: dict[str, Any], job_fields: dict[str, Any]
) -> None:
    attempt = make.claimed(timeout_seconds=3600)
    Attempt.objects.filter(id=attempt.id).update(**attempt_fields)
    Job.objects.filter(id=attempt.job_id).update(**job_fields)
    assert _unsettled() == {attempt.name}


def test_an_attempt_that_is_gone_is_left_to_complete_passes() -> None:
    attempt = make.claimed()
    Attempt.objects.filter(id=attempt.id).update(fenced_at=utc_now(), gone_at=utc_now())
    assert _unsettled() == set()


def test_a_pass_over_unsettled_workers_ends_a_job_at_its_time_limit() -> None:
    attempt, known = make.claimed(timeout_seconds=60), KnownState()
    Attempt.objects.filter(id=attempt.id).update(claimed_at=utc_now() - dt.timedelta(minutes=5))
    reconcile_workers(cluster_ensure(), make.launcher(), known, names=_unsettled())
    job = Job.objects.get(id=attempt.job_id)
    assert (job.status, job.reason) == (JobStatus.FAILED, FailureReason.DEADLINE_EXCEEDED)


class _Unreachable:
    """Launcher whose direct requests fail; otherwise like the fake."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def __getattr__(self, name: str) -> Any:
        return getattr(self._launcher, name)

    def is_gone(self, name: str, attempt_id: str) -> bool:
        raise OSError("no answer")


def test_a_step_that_failed_is_repeated_before_the_next_complete_pass() -> None:
    attempt, known = make.claimed(), KnownState()
    del make.launcher().workers[attempt.name]
    unreachable: Any = _Unreachable(make.launcher())
    reconcile_once(cluster_ensure(), unreachable, known)
    assert known.unsettled == {attempt.name}
    reconcile_workers(cluster_ensure(), make.launcher(), known, names=known.unsettled)
    assert Attempt.objects.get(id=attempt.id).ended_at


def test_a_step_without_an_action_is_not_repeated() -> None:
    make.claimed()
    known = KnownState()
    reconcile_once(cluster_ensure(), make.launcher(), known)
    assert known.unsettled == set()
