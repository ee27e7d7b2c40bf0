"""Admit from lines of waiting jobs that are read while a pass needs them. Pure.

With many groups of equal requests, reading the head of each group costs too much. A line holds the
waiting jobs of one project and one priority, by age: the order in which a pass considers them. A
pass reads the first jobs of each line, and more of a line when it has decided about those.

Most waiting jobs are never read. Free capacity only shrinks during a pass, so a job that can
neither start nor reserve a cluster when its line is read changes nothing later in the pass.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from jobs.admission.decide import Lines, admit_lines, turn
from jobs.admission.ledger import Ledger, can_ever_hold, can_use
from jobs.admission.snapshot_types import Candidate, ClusterCapacity, Decision, Snapshot
from jobs.contract import Priority

FIRST_DEPTH, DEPTH = 16, 64  # jobs of a line in its first read, and in each further one
NEVER_MAX = 100  # jobs that one pass fails because no cluster can hold them
Line = tuple[str, Priority]  # by project and priority


@dataclass(frozen=True, slots=True)
class FreeAmounts:
    """Free amounts of a cluster on which a worker can start. None: not limited."""

    cluster: str
    region: str
    cpu_millicores: int | None
    memory_bytes: int | None
    gpus: int

    def hold(self, job: Candidate) -> bool:
        """Return whether the job may use the cluster and fits into the amounts."""
        return (
            job.cluster in ("", self.cluster)
            and job.region in ("", self.region)
            and (self.cpu_millicores is None or job.cpu_millicores <= self.cpu_millicores)
            and (self.memory_bytes is None or job.memory_bytes <= self.memory_bytes)
            and job.gpus <= self.gpus
        )


@dataclass(frozen=True, slots=True)
class Relevant:
    """Condition of waiting jobs that can still start or reserve a cluster in a pass.

    `free`: clusters on which a worker can start. A job that is blocked by its size and has waited
    since `waited_since` reserves a cluster if one of `reservable` can ever hold it and none of
    `reserved` can. Jobs of `projects` and `types` and with `held_keys` are blocked.
    """

    now: float
    waited_since: float
    free: tuple[FreeAmounts, ...]
    reservable: tuple[ClusterCapacity, ...]
    reserved: tuple[ClusterCapacity, ...]
    projects: frozenset[str]
    types: frozenset[str]
    held_keys: frozenset[str]

    def includes(self, job: Candidate) -> bool:
        """Return whether the job fulfils the condition. `line_rows` does the same in SQL."""
        if (
            job.project in self.projects
            or job.type in self.types
            or job.archived
            or job.previous_alive
            or job.not_before > self.now
            or job.exclusive_key in self.held_keys
        ):
            return False
        return any(each.hold(job) for each in self.free) or (
            max(job.queued_at, job.not_before) <= self.waited_since
            and _any_holds(self.reservable, job)
            and not _any_holds(self.reserved, job)
        )


class LineSource(Protocol):
    """Source of the lines: the database, or a list in tests."""

    def first(self, depth: int, relevant: Relevant) -> Mapping[Line, Sequence[Candidate]]:
        """Return the first relevant jobs of each line, at most `depth` of each."""
        ...

    def following(self, after: Candidate, depth: int, relevant: Relevant) -> Sequence[Candidate]:
        """Return the next relevant jobs of the line of `after`."""
        ...


@dataclass(frozen=True, slots=True)
class LinesDecision:
    """Decision over lines, and the jobs that were read for it."""

    decision: Decision
    read: tuple[Candidate, ...]


def decide_lines(view: Snapshot, source: LineSource, *, limit: int | None) -> LinesDecision:
    """Decide a pass; `view` holds no waiting jobs.

    Admits the same jobs to the same clusters in the same order as `admit` over all waiting jobs, at
    most the first `limit`.
    """
    ledger = Ledger(view)
    read: list[Candidate] = []
    lines: Lines = {}
    if not ledger.is_exhausted:
        first = source.first(FIRST_DEPTH, relevant_jobs(view, ledger))
        lines = {
            project: _merged(
                [jobs for (name, _priority), jobs in first.items() if name == project],
                view,
                ledger,
                source,
                read,
            )
            for project in dict.fromkeys(name for name, _priority in first)
        }
    return LinesDecision(admit_lines(view, ledger, lines, limit=limit), tuple(read))


def _merged(
    lines: Sequence[Sequence[Candidate]],
    view: Snapshot,
    ledger: Ledger,
    source: LineSource,
    read: list[Candidate],
) -> Iterator[Candidate]:
    """Yield the jobs of the lines of one project in their order, and add all jobs read to `read`.

    A read that returns fewer jobs than it requested has reached the end of the line.
    """
    waiting = [deque(line) for line in lines if line]
    complete = [len(line) < FIRST_DEPTH for line in waiting]
    for line in waiting:
        read.extend(line)
    while any(waiting):
        number = min(
            (number for number, line in enumerate(waiting) if line),
            key=lambda number: turn(waiting[number][0], view),
        )
        line = waiting[number]
        job = line.popleft()
        yield job
        if not line and not complete[number] and not ledger.is_exhausted:
            line.extend(source.following(job, DEPTH, relevant_jobs(view, ledger)))
            read.extend(line)
            complete[number] = len(line) < DEPTH


def relevant_jobs(view: Snapshot, ledger: Ledger) -> Relevant:
    """Return the condition of jobs that can still change the pass."""
    limits = view.limits
    return Relevant(
        now=view.now,
        waited_since=view.now - view.reserve_after_seconds,
        free=tuple(
            _free(capacity, ledger) for capacity in view.capacities if ledger.accepts(capacity)
        ),
        reservable=tuple(each for each in view.capacities if ledger.is_reservable(each)),
        reserved=tuple(
            each for each in view.capacities if each.open and each.cluster in ledger.reserved
        ),
        projects=frozenset(limits.paused_projects)
        | _at_limit(limits.jobs_by_project, ledger.by_project),
        types=frozenset(limits.paused_types) | _at_limit(limits.jobs_by_type, ledger.by_type),
        held_keys=frozenset(ledger.keys),
    )


def _at_limit(most: Mapping[str, int], used: Counter[str]) -> frozenset[str]:
    return frozenset(name for name, limit in most.items() if used[name] >= limit)


def _free(capacity: ClusterCapacity, ledger: Ledger) -> FreeAmounts:
    name, cpu, memory = capacity.cluster, capacity.cpu_millicores, capacity.memory_bytes
    return FreeAmounts(
        cluster=name,
        region=capacity.region,
        cpu_millicores=None if cpu is None else cpu - ledger.cpu[name],
        memory_bytes=None if memory is None else memory - ledger.memory[name],
        gpus=capacity.gpus - ledger.gpus[name],
    )


def _any_holds(capacities: Collection[ClusterCapacity], job: Candidate) -> bool:
    """Return whether the job may use one of the clusters, and the cluster can ever hold it."""
    return any(can_use(each, job) and can_ever_hold(each, job) for each in capacities)
