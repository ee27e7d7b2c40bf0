"""Who starts next, and why the others wait. Pure: a snapshot in, a decision out.

The order: strict priority classes, a job rising one class for each `ageing_seconds` it waits (never into `critical`); inside a class the
project with the fewest workers first (equal shares), then the oldest. A blocked job never blocks those behind it, except that a job
blocked only by its size for `reserve_after_seconds` keeps the room of one cluster for itself.

The place: only on clusters that a job may use (the one it asks for, or those of its region, or any). Among those with room the healthiest
first, then the one with the most free slots. Health is what rows really know: one that is switched off or does not answer gets nothing;
one where launches fail now, and the one where the job's own last worker was lost, come last.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from jobs.contract import PRIORITIES, Priority, WaitRule


@dataclass(frozen=True, slots=True)
class Room:
    """A cluster's capacity. None: this amount is not limited there."""

    cluster: str
    jobs: int
    cpu_millicores: int | None
    memory_bytes: int | None
    gpus: int
    open: bool = True  # enabled and reachable
    enabled: bool = True
    region: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Room that an attempt holds until its worker is seen gone."""

    job_id: UUID
    cluster: str
    project: str
    type: str
    cpu_millicores: int
    memory_bytes: int
    gpus: int
    exclusive_key: str = ""
    began: float = 0.0  # Unix seconds of the database's clock; for explanations
    starting_or_running: bool = (
        True  # for explanations: else its job is being cancelled, or has ended
    )
    launch_fails: bool = False  # a launch was tried for it and failed, and none has succeeded


@dataclass(frozen=True, slots=True)
class Candidate:
    """A queued job. Times are Unix seconds of the database's clock."""

    job_id: UUID
    project: str
    type: str
    priority: Priority
    queued_at: float
    cpu_millicores: int
    memory_bytes: int
    gpus: int
    exclusive_key: str = ""
    not_before: float = 0.0
    previous_alive: bool = False
    archived: bool = False
    cluster: str = ""  # the one it asks for; empty: any
    region: str = ""  # the one it asks for; empty: any
    lost_on: str = ""  # the cluster on which the attempt before ended by no fault of the job


@dataclass(frozen=True, slots=True)
class Limits:
    """What administrators set. A missing key: no limit."""

    jobs_global: int | None = None
    jobs_by_type: Mapping[str, int] = field(default_factory=dict)
    jobs_by_project: Mapping[str, int] = field(default_factory=dict)
    paused: bool = False
    paused_types: Collection[str] = ()
    paused_projects: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the decision depends on, read in one transaction after the admission lock was taken."""

    now: float
    rooms: tuple[Room, ...]
    held: tuple[Held, ...]
    waiting: tuple[Candidate, ...]
    limits: Limits = field(default_factory=Limits)
    ageing_seconds: float = 600.0
    reserve_after_seconds: float = 180.0


@dataclass(frozen=True, slots=True)
class Check:
    """One rule for one waiting job: whether it passes, and the numbers that made it so."""

    rule: WaitRule
    passes: bool
    facts: Mapping[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """`admitted`: job and cluster, in order. `never`: jobs no cluster can ever hold. `blocked`: the first failing rule of each other one.

    `order` is every waiting job in the order it was considered: a job's place in the line.
    """

    admitted: tuple[tuple[UUID, str], ...]
    never: tuple[UUID, ...]
    blocked: Mapping[UUID, Check]
    order: tuple[UUID, ...]
    checks: Mapping[UUID, tuple[Check, ...]]


class _Board:
    """The free room and the counts, as the pass uses them up."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.jobs: Counter[str] = Counter()
        self.cpu: Counter[str] = Counter()
        self.memory: Counter[str] = Counter()
        self.gpus: Counter[str] = Counter()
        self.by_type: Counter[str] = Counter()
        self.by_project: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.reserved: set[str] = set()
        self.ailing = {held.cluster for held in snapshot.held if held.launch_fails}
        self.total = 0
        self.failing: dict[tuple[object, ...], Check | None] = {}
        for held in snapshot.held:
            self._take(held.cluster, held)

    def _take(self, cluster: str, what: Held | Candidate) -> None:
        self.jobs[cluster] += 1
        self.cpu[cluster] += what.cpu_millicores
        self.memory[cluster] += what.memory_bytes
        self.gpus[cluster] += what.gpus
        self.by_type[what.type] += 1
        self.by_project[what.project] += 1
        self.total += 1
        if what.exclusive_key:
            self.keys.add(what.exclusive_key)

    def admit(self, job: Candidate, cluster: str) -> None:
        self.failing.clear()
        self._take(cluster, job)

    def reserve(self, cluster: str) -> None:
        self.failing.clear()
        self.reserved.add(cluster)

    def has_room(self, room: Room, job: Candidate) -> bool:
        name = room.cluster
        return (
            self.jobs[name] < room.jobs
            and (
                room.cpu_millicores is None
                or self.cpu[name] + job.cpu_millicores <= room.cpu_millicores
            )
            and (
                room.memory_bytes is None
                or self.memory[name] + job.memory_bytes <= room.memory_bytes
            )
            and self.gpus[name] + job.gpus <= room.gpus
        )

    def place_for(self, job: Candidate) -> str | None:
        """The healthiest open, unreserved cluster it may use that has room; of equals the one with the most free slots."""
        fitting = [
            room
            for room in self.snapshot.rooms
            if room.open
            and may_use(room, job)
            and room.cluster not in self.reserved
            and self.has_room(room, job)
        ]
        if not fitting:
            return None
        return min(fitting, key=lambda room: self._worth(room, job)).cluster

    def _worth(self, room: Room, job: Candidate) -> tuple[bool, bool, int, str]:
        name = room.cluster
        return name in self.ailing, name == job.lost_on, self.jobs[name] - room.jobs, name


