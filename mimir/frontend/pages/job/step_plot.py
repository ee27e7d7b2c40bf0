"""Step line chart of a value over time. Pure."""

import datetime as dt
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mimir.frontend import formatting
from mimir.frontend.api_types.twin_shapes import ValueChange
from mimir.lib.json_values import is_finite_number

WIDE, PHONE, HEIGHT = 720, 360, 200
LEFT, RIGHT, TOP, BOTTOM = 64, 84, 14, 28
LARGEST = sys.float_info.max  # a tick beyond the largest double would be infinite
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Line:
    """One line with the label at its end."""

    path: str
    dots: list[tuple[float, float]]
    word: str
    word_y: float


@dataclass(frozen=True, slots=True)
class StepPlot:
    """Lines in a box of `width` by `height`; `ticks`: (y, label), `times`: (x, label)."""

    width: int
    height: int
    left: int
    right: int
    lines: list[Line]
    ticks: list[tuple[float, str]]
    times: list[tuple[float, str]]


Point = tuple[dt.datetime, float | None]  # None: no value from here on


def points_of(changes: Sequence[ValueChange], layer: str) -> list[Point]:
    """Points of one layer of a property, oldest first, from its history (newest first)."""
    course: list[Point] = []
    for change in reversed(changes):
        at, value = formatting.parsed(change["at"]), change["value"] if change["present"] else None
        if (
            change["layer"] == layer
            and at is not None
            and (value is None or is_finite_number(value))
        ):
            course.append((at, value))
    return course


def draw(
    courses: Mapping[str, Sequence[Point]], now: dt.datetime, *, width: int = WIDE
) -> StepPlot | None:
    """Draw `courses` by label, the last values extended to `now`.

    None with fewer than two values, an empty time range, or a value range that is not finite.
    """
    values = [value for course in courses.values() for _, value in course if value is not None]
    starts = [at for course in courses.values() for at, _ in course]
    if len(values) < 2 or min(starts) >= now:
        return None
    first, ticks = min(starts), _ticks(min(values), max(values))
    low, high, floor = ticks[0], ticks[-1], HEIGHT - BOTTOM
    if not math.isfinite(high - low):
        return None

    def across(at: dt.datetime) -> float:
        return round(LEFT + (at - first) / (now - first) * (width - LEFT - RIGHT), 1)

    def up(value: float) -> float:
        return round(floor - (value / 2 - low / 2) / (high / 2 - low / 2) * (floor - TOP), 1)

    lines = [
        _line(
            word,
            [(across(at), None if value is None else up(value)) for at, value in course],
            across(now),
        )
        for word, course in courses.items()
        if any(value is not None for _, value in course)
    ]
    middle = first + (now - first) / 2
    times = [
        (float(LEFT), formatting.ago(first, now)),
        (across(middle), formatting.ago(middle, now)),
        (across(now), "now"),
    ]
    return StepPlot(
        width,
        HEIGHT,
        LEFT,
        width - RIGHT,
        _apart(lines),
        [(up(tick), _figure(tick)) for tick in ticks],
        times,
    )


def _line(word: str, places: Sequence[tuple[float, float | None]], end: float) -> Line:
    """Build a step line, with a gap while there is no value."""
    path, dots, level = "", [], None
    for x, y in places:
        if level is not None:
            path += f"H{x}"
        if y is not None:
            path += f"V{y}" if level is not None else f"M{x} {y}"
            dots.append((x, y))
        level = y
    if level is not None:
        path += f"H{end}"
    return Line(path, dots, word, dots[-1][1])


def _apart(lines: list[Line]) -> list[Line]:
    """Move labels apart that would overlap."""
    placed: list[Line] = []
    for line in sorted(lines, key=lambda one: one.word_y):
        at = max(line.word_y, placed[-1].word_y + 14) if placed else line.word_y
        placed.append(Line(line.path, line.dots, line.word, at))
    return [one for word in (line.word for line in lines) for one in placed if one.word == word]


def _ticks(low: float, high: float) -> list[float]:
    """Return three to six round numbers that enclose `low` and `high`."""
    if high - low < 1e-300:
        low, high = (
            max(-LARGEST, low - max(abs(low) * 0.1, 1)),
            min(LARGEST, high + max(abs(high) * 0.1, 1)),
        )
    rough = high / 3 - low / 3  # a difference of two large doubles can overflow
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = min(
        next(factor * magnitude for factor in _STEPS if factor * magnitude >= rough),
        max(rough, LARGEST / 2),
    )
    first, last = math.floor(low / step), math.ceil(high / step)
    return [max(-LARGEST, min(LARGEST, number * step)) for number in range(first, last + 1)]


def _figure(value: float) -> str:
    return f"{value:,.6g}"
