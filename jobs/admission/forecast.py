"""Forecast when waiting jobs start: admission decisions at the expected ends of running jobs. Pure.

Time moves from one expected event to the next: a job ends, a worker has started, a back-off is
over. At each event the decision of `decide` is made over the heads of the waiting jobs, and the
jobs that it admits run for their usual duration.

A worker whose usual duration is unknown or exceeded never ends in a forecast. So a forecast
does not count on capacity that may stay in use.
"""

import heapq
import math
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from uuid import UUID

from jobs.admission.candidates import free_slots
from jobs.admission.decide import admit, first_failing
from jobs.admission.queue_head import QueueHead
from jobs.admission.snapshot_types import Allocation, Candidate, Snapshot
from jobs.contract import WaitRule

HORIZON_SECONDS = 86_400.0
WORK_MAX = 16_000  # allocations and jobs that the decisions of one forecast consider, in all
PASS_SECONDS = 1.0  # until the next pass of the dispatcher, about
START_SECONDS = 1.0  # of a worker, if the usual duration on the cluster is unknown
_PASS_WORK = 20  # work of a decision without jobs and allocations
# Rules whose result does not change when a job ends.
LASTING = frozenset(
    {
        WaitRule.PAUSED,
        WaitRule.PROJECT_PAUSED,
        WaitRule.PROJECT_ARCHIVED,
        WaitRule.PREVIOUS_ATTEMPT,
        WaitRule.CLUSTER_UNKNOWN,
        WaitRule.NEVER_FITS,
        WaitRule.CLUSTER_DISABLED,
        WaitRule.CLUSTER_UNREACHABLE,
    }
)