def may_use(room: Room, job: Candidate) -> bool:
    """Whether the cluster is one the job asks for. A job that asks for none may use each."""
    return job.cluster in ("", room.cluster) and job.region in ("", room.region)


def can_ever_hold(room: Room, job: Candidate) -> bool:
    """Whether an empty cluster would hold this job."""
    return (
        room.jobs >= 1
        and (room.cpu_millicores is None or job.cpu_millicores <= room.cpu_millicores)
        and (room.memory_bytes is None or job.memory_bytes <= room.memory_bytes)
        and job.gpus <= room.gpus
    )


def effective_class(job: Candidate, snapshot: Snapshot) -> int:
    """The index of the class a job stands in now: its own, risen by ageing, but not above `high` unless it is `critical`."""
    own = PRIORITIES.index(job.priority)
    risen = own - int(max(0.0, snapshot.now - job.queued_at) // snapshot.ageing_seconds)
    return min(own, max(risen, PRIORITIES.index(Priority.HIGH)))


def admit(snapshot: Snapshot, *, explain: Collection[UUID] = ()) -> Decision:
    """Decide one pass. For the jobs in `explain`, `checks` holds every rule as it stood when their turn came."""
    board = _Board(snapshot)
    admitted: list[tuple[UUID, str]] = []
    never: list[UUID] = []
    blocked: dict[UUID, Check] = {}
    order: list[UUID] = []
    checks: dict[UUID, tuple[Check, ...]] = {}
    wanted = set(explain)
    for job in _in_order(snapshot, board):
        order.append(job.job_id)
        if job.job_id in wanted:
            checks[job.job_id] = tuple(_checks(job, snapshot, board))
        failing = _failing(job, snapshot, board)
        if failing is None:
            cluster = board.place_for(job)
            assert cluster is not None  # the last two rules passed
            board.admit(job, cluster)
            admitted.append((job.job_id, cluster))
        elif failing.rule is WaitRule.NEVER_FITS:
            never.append(job.job_id)
        else:
            blocked[job.job_id] = failing
            if failing.rule is WaitRule.CAPACITY:
                _reserve(job, snapshot, board)
    return Decision(tuple(admitted), tuple(never), blocked, tuple(order), checks)


def _failing(job: Candidate, snapshot: Snapshot, board: _Board) -> Check | None:
    """The first rule that fails. Jobs that ask the same fail alike for as long as nothing is taken or reserved: thousands cost as one."""
    if job.not_before > snapshot.now:
        return _first_failing(job, snapshot, board)
    size, place = (job.cpu_millicores, job.memory_bytes, job.gpus), (job.cluster, job.region)
    asks = (job.project, job.type, size, place, job.exclusive_key, job.previous_alive, job.archived)
    if asks not in board.failing:
        board.failing[asks] = _first_failing(job, snapshot, board)
    return board.failing[asks]


def _first_failing(job: Candidate, snapshot: Snapshot, board: _Board) -> Check | None:
    return next((check for check in _checks(job, snapshot, board) if not check.passes), None)


def _reserve(job: Candidate, snapshot: Snapshot, board: _Board) -> None:
    """Keep one cluster's room for a job that only its size has blocked for long: nobody behind it may use it up again."""
    since = max(job.queued_at, job.not_before)
    if (
        len(board.reserved) == len(snapshot.rooms)
        or snapshot.now - since < snapshot.reserve_after_seconds
    ):
        return
    able = [
        room
        for room in snapshot.rooms
        if room.open and may_use(room, job) and can_ever_hold(room, job)
    ]
    if any(room.cluster in board.reserved for room in able):
        return  # it waits behind the one that has waited longer, and never for a cluster it may not use
    # Where only slots are short every job is of one size: the order alone is fair, and a reservation would only idle other clusters.
    able = [room for room in able if board.jobs[room.cluster] < room.jobs]
    if able:
        board.reserve(
            max(able, key=lambda room: (room.jobs - board.jobs[room.cluster], room.cluster)).cluster
        )


def _in_order(snapshot: Snapshot, board: _Board) -> Iterator[Candidate]:
    classes: dict[int, dict[str, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for job in snapshot.waiting:
        classes[effective_class(job, snapshot)][job.project].append(job)
    for index in sorted(classes):
        lines = {
            project: iter(sorted(jobs, key=lambda job: (job.queued_at, job.job_id)))
            for project, jobs in classes[index].items()
        }
        heap: list[tuple[int, float, UUID, Candidate]] = []
        for project, line in lines.items():
            _push(heap, board.by_project[project], next(line, None))
        while heap:
            job = heapq.heappop(heap)[3]
            yield job
            _push(heap, board.by_project[job.project], next(lines[job.project], None))


def _push(
    heap: list[tuple[int, float, UUID, Candidate]], running: int, job: Candidate | None
) -> None:
    if job is not None:
        heapq.heappush(heap, (running, job.queued_at, job.job_id, job))


def _checks(job: Candidate, snapshot: Snapshot, board: _Board) -> Iterator[Check]:
    """Every rule in the order it is asked; lazy, since the pass needs only the first that fails."""
    limits = snapshot.limits
    yield Check(WaitRule.PAUSED, not limits.paused)
    yield Check(
        WaitRule.PROJECT_PAUSED,
        job.project not in limits.paused_projects and job.type not in limits.paused_types,
    )
    yield Check(WaitRule.PROJECT_ARCHIVED, not job.archived)
    yield Check(
        WaitRule.BACK_OFF,
        job.not_before <= snapshot.now,
        {"seconds": round(max(0.0, job.not_before - snapshot.now), 1)},
    )
    yield Check(WaitRule.PREVIOUS_ATTEMPT, not job.previous_alive)
    asked = [room for room in snapshot.rooms if may_use(room, job)]
    names = {"cluster": job.cluster, "region": job.region}
    yield Check(WaitRule.CLUSTER_UNKNOWN, bool(asked) or not (job.cluster or job.region), names)
    able = [room for room in asked if can_ever_hold(room, job)]
    yield Check(WaitRule.NEVER_FITS, bool(able) or not asked, names | _largest(job, asked))
    yield Check(
        WaitRule.EXCLUSIVE,
        not job.exclusive_key or job.exclusive_key not in board.keys,
        {"key": job.exclusive_key},
    )
    yield _limit(WaitRule.JOBS_GLOBAL, board.total, limits.jobs_global)
    yield _limit(WaitRule.JOBS_TYPE, board.by_type[job.type], limits.jobs_by_type.get(job.type))
    yield _limit(
        WaitRule.JOBS_PROJECT,
        board.by_project[job.project],
        limits.jobs_by_project.get(job.project),
    )
    # Where no cluster could ever hold it, that is the reason, and not that one is away.
    enabled = [room for room in able if room.enabled]
    yield Check(
        WaitRule.CLUSTER_DISABLED,
        bool(enabled) or not able,
        {"clusters": ", ".join(room.cluster for room in able)},
    )
    usable = [room for room in enabled if room.open]
    away = {"clusters": ", ".join(room.cluster for room in enabled)}
    yield Check(
        WaitRule.CLUSTER_UNREACHABLE, bool(usable) or (not enabled and bool(snapshot.rooms)), away
    )
    fits = [room for room in usable if board.has_room(room, job)]
    yield Check(WaitRule.CAPACITY, bool(fits) or not usable, _free(job, usable, board))
    # Without any free room it is not the room kept for another job that is in the way.
    yield Check(
        WaitRule.RESERVED, not fits or any(room.cluster not in board.reserved for room in fits)
    )


def _limit(rule: WaitRule, used: int, limit: int | None) -> Check:
    if limit is None:
        return Check(rule, True, {"used": used})
    return Check(rule, used < limit, {"used": used, "limit": limit})


_Facts = dict[str, int | float | str]


def _largest(job: Candidate, rooms: Sequence[Room]) -> _Facts:
    """What the job asks beside the most that any of the clusters it may use has."""
    facts: _Facts = {
        "cpu_millicores": job.cpu_millicores,
        "memory_bytes": job.memory_bytes,
        "gpus": job.gpus,
    }
    memory = [room.memory_bytes for room in rooms if room.memory_bytes is not None]
    cpu = [room.cpu_millicores for room in rooms if room.cpu_millicores is not None]
    if memory:
        facts["largest_memory_bytes"] = max(memory)
    if cpu:
        facts["largest_cpu_millicores"] = max(cpu)
    facts["largest_gpus"] = max((room.gpus for room in rooms), default=0)
    return facts


def _free(job: Candidate, rooms: Sequence[Room], board: _Board) -> _Facts:
    """What is free on that cluster among `rooms` which has the most free slots, beside its slots."""
    if not rooms:
        return {}
    best = max(rooms, key=lambda room: room.jobs - board.jobs[room.cluster])
    name = best.cluster
    facts: _Facts = {"slots": best.jobs, "used": board.jobs[name], "cluster": name}
    if best.cpu_millicores is not None:
        facts |= {
            "free_cpu_millicores": best.cpu_millicores - board.cpu[name],
            "cpu_millicores": job.cpu_millicores,
        }
    if best.memory_bytes is not None:
        facts |= {
            "free_memory_bytes": best.memory_bytes - board.memory[name],
            "memory_bytes": job.memory_bytes,
        }
    facts |= {"free_gpus": best.gpus - board.gpus[name], "gpus": job.gpus}
    return facts
