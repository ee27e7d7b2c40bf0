"""Waiting jobs that a forecast considers. Of a long queue, the first ones of each group or line.

With few groups of equal requests these are the oldest jobs of each group, and the jobs behind them
cannot start before them. With many groups they are the oldest jobs of each line (`lines`): a
smaller job behind them can start before them, so a forecast can be too early.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from jobs.admission.candidates import GROUPS_MAX, Waiting
from jobs.admission.ledger import Ledger
from jobs.admission.lines import Line, relevant_jobs
from jobs.admission.snapshot_types import Candidate, Snapshot

CANDIDATES_MAX = 1000  # jobs read from groups
LINE_CANDIDATES_MAX = 300  # jobs read from lines; their requests can differ


@dataclass(frozen=True, slots=True)
class QueueHead:
    """Waiting jobs that a forecast considers.

    `last_read`: the last job read of each group or line that can have further jobs. `read_until`:
    the `queued_at` of the last job read of each such line.
    """

    jobs: tuple[Candidate, ...]
    last_read: frozenset[UUID] = frozenset()
    read_until: Mapping[Line, float] = field(default_factory=dict)

    def is_behind(self, job: Candidate) -> bool:
        """Return whether its line contains earlier jobs that were not read."""
        until = self.read_until.get((job.project, job.priority))
        return until is not None and job.queued_at > until


def queue_head(view: Snapshot, waiting: Waiting) -> QueueHead | None:
    """Read the jobs of a long queue that a forecast considers; None with too many lines.

    `view` holds no waiting jobs. Retries in back-off and later jobs of a group with the same
    exclusive key are not read.
    """
    groups = waiting.groups(GROUPS_MAX)
    if groups is None:
        return _head_of_lines(view, waiting)
    depth = max(1, CANDIDATES_MAX // max(1, len(groups)))
    lines = waiting.heads(dict.fromkeys(groups, depth)) if groups else {}
    return QueueHead(
        tuple(job for jobs in lines.values() for job in jobs),
        frozenset(jobs[-1].job_id for jobs in lines.values() if len(jobs) >= depth),
    )


def _head_of_lines(view: Snapshot, waiting: Waiting) -> QueueHead | None:
    """Read the oldest jobs of each line that could start on idle clusters."""
    idle = replace(view, allocations=())
    relevant = relevant_jobs(idle, Ledger(idle))
    lines = waiting.first(1, relevant)
    depth = LINE_CANDIDATES_MAX // max(1, len(lines))
    if not depth:
        return None
    if depth > 1:
        lines = waiting.first(depth, relevant)
    cut = {line: jobs[-1] for line, jobs in lines.items() if len(jobs) >= depth}
    return QueueHead(
        tuple(job for jobs in lines.values() for job in jobs),
        frozenset(job.job_id for job in cut.values()),
        {line: job.queued_at for line, job in cut.items()},
    )
