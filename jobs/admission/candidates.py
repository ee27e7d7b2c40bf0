"""Admit from the heads of a long queue instead of from all of it. Pure.

Waiting jobs form groups of equal requests. Until capacity is allocated, the rules of `decide` treat
the jobs of a group equally, and within a group an older job is always considered before a younger
one. Free capacity only shrinks during a pass. So the jobs of a group that are admitted are its
oldest ones, and after the first of them that a rule of its group blocks, all younger ones are
blocked as well and reserve nothing. A pass therefore needs only the head of each group, down to
that job. It reads a short head first and a longer one where the first was not enough.

Two more properties divide a group into lines of jobs that the rules treat equally:

- A retry can reserve a cluster only some time after the end of its back-off. Retries that can
  reserve and younger ones are two lines.
- Jobs with an exclusive key are a group of their own. Of those with one key only the oldest of a
  line matters, and none if an attempt holds the key.

Jobs in back-off and jobs with a worker of a previous attempt are blocked and change nothing for
others. No head contains them.

With many groups a pass reads lines of jobs instead: see `lines`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol
from uuid import UUID

from jobs.admission.decide import admit, first_failing
from jobs.admission.ledger import Ledger
from jobs.admission.lines import NEVER_MAX, LineSource, decide_lines
from jobs.admission.snapshot_types import Candidate, Decision, Snapshot
from jobs.contract import Priority, WaitRule

SHORT_QUEUE = 200  # waiting jobs up to which reading all of them costs less than the heads
DEPTH_FIRST_MAX, DEPTH_FACTOR = 64, 4
GROUPS_MAX = 300  # above it, reading lines costs less than the groups
# Rules before CAPACITY in the order of `decide` that hold for a whole group during a pass. A group
# that one of them blocks neither starts a job nor reserves a cluster.
BLOCKS_GROUP = frozenset(
    {
        WaitRule.PAUSED,
        WaitRule.PROJECT_PAUSED,
        WaitRule.PROJECT_ARCHIVED,
        WaitRule.CLUSTER_UNKNOWN,
        WaitRule.JOBS_GLOBAL,
        WaitRule.JOBS_TYPE,
        WaitRule.JOBS_PROJECT,
        WaitRule.CLUSTER_DISABLED,
        WaitRule.CLUSTER_UNREACHABLE,
    }
)
# Rules about one job: they say nothing about the others of its group.
OF_ONE_JOB = frozenset({WaitRule.BACK_OFF, WaitRule.PREVIOUS_ATTEMPT, WaitRule.EXCLUSIVE})


@dataclass(frozen=True, slots=True)
class CandidateGroup:
    """Equal requests of waiting jobs. `project` is the slug."""

    project: str
    type: str
    priority: Priority
    cluster: str
    region: str
    cpu_millicores: int
    memory_bytes: int
    gpus: int
    keyed: bool  # its jobs have an exclusive key
    retried: bool  # its jobs have, or had, a back-off
    archived: bool


GroupLine = tuple[CandidateGroup, bool]  # the flag: retries that may reserve a cluster
Depths = Mapping[CandidateGroup, int]


class Waiting(LineSource, Protocol):
    """Source of the waiting jobs: the database, or a list in tests."""

    def groups(self, most: int) -> Sequence[CandidateGroup] | None:
        """Return the groups of all waiting jobs; None if there are more than `most`."""
        ...

    def heads(self, depths: Depths) -> Mapping[GroupLine, Sequence[Candidate]]:
        """Return the oldest jobs of each line of the groups, at most the group's depth."""
        ...

    def unplaceable(self, groups: Sequence[CandidateGroup]) -> tuple[Sequence[UUID], bool]:
        """Return jobs of groups that no cluster can ever hold, and whether there may be more.

        Without jobs in back-off or with a worker of a previous attempt: these fail later.
        """
        ...

    def never_fit(self, queued_since: float) -> tuple[Sequence[UUID], bool]:
        """Return the same as `unplaceable`, for all jobs submitted since then (Unix seconds)."""
        ...


@dataclass(frozen=True, slots=True)
class HeadDecision:
    """Decision over the heads. `admitted` and `never` are those of a decision over all jobs.

    `heads`: the jobs it considered. `more_never`: further jobs that no cluster can hold may wait.
    `many_groups`: there are more than GROUPS_MAX.
    """

    admitted: tuple[tuple[UUID, str], ...]
    never: tuple[UUID, ...]
    more_never: bool
    heads: tuple[Candidate, ...] = ()
    many_groups: bool = False


def admit_heads(
    view: Snapshot,
    waiting: Waiting,
    *,
    limit: int | None = None,
    many_groups: bool = False,
    never_since: float | None = 0.0,
) -> HeadDecision:
    """Decide a pass over the heads of all groups, or over lines; `view` holds no waiting jobs.

    Admits the same jobs to the same clusters in the same order as `admit` over all waiting jobs,
    at most the first `limit`. `many_groups`: do not count the groups. With many groups, `never` has
    jobs that were submitted after `never_since` (Unix seconds); None: it has none.
    """
    if view.limits.paused:
        return HeadDecision((), (), more_never=False)
    groups = None if many_groups else waiting.groups(GROUPS_MAX)
    if groups is not None:
        return _admit_groups(view, waiting, groups, limit)
    never, more_never = ((), False) if never_since is None else waiting.never_fit(never_since)
    lines = decide_lines(view, waiting, limit=limit)
    return HeadDecision(
        lines.decision.admitted, tuple(never), more_never, lines.read, many_groups=True
    )


