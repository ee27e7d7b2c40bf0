"""Recommended limits of a producer's next run, from the measured use of its last runs. Pure.

A recommendation sets limits, as users do. `resources.resolve` derives the requests (ADR 0056).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jobs.core.resources import CPU_MILLICORES_MAX, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, Amounts

RUNS_MAX, RUNS_MIN = 20, 3
MIB, GIB = 2**20, 2**30
CPU_STEP_MILLICORES = 250
DIFFERENCE_MIN = 0.2  # of the compared limit
NEARLY_FULL = 0.85  # share of a memory limit that leaves too little margin
CPU_AT_LIMIT = 0.95  # share of a CPU limit at which a run was probably throttled
AUTOMATIC_RAISE_MAX = 4  # times the default memory limit of the type


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """Ended run with the limits of its last attempt and the measured use, None if not measured."""

    limits: Amounts
    succeeded: bool = False
    out_of_memory: bool = False
    memory_peak_bytes: int | None = None
    cpu_millicores: int | None = None  # 95th percentile of the samples


@dataclass(frozen=True, slots=True)
class Basis:
    """Measurements behind a recommendation.

    `runs` counts the successful runs with a measured peak and the runs that ran out of memory.
    `cpu_at_limit`: the highest CPU use was the limit of its run, so the run could use more.
    """

    runs: int = 0
    memory_peak_bytes: int | None = None
    out_of_memory_runs: int = 0
    out_of_memory_limit_bytes: int | None = None
    cpu_runs: int = 0
    cpu_millicores: int | None = None
    cpu_at_limit: bool = False

    @property
    def memory_demand_bytes(self) -> int:
        """Most memory that a run used. One that ran out of memory used its limit, or more."""
        return max(self.memory_peak_bytes or 0, self.out_of_memory_limit_bytes or 0)


@dataclass(frozen=True, slots=True)
class Change:
    """Recommended limits; None: keep the compared limit."""

    memory_bytes: int | None = None
    cpu_millicores: int | None = None


@dataclass(frozen=True, slots=True)
class Sizing:
    """Limits that fit the measured runs; None without enough measurements.

    `newest`: limits of the newest run. `proven_memory_bytes`: largest limit of a successful run.
    """

    basis: Basis = Basis()
    memory_bytes: int | None = None
    cpu_millicores: int | None = None
    newest: Amounts | None = None
    proven_memory_bytes: int = 0


def sizing_of(runs: Sequence[MeasuredRun]) -> Sizing:
    """Return the limits that fit `runs`, which are the last ended ones, oldest first."""
    basis = _basis(runs)
    return Sizing(
        basis=basis,
        memory_bytes=_memory(runs, basis) if basis.runs >= RUNS_MIN else None,
        cpu_millicores=_cpu(basis) if basis.cpu_runs >= RUNS_MIN else None,
        newest=runs[-1].limits if runs else None,
        proven_memory_bytes=max(
            (run.limits.memory_bytes for run in runs if run.succeeded), default=0
        ),
    )


def change_from(sizing: Sizing, compared: Amounts) -> Change:
    """Return the limits that differ from `compared` by at least a fifth.

    Memory is also raised by less if the runs used nearly all of the compared limit.
    """
    memory, cpu = sizing.memory_bytes, sizing.cpu_millicores
    is_tight = sizing.basis.memory_demand_bytes > NEARLY_FULL * compared.memory_bytes
    raised = memory is not None and memory > compared.memory_bytes and is_tight
    return Change(
        memory_bytes=memory if raised or _differs(memory, compared.memory_bytes) else None,
        cpu_millicores=cpu if _differs(cpu, compared.cpu_millicores) else None,
    )


def automatic_change(sizing: Sizing, default: Amounts, *, machine: Amounts | None = None) -> Change:
    """Return the limits that a job without resources gets instead of the default ones.

    A run that ran out of memory doubles the next limit. A memory leak must not fill a cluster: the
    limit is at most four times the default, or the largest limit of a successful run if higher.
    `machine`: capacity of a single-machine installation, which is never exceeded.
    """
    if sizing.memory_bytes is None:
        return change_from(sizing, default)
    most = max(AUTOMATIC_RAISE_MAX * default.memory_bytes, sizing.proven_memory_bytes)
    if machine is not None:
        most = min(most, machine.memory_bytes)
    return change_from(replace(sizing, memory_bytes=min(sizing.memory_bytes, most)), default)


def readable_memory(size_bytes: int) -> int:
    """Round memory up to 64 MiB below 1 GiB, 256 MiB below 8 GiB and 1 GiB above."""
    step = 64 * MIB if size_bytes <= GIB else 256 * MIB if size_bytes <= 8 * GIB else GIB
    return _round_up(size_bytes, step)


def _basis(runs: Iterable[MeasuredRun]) -> Basis:
    peaks: list[int] = []
    short: list[int] = []  # limits that were too small
    cpu: list[tuple[int, bool]] = []
    for run in runs:
        if run.out_of_memory:
            short.append(run.limits.memory_bytes)
        elif run.succeeded and run.memory_peak_bytes:
            peaks.append(run.memory_peak_bytes)
        if run.succeeded and run.cpu_millicores is not None:
            at_limit = run.cpu_millicores >= CPU_AT_LIMIT * run.limits.cpu_millicores
            cpu.append((run.cpu_millicores, at_limit))
    highest, at_limit = max(cpu, default=(None, False))
    return Basis(
        runs=len(peaks) + len(short),
        memory_peak_bytes=max(peaks, default=None),
        out_of_memory_runs=len(short),
        out_of_memory_limit_bytes=max(short, default=None),
        cpu_runs=len(cpu),
        cpu_millicores=highest,
        cpu_at_limit=at_limit,
    )


def _memory(runs: Iterable[MeasuredRun], basis: Basis) -> int:
    """Return 125 % of the highest demand, at least twice a limit not proven to be enough."""
    needed = max(-(-basis.memory_demand_bytes * 5 // 4), 2 * _unproven_limit(runs))
    return min(max(readable_memory(needed), MEMORY_BYTES_MIN), MEMORY_BYTES_MAX)


def _unproven_limit(runs: Iterable[MeasuredRun]) -> int:
    """Return the largest limit that was too small without a later success with more; else 0."""
    limit = 0
    for run in runs:
        if run.out_of_memory:
            limit = max(limit, run.limits.memory_bytes)
        elif run.succeeded and run.limits.memory_bytes > limit:
            limit = 0
    return limit


def _cpu(basis: Basis) -> int:
    used = max(basis.cpu_millicores or 0, 1)
    return min(_round_up(used, CPU_STEP_MILLICORES), CPU_MILLICORES_MAX)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _differs(recommended: int | None, compared: int) -> bool:
    return recommended is not None and abs(recommended - compared) >= DIFFERENCE_MIN * compared
