"""Recommended limits from measured runs: rounding, out of memory, thresholds, bounds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.core.resources import MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, Amounts
from jobs.core.sizing import (
    Basis,
    Change,
    MeasuredRun,
    Sizing,
    automatic_change,
    change_from,
    readable_memory,
    sizing_of,
)

MIB, GIB = 2**20, 2**30
DEFAULT = Amounts(2000, 4 * GIB)


def _success(peak: int | None, limit: int = 4 * GIB, cpu: int | None = None) -> MeasuredRun:
    return MeasuredRun(
        Amounts(2000, limit), succeeded=True, memory_peak_bytes=peak, cpu_millicores=cpu
    )


def _short(limit: int) -> MeasuredRun:
    """Return a run that ran out of memory."""
    return MeasuredRun(Amounts(2000, limit), out_of_memory=True, memory_peak_bytes=limit)


FAILED = MeasuredRun(DEFAULT, memory_peak_bytes=3 * GIB, cpu_millicores=1900)


@pytest.mark.parametrize(
    ("size", "rounded"),
    [
        (1, 64 * MIB),
        (64 * MIB, 64 * MIB),
        (64 * MIB + 1, 128 * MIB),
        (GIB - 1, GIB),
        (GIB, GIB),
        (GIB + 1, GIB + 256 * MIB),
        (8 * GIB, 8 * GIB),
        (8 * GIB + 1, 9 * GIB),
    ],
)
def test_memory_is_rounded_up_to_an_amount_that_a_person_would_write(
    size: int, rounded: int
) -> None:
    assert readable_memory(size) == rounded


@pytest.mark.parametrize(
    ("runs", "memory"),
    [
        ([], None),
        ([_success(GIB)] * 2, None),
        ([_success(GIB), _success(GIB), _success(None)], None),
        ([_success(GIB), _success(GIB), FAILED], None),
        ([_success(900 * MIB), _success(1228 * MIB), _success(800 * MIB)], GIB + 512 * MIB),
        ([_success(10 * MIB)] * 3, 64 * MIB),
        ([_success(10 * MIB)] * 3 + [FAILED], 64 * MIB),
        # out of memory: twice the limit, until a later run succeeds with more
        ([_success(GIB), _success(GIB), _short(4 * GIB)], 8 * GIB),
        ([_short(2 * GIB), _short(4 * GIB), _short(8 * GIB)], 16 * GIB),
        ([_success(GIB), _short(2 * GIB), _success(GIB, 2 * GIB)], 4 * GIB),
        ([_success(GIB), _short(2 * GIB), _success(3 * GIB, 4 * GIB)], 3 * GIB + 768 * MIB),
        ([_success(GIB, 4 * GIB), _success(GIB), _short(2 * GIB)], 4 * GIB),
        ([_short(4 * GIB), _short(2 * GIB), _success(GIB, 3 * GIB)], 8 * GIB),
        # a limit that was once too small is never recommended again
        ([_short(2 * GIB), _success(GIB, 4 * GIB), _success(GIB, 4 * GIB)], 2 * GIB + 512 * MIB),
    ],
)
def test_the_memory_limit_fits_the_measured_runs(
    runs: list[MeasuredRun], memory: int | None
) -> None:
    assert sizing_of(runs).memory_bytes == memory


@pytest.mark.parametrize(
    ("used", "cpu", "at_limit"),
    [
        ([300, 120, 50], 500, False),
        ([250, 250, 250], 250, False),
        ([0, 0, 0], 250, False),
        ([1990, 100, 100], 2000, True),
        ([300, 300, None], None, False),
    ],
)
def test_the_cpu_limit_fits_the_highest_sustained_use(
    used: list[int | None], cpu: int | None, at_limit: bool
) -> None:
    sizing = sizing_of([_success(GIB, cpu=one) for one in used])
    assert (sizing.cpu_millicores, sizing.basis.cpu_at_limit) == (cpu, at_limit)


def test_the_basis_states_what_was_measured() -> None:
    runs = [_success(GIB, cpu=100), FAILED, _short(2 * GIB), _success(3 * GIB, 8 * GIB, 400)]
    assert sizing_of(runs) == Sizing(
        basis=Basis(
            runs=3,
            memory_peak_bytes=3 * GIB,
            out_of_memory_runs=1,
            out_of_memory_limit_bytes=2 * GIB,
            cpu_runs=2,
            cpu_millicores=400,
        ),
        memory_bytes=3 * GIB + 768 * MIB,
        newest=Amounts(2000, 8 * GIB),
        proven_memory_bytes=8 * GIB,
    )


@pytest.mark.parametrize(
    ("peak", "compared", "memory"),
    [
        (GIB, 4 * GIB, GIB + 256 * MIB),
        (3 * GIB, 4 * GIB, None),  # 3.75 GiB
        (int(3.3 * GIB), 4 * GIB, None),  # 4.25 GiB, and the runs leave a margin
        (int(3.5 * GIB), 4 * GIB, 4 * GIB + 512 * MIB),  # the runs used nearly all
        (4 * GIB, 4 * GIB, 5 * GIB),
        (4 * GIB, GIB, 5 * GIB),
    ],
)
def test_a_limit_is_recommended_only_if_it_differs_clearly(
    peak: int, compared: int, memory: int | None
) -> None:
    change = change_from(sizing_of([_success(peak)] * 3), Amounts(2000, compared))
    assert change == Change(memory_bytes=memory)


def test_an_automatic_limit_is_not_raised_without_end() -> None:
    """Doubling the limit after each out-of-memory run would let a leak fill a cluster."""
    limit = 4 * GIB
    for _ in range(10):
        change = automatic_change(sizing_of([_short(limit)] * 3), DEFAULT)
        limit = change.memory_bytes or limit
    assert limit == 16 * GIB
    proven = [_success(30 * GIB, 32 * GIB)] * 3
    assert automatic_change(sizing_of(proven), DEFAULT).memory_bytes == 32 * GIB


def test_an_automatic_limit_stays_within_the_machine() -> None:
    sizing = sizing_of([_short(4 * GIB)] * 3)
    assert automatic_change(sizing, DEFAULT, machine=Amounts(2000, 6 * GIB)) == Change(6 * GIB)
    assert automatic_change(sizing, DEFAULT, machine=Amounts(2000, 4 * GIB)) == Change()


def test_automatic_limits_do_not_swing_back_after_they_were_applied() -> None:
    default_runs = [_success(GIB)] * 3
    first = automatic_change(sizing_of(default_runs), DEFAULT)
    applied = [_success(GIB, first.memory_bytes or 0)] * 20
    assert automatic_change(sizing_of(applied), DEFAULT) == first == Change(GIB + 256 * MIB)


_LIMITS = st.integers(MEMORY_BYTES_MIN, 2**40)
_RUNS = st.lists(
    st.builds(
        lambda limit, share, kind: (
            _short(limit) if kind == 0 else _success(int(limit * share), limit, kind)
        ),
        _LIMITS,
        st.floats(0, 1),
        st.integers(0, 2000),
    ),
    max_size=20,
)


@given(_RUNS, _LIMITS)
def test_no_recommendation_is_below_a_measured_peak(runs: list[MeasuredRun], compared: int) -> None:
    sizing = sizing_of(runs)
    peak = max((run.memory_peak_bytes or 0 for run in runs if run.succeeded), default=0)
    limits = [
        sizing.memory_bytes,
        change_from(sizing, Amounts(2000, compared)).memory_bytes,
        automatic_change(sizing, Amounts(2000, compared)).memory_bytes,
    ]
    assert all(limit >= peak for limit in limits if limit is not None)


@given(_RUNS)
def test_a_recommendation_is_an_amount_that_a_job_can_request(runs: list[MeasuredRun]) -> None:
    memory = sizing_of(runs).memory_bytes
    assert memory is None or MEMORY_BYTES_MIN <= memory <= MEMORY_BYTES_MAX


@given(_RUNS, st.integers(0, 19), st.integers(0, 2**40))
def test_a_higher_peak_never_lowers_the_recommendation(
    runs: list[MeasuredRun], at: int, more: int
) -> None:
    if at >= len(runs) or not runs[at].memory_peak_bytes:
        return
    raised = list(runs)
    raised[at] = replace(runs[at], memory_peak_bytes=(runs[at].memory_peak_bytes or 0) + more)
    before, after = sizing_of(runs).memory_bytes, sizing_of(raised).memory_bytes
    assert (before is None) == (after is None)
    assert (after or 0) >= (before or 0)


@given(_RUNS)
def test_a_limit_that_was_too_small_is_exceeded(runs: list[MeasuredRun]) -> None:
    sizing = sizing_of(runs)
    short = max((run.limits.memory_bytes for run in runs if run.out_of_memory), default=0)
    assert sizing.memory_bytes is None or sizing.memory_bytes > short
