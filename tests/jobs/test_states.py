"""State machine of jobs: allowed and forbidden transitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import TERMINAL, JobStatus
from jobs.core.states import MOVES, is_terminal, may_move, progress_key


def test_every_status_is_in_the_table_and_the_terminal_ones_lead_nowhere() -> None:
    assert set(MOVES) == set(JobStatus)
    assert {status for status in JobStatus if not MOVES[status]} == set(TERMINAL)
    assert all(is_terminal(status) for status in TERMINAL)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (JobStatus.CANCELLING, JobStatus.SUCCEEDED),
        (JobStatus.CANCELLING, JobStatus.QUEUED),
        (JobStatus.QUEUED, JobStatus.RUNNING),
        (JobStatus.SUCCEEDED, JobStatus.FAILED),
        (JobStatus.LAUNCHING, JobStatus.SUCCEEDED),
    ],
)
def test_wrong_transitions_are_not_in_the_table(source: JobStatus, target: JobStatus) -> None:
    assert not may_move(source, target)


@given(st.data())
def test_any_walk_over_the_table_only_goes_forward(data: st.DataObject) -> None:
    attempt, status = 1, JobStatus.QUEUED
    while MOVES[status]:
        target = data.draw(st.sampled_from(sorted(MOVES[status])))
        next_attempt = attempt + 1 if target is JobStatus.QUEUED else attempt
        assert progress_key(next_attempt, target) > progress_key(attempt, status)
        attempt, status = next_attempt, target
        if attempt > 5:
            break
