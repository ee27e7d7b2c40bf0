"""Decide which queued job starts next and on which cluster, and why the others wait. Pure.

Order: strict priority classes. A job rises one class per `ageing_seconds` of waiting, but never
into `critical`. Within a class, the project with the fewest workers comes first (equal shares),
then the oldest job. A blocked job does not block the jobs behind it, with one exception: a job
that has waited for `reserve_after_seconds` and is blocked only by its size reserves the free
capacity of one cluster.

Placement: a job may use the cluster or the region it names, or any cluster. The cluster needs
enough capacity, and a start window that allows one more worker. The cluster with the most free
slots comes first. A cluster with failing launches, and the cluster on which the job's previous
worker was lost, come last. A disabled or unreachable cluster gets no jobs.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from jobs.admission.ledger import Ledger, can_ever_hold, can_use
from jobs.admission.snapshot_types import (
    Candidate,
    Check,
    ClusterCapacity,
    Decision,
    Snapshot,
    WaitFacts,
)
from jobs.contract import PRIORITIES, Priority, WaitRule

Lines = Mapping[str, Iterator[Candidate]]  # by project


def effective_class(job: Candidate, snapshot: Snapshot) -> int:
    """Return the index of the job's current priority class.

    Ageing raises it, at most to `high`; `critical` jobs stay `critical`.
    """
    own = PRIORITIES.index(job.priority)
    risen = own - int(max(0.0, snapshot.now - job.queued_at) // snapshot.ageing_seconds)
    return min(own, max(risen, PRIORITIES.index(Priority.HIGH)))


def turn(job: Candidate, snapshot: Snapshot) -> tuple[int, float, UUID]:
    """Return the job's place in the order in which a pass considers the jobs of its project."""
    return effective_class(job, snapshot), job.queued_at, job.job_id


def admit(snapshot: Snapshot, *, explain: Collection[UUID] = ()) -> Decision:
    """Decide one pass. For jobs in `explain`, `checks` holds every rule at their turn."""
    return admit_lines(snapshot, Ledger(snapshot), _lines(snapshot), explain=explain)


def admit_lines(
    snapshot: Snapshot,
    ledger: Ledger,
    lines: Lines,
    *,
    explain: Collection[UUID] = (),
    limit: int | None = None,
) -> Decision:
    """Decide one pass over the lines of all projects; admit at most `limit` jobs.

    A line yields the jobs of one project in their order (`turn`). A job is taken from it only after
    the jobs before it are decided, so a line can depend on `ledger`.
    """
    admitted: list[tuple[UUID, str]] = []
    never: list[UUID] = []
    blocked: dict[UUID, Check] = {}
    order: list[UUID] = []
    checks: dict[UUID, tuple[Check, ...]] = {}
    wanted = set(explain)
    for job in _in_order(snapshot, ledger, lines):
        if len(admitted) == limit:
            break
        order.append(job.job_id)
        if job.job_id in wanted:
            checks[job.job_id] = tuple(_checks(job, snapshot, ledger))
        failing = _failing(job, snapshot, ledger)
        if failing is None:
            cluster = ledger.cluster_for(job)
            assert cluster is not None  # every rule passed
            ledger.admit(job, cluster)
            admitted.append((job.job_id, cluster))
        elif failing.rule is WaitRule.NEVER_FITS:
            never.append(job.job_id)
        else:
            blocked[job.job_id] = failing
            if failing.rule is WaitRule.CAPACITY:
                _reserve(job, snapshot, ledger)
    return Decision(tuple(admitted), tuple(never), blocked, tuple(order), checks)


def _lines(snapshot: Snapshot) -> Lines:
    """Return the waiting jobs of each project in their order."""
    jobs: dict[str, list[Candidate]] = defaultdict(list)
    for job in snapshot.waiting:
        jobs[job.project].append(job)
    return {
        project: iter(sorted(line, key=lambda job: turn(job, snapshot)))
        for project, line in jobs.items()
    }


def first_failing(snapshot: Snapshot, jobs: Iterable[Candidate]) -> list[Check | None]:
    """Return the first failing rule of each job, or None, before a pass allocates anything."""
    ledger = Ledger(snapshot)
    return [_failing(job, snapshot, ledger) for job in jobs]


