"""Allowed status changes of a job. Pure; `core.transition` applies them.

(attempt, status) only increases: a job returns to `queued` together with the next attempt number.
"""

from jobs.contract import TERMINAL, JobStatus

MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.LAUNCHING, JobStatus.CANCELLED, JobStatus.FAILED}),
    JobStatus.LAUNCHING: frozenset(
        {JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.FAILED, JobStatus.CANCELLING}
    ),
    JobStatus.RUNNING: frozenset(
        {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.QUEUED, JobStatus.CANCELLING}
    ),
    JobStatus.CANCELLING: frozenset({JobStatus.CANCELLED}),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}

_RANK = {
    JobStatus.QUEUED: 0,
    JobStatus.LAUNCHING: 1,
    JobStatus.RUNNING: 2,
    JobStatus.CANCELLING: 3,
    JobStatus.SUCCEEDED: 4,
    JobStatus.FAILED: 4,
    JobStatus.CANCELLED: 4,
}


def may_move(source: JobStatus, target: JobStatus) -> bool:
    """Return whether the table allows this change."""
    return target in MOVES[source]


def is_terminal(status: JobStatus) -> bool:
    """Return whether the status is final."""
    return status in TERMINAL


def progress_key(attempt: int, status: JobStatus) -> tuple[int, int]:
    """Return a key of the job's progress that never decreases."""
    return attempt, _RANK[status]