def _admit_groups(
    view: Snapshot, waiting: Waiting, groups: Sequence[CandidateGroup], limit: int | None
) -> HeadDecision:
    """Decide over the heads of the groups; read longer heads where they are not enough."""
    free, full, unplaceable = _by_first_check(view, groups)
    never, more_never = waiting.unplaceable(unplaceable) if unplaceable else ((), False)
    slots = free_slots(view)
    # A job behind a full start window can still reserve a cluster, which explains other jobs.
    all_slots = free_slots(view, with_windows=False)
    most = slots if limit is None else min(slots, limit)
    first = max(1, min(DEPTH_FIRST_MAX, math.ceil(most / max(1, len(free)))))
    depths = dict.fromkeys(free, first) | dict.fromkeys(full, 1)
    lines: dict[GroupLine, Sequence[Candidate]] = {}
    unread: Depths = depths
    decision = Decision((), (), {}, (), {})
    while unread:
        lines = {line: jobs for line, jobs in lines.items() if line[0] not in unread}
        lines |= waiting.heads(unread)
        decision = admit(replace(view, waiting=tuple(chain.from_iterable(lines.values()))))
        last = _last_position(decision, all_slots, limit)
        unread = {
            group: depths[group] * DEPTH_FACTOR
            for group in dict.fromkeys(_unsettled(lines, depths, decision, last))
        }
        depths |= unread
    return HeadDecision(
        decision.admitted[:limit],
        (*never, *decision.never),
        more_never,
        tuple(chain.from_iterable(lines.values())),
    )


def admit_all(
    view: Snapshot, waiting: tuple[Candidate, ...], *, limit: int | None = None
) -> HeadDecision:
    """Decide a pass over the given waiting jobs."""
    decision = admit(replace(view, waiting=waiting))
    never = decision.never[:NEVER_MAX]
    return HeadDecision(decision.admitted[:limit], never, never != decision.never, waiting)


def _by_first_check(
    view: Snapshot, groups: Sequence[CandidateGroup]
) -> tuple[list[CandidateGroup], list[CandidateGroup], list[CandidateGroup]]:
    """Return groups that can start a job now, that can only reserve, and that never fit."""
    free, full, unplaceable = [], [], []
    checks = first_failing(view, [_example(group, view.now) for group in groups])
    for group, check in zip(groups, checks, strict=True):
        if check is None:
            free.append(group)
        elif check.rule is WaitRule.NEVER_FITS:
            unplaceable.append(group)
        elif check.rule not in BLOCKS_GROUP:
            full.append(group)
    return free, full, unplaceable


def _example(group: CandidateGroup, now: float) -> Candidate:
    """Return a job of the group that no rule about a single job blocks."""
    return Candidate(
        job_id=UUID(int=0),
        project=group.project,
        type=group.type,
        priority=group.priority,
        queued_at=now,
        cpu_millicores=group.cpu_millicores,
        memory_bytes=group.memory_bytes,
        gpus=group.gpus,
        archived=group.archived,
        cluster=group.cluster,
        region=group.region,
    )


def free_slots(view: Snapshot, *, with_windows: bool = True) -> int:
    """Return the largest number of jobs that a pass can admit, or could without start windows."""
    ledger = Ledger(view)
    free = 0
    for capacity in view.capacities:
        if capacity.open:
            most = capacity.jobs - ledger.jobs[capacity.cluster]
            if with_windows and capacity.start_window is not None:
                most = min(most, capacity.start_window - ledger.starting[capacity.cluster])
            free += max(0, most)
    if view.limits.jobs_global is not None:
        free = min(free, max(0, view.limits.jobs_global - ledger.total))
    return free


def _last_position(decision: Decision, slots: int, limit: int | None) -> float:
    """Return the position in the order after which nothing can change any more.

    The position of the last admission within `limit`, if it took the last slot or reached the
    limit; infinity if it did not; -1 if no job can be admitted.
    """
    admitted = decision.admitted[:limit]
    if len(admitted) < slots and (limit is None or len(admitted) < limit):
        return math.inf
    return decision.order.index(admitted[-1][0]) if admitted else -1


def _unsettled(
    lines: Mapping[GroupLine, Sequence[Candidate]], depths: Depths, decision: Decision, last: float
) -> Iterator[CandidateGroup]:
    """Yield the groups with jobs below their head that may start or reserve a cluster."""
    positions = {job_id: position for position, job_id in enumerate(decision.order)}
    for (group, _reserves), jobs in lines.items():
        if len(jobs) < depths[group]:
            continue  # the line has no further job
        if positions[jobs[-1].job_id] >= last:
            continue  # further jobs come after the last slot
        checks = (decision.blocked.get(job.job_id) for job in jobs)
        if not any(check is not None and check.rule not in OF_ONE_JOB for check in checks):
            yield group