def _failing(job: Candidate, snapshot: Snapshot, ledger: Ledger) -> Check | None:
    """Return the first failing rule; None if every rule passes.

    Jobs with equal requests fail equally until something is allocated or reserved, so the result is
    cached: thousands of equal jobs cost one check.
    """
    if job.not_before > snapshot.now:
        return _first_failing(job, snapshot, ledger)
    size, place = (job.cpu_millicores, job.memory_bytes, job.gpus), (job.cluster, job.region)
    asks = (job.project, job.type, size, place, job.exclusive_key, job.previous_alive, job.archived)
    if asks not in ledger.failing:
        ledger.failing[asks] = _first_failing(job, snapshot, ledger)
    return ledger.failing[asks]


def _first_failing(job: Candidate, snapshot: Snapshot, ledger: Ledger) -> Check | None:
    return next((check for check in _checks(job, snapshot, ledger) if not check.passes), None)


def _reserve(job: Candidate, snapshot: Snapshot, ledger: Ledger) -> None:
    """Reserve one cluster for a job that only its size blocks, after `reserve_after_seconds`.

    The time counts from the submission, or from the end of the last back-off. Jobs behind this one
    cannot use that cluster.
    """
    since = max(job.queued_at, job.not_before)
    if (
        len(ledger.reserved) == len(snapshot.capacities)
        or snapshot.now - since < snapshot.reserve_after_seconds
    ):
        return
    able = [
        capacity
        for capacity in snapshot.capacities
        if capacity.open and can_use(capacity, job) and can_ever_hold(capacity, job)
    ]
    if any(capacity.cluster in ledger.reserved for capacity in able):
        return  # it waits for the cluster that an earlier job has reserved
    # If only slots are short, the order alone is fair, because every job takes one slot. A
    # reservation would leave other clusters idle.
    able = [capacity for capacity in able if ledger.jobs[capacity.cluster] < capacity.jobs]
    if able:
        ledger.reserve(
            max(
                able,
                key=lambda capacity: (
                    capacity.jobs - ledger.jobs[capacity.cluster],
                    capacity.cluster,
                ),
            ).cluster
        )


def _in_order(snapshot: Snapshot, ledger: Ledger, lines: Lines) -> Iterator[Candidate]:
    """Yield the jobs class by class; in a class the project with the fewest workers comes first."""
    classes: dict[int, list[Candidate]] = defaultdict(list)
    for line in lines.values():
        if (first := next(line, None)) is not None:
            classes[effective_class(first, snapshot)].append(first)
    for index in range(len(PRIORITIES)):
        heap: list[tuple[int, float, UUID, Candidate]] = []
        for job in classes[index]:
            _push(heap, ledger, job)
        while heap:
            job = heapq.heappop(heap)[3]
            yield job
            following = next(lines[job.project], None)
            if following is None:
                continue
            if (later := effective_class(following, snapshot)) > index:
                classes[later].append(following)
            else:
                _push(heap, ledger, following)


def _push(heap: list[tuple[int, float, UUID, Candidate]], ledger: Ledger, job: Candidate) -> None:
    running = ledger.by_project[job.project]
    heapq.heappush(heap, (running, job.queued_at, job.job_id, job))


def _checks(job: Candidate, snapshot: Snapshot, ledger: Ledger) -> Iterator[Check]:
    """Yield every rule in order. Lazy, because a pass needs only the first that fails."""
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
    usable = [capacity for capacity in snapshot.capacities if can_use(capacity, job)]
    names: WaitFacts = {"cluster": job.cluster, "region": job.region}
    yield Check(WaitRule.CLUSTER_UNKNOWN, bool(usable) or not (job.cluster or job.region), names)
    able = [capacity for capacity in usable if can_ever_hold(capacity, job)]
    yield Check(WaitRule.NEVER_FITS, bool(able) or not usable, names | _largest(job, usable))
    yield Check(
        WaitRule.EXCLUSIVE,
        not job.exclusive_key or job.exclusive_key not in ledger.keys,
        {"key": job.exclusive_key},
    )
    yield _limit(WaitRule.JOBS_GLOBAL, ledger.total, limits.jobs_global)
    yield _limit(WaitRule.JOBS_TYPE, ledger.by_type[job.type], limits.jobs_by_type.get(job.type))
    yield _limit(
        WaitRule.JOBS_PROJECT,
        ledger.by_project[job.project],
        limits.jobs_by_project.get(job.project),
    )
    yield from _cluster_checks(job, able, snapshot, ledger)


