"""Metrics that a running job reports, as small line charts. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mimir.frontend.api_types.job_shapes import Event
from mimir.lib.json_values import is_finite_number
from mimir.lib.schemas.metrics import METRICS

WIDTH, HEIGHT = 300, 116
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 20
CURVES_MAX, POINTS_MAX = 12, 400
NUMBERS_MAX = 200  # rows of the table with the values


@dataclass(frozen=True, slots=True)
class Curve:
    """Line of one metric (empty with fewer than two values) and its last values."""

    name: str
    title: str
    last: str
    path: str
    end: tuple[float, float]
    ticks: list[tuple[float, str]]
    steps: tuple[str, str]
    rows: list[tuple[str, str]]


def curves(events: Iterable[Event], attempt: int) -> list[Curve]:
    """Draw the `metric` events of an attempt, in order of first report."""
    found: dict[str, list[tuple[float, float]]] = {}
    stepped: set[str] = set()
    for event in events:
        data = event["data"]
        value = data.get("value")
        if event["kind"] != "metric" or event["attempt"] != attempt or not is_finite_number(value):
            continue
        name = str(data.get("name") or "metric")
        course = found.setdefault(name, [])
        course.append((_step(data.get("step"), course, name in stepped), float(value)))
        if is_finite_number(data.get("step")):
            stepped.add(name)
    return [_curve(name, course) for name, course in list(found.items())[:CURVES_MAX]]


def _step(given: object, course: Sequence[tuple[float, float]], stepped: bool) -> float:
    """Return the position of a value: its step; without one, after the last value.

    If an earlier value had a step, a value without one is the final result and gets the last
    position.
    """
    if is_finite_number(given):
        return float(given)
    last = course[-1][0] if course else 0.0
    return last if stepped else last + 1


def _curve(name: str, course: Sequence[tuple[float, float]]) -> Curve:
    about = METRICS.get(name)
    rows = [(_figure(step), _figure(value)) for step, value in course[-NUMBERS_MAX:]]
    path, end, ticks = _line(_thinned(course))
    steps = (_figure(min(step for step, _ in course)), _figure(max(step for step, _ in course)))
    return Curve(name, about.title if about else name, rows[-1][1], path, end, ticks, steps, rows)


def _thinned(course: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Reduce to at most POINTS_MAX points and the last one."""
    every = math.ceil(len(course) / POINTS_MAX)
    return course if every <= 1 else [*course[:-1:every], course[-1]]


def _line(
    course: Sequence[tuple[float, float]],
) -> tuple[str, tuple[float, float], list[tuple[float, str]]]:
    """Return (path, end point, ticks); empty with fewer than two positions or an infinite range."""
    steps, values = [step for step, _ in course], [value for _, value in course]
    first, last, low, high = min(steps), max(steps), min(values), max(values)
    if last <= first or not math.isfinite(high - low):
        return "", (0.0, 0.0), []
    floor, span = HEIGHT - BOTTOM, (high - low) or 1.0
    places = [
        (
            round(LEFT + (step - first) / (last - first) * (WIDTH - LEFT - RIGHT), 1),
            round(floor - (value - low) / span * (floor - TOP), 1),
        )
        for step, value in course
    ]
    ticks = [(float(floor), _figure(low))] + ([(float(TOP), _figure(high))] if high > low else [])
    return "M" + "L".join(f"{x} {y}" for x, y in places), places[-1], ticks


def _figure(value: float) -> str:
    return f"{value:,.4g}"