@dataclass(frozen=True, slots=True)
class UsualSeconds:
    """Usual durations: of jobs by project and type, and of starts of workers by cluster."""

    jobs: Mapping[tuple[str, str], float] = field(default_factory=dict)
    starts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExpectedStart:
    """When and where a job is expected to start."""

    cluster: str
    after_seconds: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected starts.

    `until_seconds`: no other requested job starts sooner. `complete`: no other requested job starts
    at all, as far as durations are known; False if a bound ended the forecast.
    """

    starts: Mapping[UUID, ExpectedStart]
    until_seconds: float
    complete: bool


def forecast(
    view: Snapshot,
    head: QueueHead,
    usual: UsualSeconds,
    wanted: Collection[UUID],
    *,
    within_seconds: float = HORIZON_SECONDS,
    work_max: int = WORK_MAX,
) -> Forecast:
    """Return the expected starts of the `wanted` jobs of `head`; `view` holds no waiting jobs.

    Ends after `within_seconds` of virtual time or about `work_max` units of work.
    """
    run = _Run(view, head, usual)
    starts: dict[UUID, ExpectedStart] = {}
    known = {job.job_id for job in head.jobs if not head.is_behind(job)}
    left = {job_id for job_id in wanted if job_id in known and run.waits(job_id)}
    complete = all(job_id in known for job_id in wanted)
    while left:
        for job_id, cluster in run.decide():
            if job_id in left:
                left.remove(job_id)
                starts[job_id] = ExpectedStart(cluster, run.now - view.now)
        if not left:
            break
        if run.is_cut_off or run.work > work_max:
            complete = False
            break
        if not run.advance(view.now + within_seconds):
            complete = complete and not run.has_events
            break
    return Forecast(starts, run.now - view.now, complete)


class _Run:
    """State of a forecast at one point of virtual time."""

    def __init__(self, view: Snapshot, head: QueueHead, usual: UsualSeconds) -> None:
        self.now = view.now
        self.work = 0
        self._numbers = 0
        self._reorder_at = math.inf  # when the order of jobs behind a reservation changes
        self.is_cut_off = False  # the queue behind a started job was not read
        self._view, self._last_read, self._usual = view, head.last_read, usual
        self._allocations: dict[int, Allocation] = {}  # by number
        self._ends: list[tuple[float, int]] = []
        self._claims: list[tuple[float, int]] = []
        self._due = [job.not_before for job in head.jobs if job.not_before > view.now]
        heapq.heapify(self._due)
        for each in view.allocations:
            self._hold(each)
        self._lines = _lines(view, head.jobs)
        self._waiting = {job.job_id for line in self._lines.values() for job in line}

    @property
    def has_events(self) -> bool:
        return self._next_at() < math.inf

    def waits(self, job_id: UUID) -> bool:
        return job_id in self._waiting

    def decide(self) -> list[tuple[UUID, str]]:
        """Admit the jobs that fit now. Return them in order, with their clusters."""
        self._reorder_at = math.inf
        view = replace(
            self._view, now=self.now, allocations=tuple(self._allocations.values()), waiting=()
        )
        self.work += _PASS_WORK + len(view.allocations)
        slots = free_slots(view)
        if not slots:
            return []
        # Of equal jobs the oldest start first, and at most one for each slot.
        heads = [job for line in self._lines.values() for job in islice(line, slots)]
        self.work += len(heads)
        decision = admit(replace(view, waiting=tuple(heads)))
        is_reserved = any(check.rule is WaitRule.RESERVED for check in decision.blocked.values())
        if is_reserved:
            self._reorder_at = _reorder_at(view, heads)
            if decision.admitted:
                # The new workers change the order of projects: the next pass may start jobs that
                # were behind the reservation in this one.
                self._reorder_at = min(self._reorder_at, self.now + PASS_SECONDS)
        by_id = {job.job_id: job for job in heads}
        admitted = []
        for job_id, cluster in decision.admitted:
            admitted.append((job_id, cluster))
            self._start(by_id[job_id], cluster)
            if job_id in self._last_read:
                self.is_cut_off = True
                break
        return admitted

    def advance(self, until: float) -> bool:
        """Move to the next event up to `until`; return False if there is none."""
        at = self._next_at()
        if at > until:
            return False
        self.now = max(self.now, at)
        while self._due and self._due[0] <= self.now:
            heapq.heappop(self._due)
        while self._claims and self._claims[0][0] <= self.now:
            number = heapq.heappop(self._claims)[1]
            if number in self._allocations:
                self._allocations[number] = replace(self._allocations[number], is_starting=False)
        while self._ends and self._ends[0][0] <= self.now:
            self._allocations.pop(heapq.heappop(self._ends)[1], None)
        return True

    def _next_at(self) -> float:
        """Return the time of the next event that may start a job; infinity without one."""
        times = [self._reorder_at, *self._due[:1]]
        times += [at for at, _number in self._ends[:1]]
        if self._claims and self._is_window_full():
            times.append(self._claims[0][0])
        return min(times)

    def _is_window_full(self) -> bool:
        """Return whether a cluster is starting as many workers as its window allows."""
        starting = Counter(each.cluster for each in self._allocations.values() if each.is_starting)
        return any(
            capacity.start_window is not None
            and starting[capacity.cluster] >= capacity.start_window
            for capacity in self._view.capacities
        )

    def _start(self, job: Candidate, cluster: str) -> None:
        line = self._lines[_line_of(job)]
        line.remove(job)  # one of the first few
        if not line:
            del self._lines[_line_of(job)]
        self._waiting.discard(job.job_id)
        allocation = Allocation(
            cluster=cluster,
            project=job.project,
            type=job.type,
            cpu_millicores=job.cpu_millicores,
            memory_bytes=job.memory_bytes,
            gpus=job.gpus,
            exclusive_key=job.exclusive_key,
            began=self.now,
            is_starting=True,
        )
        self._hold(allocation)

    def _hold(self, allocation: Allocation) -> None:
        """Add an allocation with the expected end of its start and of its job."""
        self._numbers += 1
        number, began = self._numbers, allocation.began
        self._allocations[number] = allocation
        start_seconds = self._usual.starts.get(allocation.cluster, START_SECONDS)
        if allocation.is_starting:
            claim_at = began + start_seconds
            # A late start is expected to take its usual duration once more.
            claim_at = claim_at if claim_at > self.now else self.now + max(start_seconds, 1.0)
            heapq.heappush(self._claims, (claim_at, number))
        seconds = self._usual.jobs.get((allocation.project, allocation.type))
        if seconds is None or not allocation.starting_or_running:
            return
        end_at = began + self._usual.starts.get(allocation.cluster, 0.0) + seconds
        if end_at > self._view.now:
            heapq.heappush(self._ends, (end_at, number))


_LineKey = tuple[object, ...]


def _line_of(job: Candidate) -> _LineKey:
    """Return the line of a job. The decision treats the jobs of a line equally, oldest first.

    Each retry has a separate line.
    """
    key = (
        job.project,
        job.type,
        job.priority,
        job.cluster,
        job.region,
        job.cpu_millicores,
        job.memory_bytes,
        job.gpus,
        job.exclusive_key,
        job.archived,
    )
    is_retry = job.not_before > 0 or job.previous_alive or job.lost_on
    return (*key, job.job_id) if is_retry else key


def _reorder_at(view: Snapshot, jobs: Collection[Candidate]) -> float:
    """Return the next time at which a job rises by ageing or may begin to reserve a cluster."""
    ageing, now = view.ageing_seconds, view.now
    rises = (job.queued_at + (max(0.0, now - job.queued_at) // ageing + 1) * ageing for job in jobs)
    reserves = (max(job.queued_at, job.not_before) + view.reserve_after_seconds for job in jobs)
    return min((at for at in chain(rises, reserves) if at > now), default=math.inf)


def _lines(view: Snapshot, jobs: Collection[Candidate]) -> dict[_LineKey, deque[Candidate]]:
    """Return the jobs by line, the oldest first, without lines that a lasting rule blocks."""
    lines: dict[_LineKey, deque[Candidate]] = defaultdict(deque)
    for job in sorted(jobs, key=lambda each: (each.queued_at, each.job_id)):
        lines[_line_of(job)].append(job)
    checks = first_failing(view, [line[0] for line in lines.values()])
    for key, check in zip(list(lines), checks, strict=True):
        if check is not None and check.rule in LASTING:
            del lines[key]
    return dict(lines)