def _cluster_checks(
    job: Candidate, able: Sequence[ClusterCapacity], snapshot: Snapshot, ledger: Ledger
) -> Iterator[Check]:
    """Yield the rules about the current state of clusters. `able`: those that can hold the job."""
    # If no cluster can ever hold the job, report that rather than an unreachable cluster.
    enabled = [capacity for capacity in able if capacity.enabled]
    yield Check(
        WaitRule.CLUSTER_DISABLED,
        bool(enabled) or not able,
        {"clusters": ", ".join(capacity.cluster for capacity in able)},
    )
    usable = [capacity for capacity in enabled if capacity.open]
    away: WaitFacts = {"clusters": ", ".join(capacity.cluster for capacity in enabled)}
    yield Check(
        WaitRule.CLUSTER_UNREACHABLE,
        bool(usable) or (not enabled and bool(snapshot.capacities)),
        away,
    )
    fits = [capacity for capacity in usable if ledger.has_capacity(capacity, job)]
    yield Check(WaitRule.CAPACITY, bool(fits) or not usable, _free(job, usable, ledger))
    # Without free capacity the reservation is not the reason.
    unreserved = [capacity for capacity in fits if capacity.cluster not in ledger.reserved]
    yield Check(WaitRule.RESERVED, bool(unreserved) or not fits)
    startable = [capacity for capacity in unreserved if ledger.can_start(capacity)]
    yield Check(
        WaitRule.CLUSTER_STARTING,
        bool(startable) or not unreserved,
        _starting(unreserved, ledger),
    )


def _starting(capacities: Sequence[ClusterCapacity], ledger: Ledger) -> WaitFacts:
    """Return the workers that the first of `capacities` is starting, and its start window."""
    first = next((each for each in capacities if each.start_window is not None), None)
    if first is None or first.start_window is None:
        return {}
    return {
        "cluster": first.cluster,
        "starting": ledger.starting[first.cluster],
        "start_window": first.start_window,
    }


def _limit(rule: WaitRule, used: int, limit: int | None) -> Check:
    if limit is None:
        return Check(rule, True, {"used": used})
    return Check(rule, used < limit, {"used": used, "limit": limit})


def _largest(job: Candidate, capacities: Sequence[ClusterCapacity]) -> WaitFacts:
    """Return the job's requests and the largest capacity among the clusters it may use."""
    facts: WaitFacts = {
        "cpu_millicores": job.cpu_millicores,
        "memory_bytes": job.memory_bytes,
        "gpus": job.gpus,
    }
    memory = [capacity.memory_bytes for capacity in capacities if capacity.memory_bytes is not None]
    cpu = [
        capacity.cpu_millicores for capacity in capacities if capacity.cpu_millicores is not None
    ]
    if memory:
        facts["largest_memory_bytes"] = max(memory)
    if cpu:
        facts["largest_cpu_millicores"] = max(cpu)
    facts["largest_gpus"] = max((capacity.gpus for capacity in capacities), default=0)
    return facts


def _free(job: Candidate, capacities: Sequence[ClusterCapacity], ledger: Ledger) -> WaitFacts:
    """Return the free capacity of the cluster with the most free slots among `capacities`."""
    if not capacities:
        return {}
    best = max(capacities, key=lambda capacity: capacity.jobs - ledger.jobs[capacity.cluster])
    name = best.cluster
    facts: WaitFacts = {"slots": best.jobs, "used": ledger.jobs[name], "cluster": name}
    if best.cpu_millicores is not None:
        facts |= {
            "free_cpu_millicores": best.cpu_millicores - ledger.cpu[name],
            "cpu_millicores": job.cpu_millicores,
        }
    if best.memory_bytes is not None:
        facts |= {
            "free_memory_bytes": best.memory_bytes - ledger.memory[name],
            "memory_bytes": job.memory_bytes,
        }
    facts |= {"free_gpus": best.gpus - ledger.gpus[name], "gpus": job.gpus}
    return facts
