"""Pauses of web: intervals without heartbeats or with overload, and their sum."""

import datetime as dt
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.liveness.beats import beats_sweep
from jobs.liveness.paused import Pause, paused_seconds
from jobs.liveness.uptime import GAP_SECONDS, SETTLE_SECONDS, web_beat, web_pauses
from jobs.models import WebPause, WebUptime
from tests.scenarios.clock import VirtualClock, virtual_time

BEGAN = 1_790_000_000.0
rows = pytest.mark.django_db(transaction=True)


def _at(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(BEGAN + seconds, dt.UTC)


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    """A web that has been up for long enough to count."""
    created = VirtualClock(BEGAN - 100)
    with virtual_time(created):
        web_beat()
        while created.now < BEGAN:
            _beat(created)
        yield created


def _beat(clock: VirtualClock, seconds: float = 2.0, overloaded_seconds: float = 0.0) -> None:
    clock.advance_to(clock.now + seconds)
    web_beat(overloaded_seconds)


def _pauses() -> list[tuple[str, float, float]]:
    return [
        (row.cause, row.from_at.timestamp() - BEGAN, row.to_at.timestamp() - BEGAN)
        for row in WebPause.objects.order_by("id")
    ]


def _counted() -> float:
    return WebUptime.objects.get().counted_seconds


@rows
def test_a_web_with_regular_heartbeats_has_no_pause(clock: VirtualClock) -> None:
    for _ in range(5):
        _beat(clock)
    _beat(clock, GAP_SECONDS)
    assert (_pauses(), web_pauses(_at(-100))) == ([], [])


@rows
def test_a_gap_between_heartbeats_is_a_pause(clock: VirtualClock) -> None:
    _beat(clock, 20.0)
    _beat(clock)
    assert _pauses() == [("down", 0.0, 20.0)]
    assert web_pauses(_at(0)) == [Pause(_at(0), _at(20))]


@rows
def test_a_web_that_is_down_now_has_a_pause_before_it_comes_back(clock: VirtualClock) -> None:
    clock.advance_to(BEGAN + GAP_SECONDS)
    assert web_pauses(_at(0)) == []
    clock.advance_to(BEGAN + 30)
    assert web_pauses(_at(0)) == [Pause(_at(0), _at(30))]


@rows
def test_a_long_overload_is_one_pause(clock: VirtualClock) -> None:
    _beat(clock, 2.0, 3.0)
    _beat(clock, 2.0, 2.0)
    _beat(clock, 2.5, 2.5)
    for _ in range(3):
        _beat(clock)
    _beat(clock, 2.0, 1.0)
    assert _pauses() == [("overloaded", -1.0, 6.5), ("overloaded", 13.5, 14.5)]


@rows
def test_an_overload_of_one_of_two_webs_is_recorded(clock: VirtualClock) -> None:
    """The other web process sends heartbeats shortly before and after it."""
    _beat(clock, 1.9)
    _beat(clock, 0.1, 2.0)
    _beat(clock, 1.9)
    _beat(clock, 0.1, 2.0)
    assert _pauses() == [("overloaded", 0.0, 4.0)]


@rows
def test_uptime_counts_neither_an_overload_nor_the_time_to_settle_after_it(
    clock: VirtualClock,
) -> None:
    before = _counted()
    for _ in range(10):
        _beat(clock, 2.0, 2.0)
    for _ in range(int(SETTLE_SECONDS / 2)):
        _beat(clock)
    assert _counted() == before
    for _ in range(5):
        _beat(clock)
    assert _counted() == pytest.approx(before + 10)


@rows
@pytest.mark.parametrize("step", [-3600.0, -5.0])
def test_a_clock_that_steps_back_is_no_pause(clock: VirtualClock, step: float) -> None:
    _beat(clock, step)
    assert _pauses() == []


@rows
def test_old_pauses_are_deleted(clock: VirtualClock) -> None:
    _beat(clock, 20.0)
    _beat(clock, 23 * 3600.0)
    beats_sweep()
    assert len(_pauses()) == 2
    clock.advance_to(clock.now + 2 * 3600.0)
    beats_sweep()
    assert _pauses() == [("down", 20.0, 20.0 + 23 * 3600.0)]


_seconds = st.integers(-50, 50)
_intervals = st.lists(st.tuples(_seconds, st.integers(0, 40)), max_size=8)


@given(_intervals, _seconds, st.integers(-10, 60))
def test_paused_seconds_counts_each_second_once(
    intervals: list[tuple[int, int]], since: int, length: int
) -> None:
    """Compare the sum with a count of single seconds."""
    until = since + length
    pauses = [Pause(_at(begin), _at(begin + seconds)) for begin, seconds in intervals]
    expected = sum(
        any(begin <= second < begin + seconds for begin, seconds in intervals)
        for second in range(since, until)
    )
    assert paused_seconds(pauses, _at(since), _at(until)) == expected
