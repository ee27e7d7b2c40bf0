"""Start window: limit of the workers of one cluster that are being started at the same time. Pure.

Starting a worker costs its node far more than running an idle one. A burst that starts at once
slows every start down, until starts exceed their time limit and are repeated, which costs more
again. Within the window a burst waits in the queue instead of on the nodes.

The window follows the starts, as TCP's congestion window follows round trips: it grows with quick
starts while it is in use, and shrinks when many starts are slow. Slow starts that were admitted
before it shrank do not shrink it again. It never falls below its minimum, so some starts are always
tried.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

SLOW_SECONDS = 2.0  # a quicker start is never slow
SLOW_FACTOR = 3.0  # a start is slow when it takes this many times the usual duration
SLOW_SHARE = 0.3  # share of slow starts above which the window shrinks
SHRINK = 0.7
GROWTH = 0.1  # workers that a quick start adds after the first cut; 1 / size if that is more
_SHARE_WEIGHT = 0.1  # weight of one start in `slow_share`
_DRIFT = 0.02  # weight of a longer start without load in the usual duration
_LEARN = 0.3  # weight of a slow start in the usual duration while the window is at its minimum
_IN_USE = 0.5  # part of the window that must be in use before it grows


@dataclass(frozen=True, slots=True)
class Bounds:
    """Settings of all windows, in workers: the smallest, first and largest size."""

    smallest: int
    first: int
    largest: int


@dataclass(frozen=True, slots=True)
class StartWindow:
    """Window of one cluster. Times are Unix seconds.

    `size`: in workers. `usual_seconds`: duration of a start without load; None before the first.
    `slow_share`: moving average of slow starts, 0 to 1. `cut_at`: when the window last shrank;
    None: never, and it grows by one with each quick start. `judged_at`: time of the last `judge`.
    `claimed_at`: the latest claim that was judged, by the clock of web.
    """

    size: float
    usual_seconds: float | None = None
    slow_share: float = 0.0
    cut_at: float | None = None
    judged_at: float = 0.0
    claimed_at: float = 0.0

    @property
    def workers(self) -> int:
        """The limit as a whole number, at least 1."""
        return max(1, int(self.size))

    @property
    def slow_seconds(self) -> float:
        """The duration above which a start is slow."""
        return max(SLOW_SECONDS, SLOW_FACTOR * (self.usual_seconds or 0.0))


@dataclass(frozen=True, slots=True)
class Start:
    """Start of one worker: when it was admitted and launched, and when it claimed its job.

    `claimed_at` None: it is still starting.
    """

    admitted_at: float
    launched_at: float
    claimed_at: float | None = None


def judge(
    window: StartWindow, starts: Iterable[Start], *, now: float, bounds: Bounds
) -> StartWindow:
    """Return the window after the starts that were claimed or became slow since the last call.

    `starts`: those in progress, and at least those claimed after `window.claimed_at`. A start that
    was judged as slow while in progress is not judged again when it is claimed.
    """
    before = window
    window = replace(window, size=min(max(window.size, bounds.smallest), bounds.largest))
    every = [each for each in starts if (each.claimed_at or now) > before.claimed_at]
    is_used = len(every) >= _IN_USE * window.size
    for each in sorted(every, key=lambda start: (start.claimed_at or now, start.launched_at)):
        slow_from = each.launched_at + window.slow_seconds
        until = now if each.claimed_at is None else each.claimed_at
        seconds = max(0.0, until - each.launched_at)
        if each.claimed_at is not None:
            window = replace(window, claimed_at=max(window.claimed_at, each.claimed_at))
        if until > slow_from:
            if slow_from > before.judged_at:
                window = _slow(window, each, seconds, now, bounds)
        elif each.claimed_at is not None:
            window = _quick(window, seconds, bounds, is_used=is_used)
    return replace(window, judged_at=now)


def _quick(window: StartWindow, seconds: float, bounds: Bounds, *, is_used: bool) -> StartWindow:
    usual = window.usual_seconds
    if usual is None or seconds < usual:
        usual = seconds
    elif not is_used:
        usual += _DRIFT * (seconds - usual)  # starts without load have become slower
    size = window.size
    if is_used:
        size += 1.0 if window.cut_at is None else max(1 / size, GROWTH)
    return replace(
        window,
        usual_seconds=usual,
        size=min(size, bounds.largest),
        slow_share=window.slow_share * (1 - _SHARE_WEIGHT),
    )


def _slow(
    window: StartWindow, start: Start, seconds: float, now: float, bounds: Bounds
) -> StartWindow:
    usual = seconds / SLOW_FACTOR if window.usual_seconds is None else window.usual_seconds
    if window.size <= bounds.smallest:
        # Few starts at a time and still slow: the load is not the cause, starts take this long.
        usual += _LEARN * (seconds - usual)
    window = replace(window, usual_seconds=usual)
    if window.cut_at is not None and start.admitted_at <= window.cut_at:
        return window  # the window has shrunk for it already
    share = window.slow_share * (1 - _SHARE_WEIGHT) + _SHARE_WEIGHT
    if share <= SLOW_SHARE:
        return replace(window, slow_share=share)
    size = max(window.size * SHRINK, bounds.smallest)
    return replace(window, size=size, slow_share=0.0, cut_at=now)
