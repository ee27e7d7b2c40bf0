"""The moves a job may make. Pure; `services.transition` is the one writer that applies them.

(attempt, status) only moves forward: a job goes back to `queued` only together with the next attempt number.
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
    """Whether the table has this move."""
    return target in MOVES[source]


def is_terminal(status: JobStatus) -> bool:
    """Whether no move leaves this status."""
    return status in TERMINAL


def place(attempt: int, status: JobStatus) -> tuple[int, int]:
    """Where a job stands in its life, as something that never decreases."""
    return attempt, _RANK[status]
