"""Uptime of web: a counter that never decreases, with several processes and clock changes."""

from collections.abc import Iterator

import pytest

from jobs.liveness.uptime import GAP_SECONDS, SETTLE_SECONDS, web_beat
from jobs.models import WebUptime
from tests.scenarios.clock import VirtualClock, virtual_time

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    """A web that has been up for long enough to count."""
    created = VirtualClock(1_790_000_000.0)
    with virtual_time(created):
        web_beat()
        _beats(created, int(SETTLE_SECONDS / 2))
        assert _counted() == 0
        yield created


def _beats(clock: VirtualClock, count: int, seconds: float = 2.0) -> None:
    for _ in range(count):
        clock.advance_to(clock.now + seconds)
        web_beat()


def _counted() -> float:
    return WebUptime.objects.get().counted_seconds


def test_time_between_beats_counts_once_the_web_has_settled(clock: VirtualClock) -> None:
    _beats(clock, 10)
    assert _counted() == pytest.approx(20)


def test_many_webs_count_as_one(clock: VirtualClock) -> None:
    for _ in range(10):
        _beats(clock, 1, 1.2)
        web_beat()
        _beats(clock, 1, 0.4)
        _beats(clock, 1, 0.4)
    clock.advance_to(clock.now + 2)
    web_beat()
    assert _counted() == pytest.approx(22)


def test_a_web_that_was_away_counts_nothing_of_it_and_has_to_settle_again(
    clock: VirtualClock,
) -> None:
    _beats(clock, 10)
    _beats(clock, 1, GAP_SECONDS + 1)
    _beats(clock, int(SETTLE_SECONDS / 2))
    assert _counted() == pytest.approx(20)
    _beats(clock, 5)
    assert _counted() == pytest.approx(30)


@pytest.mark.parametrize("step", [3600.0, -3600.0, -5.0])
def test_a_step_of_the_clock_counts_nothing(clock: VirtualClock, step: float) -> None:
    _beats(clock, 10)
    _beats(clock, 1, step)
    assert _counted() == pytest.approx(20)
    _beats(clock, int(SETTLE_SECONDS / 2) + 5)
    assert _counted() == pytest.approx(30)


def test_two_concurrent_heartbeats_are_not_a_clock_step(clock: VirtualClock) -> None:
    """The heartbeat that is stored last may have read the clock first."""
    _beats(clock, 10)
    _beats(clock, 1, -0.3)
    _beats(clock, 1, 2.3)
    assert _counted() == pytest.approx(22)
