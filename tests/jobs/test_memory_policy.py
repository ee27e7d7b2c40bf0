"""Memory after an out-of-memory end: limits, and the end of the doubling."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.core.memory_policy import memory_raise
from jobs.core.resources import GIB, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, Amounts, Profile

USUAL = Profile(requests=Amounts(1000, 2 * GIB), limits=Amounts(2000, 4 * GIB, gpus=1))
STEPS_MAX = 18  # from 64 MiB to 16 TiB

sizes = st.integers(MEMORY_BYTES_MIN, MEMORY_BYTES_MAX)


def _profile(limit: int, request: int | None = None) -> Profile:
    return Profile(Amounts(1000, request or min(limit, 2 * GIB)), Amounts(2000, limit, gpus=1))


@given(sizes, sizes, st.integers(1, MEMORY_BYTES_MAX))
def test_memory_grows_to_at_most_twice_and_never_above_its_maximum(
    limit: int, most: int, ran_with: int
) -> None:
    current = _profile(limit)
    raised = memory_raise(
        current, USUAL, ran_with_bytes=min(ran_with, limit), memory_max_bytes=max(most, limit)
    )
    if raised is None:
        return
    assert limit < raised.next_bytes <= max(most, limit)
    assert raised.next_bytes <= 2 * min(ran_with, limit)
    amounts = raised.amounts
    assert amounts.limits == Amounts(2000, raised.next_bytes, gpus=1)
    assert current.requests.memory_bytes <= amounts.requests.memory_bytes <= raised.next_bytes
    assert (amounts.requests.cpu_millicores, amounts.requests.gpus) == (1000, 0)


@given(sizes, sizes)
def test_the_doubling_ends_at_the_maximum_after_few_steps(limit: int, most: int) -> None:
    most, current, steps = max(most, limit), _profile(limit), 0
    while raised := memory_raise(
        current,
        USUAL,
        ran_with_bytes=current.limits.memory_bytes,
        memory_max_bytes=most,
    ):
        current, steps = raised.amounts, steps + 1
        assert steps <= STEPS_MAX
    assert current.limits.memory_bytes == most


@given(sizes, sizes)
def test_a_second_call_for_the_same_attempt_raises_nothing(limit: int, most: int) -> None:
    current = _profile(limit)
    once = memory_raise(current, USUAL, ran_with_bytes=limit, memory_max_bytes=max(most, limit))
    if once is None:
        return
    again = memory_raise(
        once.amounts, USUAL, ran_with_bytes=limit, memory_max_bytes=max(most, limit)
    )
    assert again is None


def test_the_request_follows_the_rule_of_a_new_job() -> None:
    raised = memory_raise(
        _profile(2 * GIB), USUAL, ran_with_bytes=2 * GIB, memory_max_bytes=64 * GIB
    )
    assert raised is not None
    assert raised.amounts.requests.memory_bytes == 2 * GIB, "up to the usual limit: the usual one"
    again = memory_raise(raised.amounts, USUAL, ran_with_bytes=4 * GIB, memory_max_bytes=64 * GIB)
    assert again is not None
    assert again.amounts.requests.memory_bytes == 8 * GIB, "above it: the full limit"


def test_nothing_is_raised_without_a_maximum() -> None:
    assert memory_raise(_profile(GIB), USUAL, ran_with_bytes=GIB, memory_max_bytes=None) is None


def test_a_limit_of_the_machine_that_a_doubling_does_not_reach_ends_it() -> None:
    """The machine has 3 GiB, and the job may use 8 GiB of it already."""
    found = memory_raise(
        _profile(8 * GIB), USUAL, ran_with_bytes=3 * GIB, memory_max_bytes=16 * GIB
    )
    assert found is None
