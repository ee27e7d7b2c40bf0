"""Reads before a launch: what is still to be launched, with the values of its rows."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from jobs.contract import JobStatus
from jobs.dispatch.launch_rows import is_still_wanted, launch_rows
from jobs.models import Attempt, Job
from mimir.lib.clock import utc_now
from tests.support import make

pytestmark = pytest.mark.django_db(transaction=True)


def _cancelled(attempt: Attempt) -> None:
    Job.objects.filter(id=attempt.job_id).update(status=JobStatus.CANCELLING)


def _set(**values: object) -> Callable[[Attempt], None]:
    def change(attempt: Attempt) -> None:
        Attempt.objects.filter(id=attempt.id).update(**values)

    return change


NOT_WANTED: dict[str, Callable[[Attempt], None]] = {
    "fenced": _set(fenced_at=utc_now()),
    "ended": _set(ended_at=utc_now()),
    "claimed": _set(claim_id=uuid4()),
    "cancelled": _cancelled,
}


@pytest.mark.parametrize("name", NOT_WANTED)
def test_an_attempt_that_is_no_longer_wanted_is_not_launched(name: str) -> None:
    attempt = make.admitted()
    assert is_still_wanted(attempt.id)
    NOT_WANTED[name](attempt)
    assert not is_still_wanted(attempt.id)
    assert launch_rows([attempt.id]) == []


def test_a_launched_attempt_is_not_launched_again_but_still_wanted() -> None:
    attempt = make.admitted()
    Attempt.objects.filter(id=attempt.id).update(uid="known")
    assert launch_rows([attempt.id]) == []
    assert is_still_wanted(attempt.id)


def test_rows_have_the_values_of_the_attempts_and_their_jobs_oldest_first() -> None:
    attempts = [make.admitted(), make.admitted()]
    rows = launch_rows([attempt.id for attempt in reversed(attempts)] + [uuid4()])
    assert len(rows) == 2
    for row, attempt in zip(rows, attempts, strict=True):
        job = attempt.job
        first_of_job = row._fields.index("type")
        of_attempt, of_job = row._fields[:first_of_job], row._fields[first_of_job:]
        expected = [getattr(attempt, name) for name in of_attempt]
        assert list(row) == expected + [getattr(job, name) for name in of_job]


def test_each_call_reads_the_given_attempts() -> None:
    attempt = make.admitted()
    assert launch_rows([]) == []
    assert [row.id for row in launch_rows([attempt.id])] == [attempt.id]
    assert launch_rows([uuid4()]) == []
