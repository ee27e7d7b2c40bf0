"""The plot of a number over time: a value holds until the next one."""

import datetime as dt
import math
import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from mimir.frontend.pages.job.step_plot import PHONE, WIDE, draw, points_of

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


def _at(hours: float) -> dt.datetime:
    return NOON + dt.timedelta(hours=hours)


def test_a_value_is_level_until_the_next_and_the_last_until_now() -> None:
    plot = draw({"reported": [(_at(0), 0.0), (_at(5), 30.0)]}, _at(10))
    assert plot is not None
    line = plot.lines[0]
    middle = (plot.left + plot.right) / 2
    assert line.path == f"M{float(plot.left)} 172.0H{middle}V14.0H{float(plot.right)}"
    assert line.dots == [(float(plot.left), 172.0), (middle, 14.0)]
    assert [label for _, label in plot.ticks] == ["0", "10", "20", "30"]
    assert [label for _, label in plot.times] == ["10 h ago", "5 h ago", "now"]


def test_a_missing_value_interrupts_the_line() -> None:
    plot = draw({"edited": [(_at(0), 5.0), (_at(2), None), (_at(6), 7.0), (_at(8), None)]}, _at(10))
    assert plot is not None
    parts = re.findall(r"M[^M]*", plot.lines[0].path)
    assert len(parts) == 2
    assert all(part.count("H") == 1 and "V" not in part for part in parts)


def test_the_labels_of_two_lines_do_not_overlap() -> None:
    plot = draw({"reported": [(_at(0), 5.0)], "edited": [(_at(1), 5.0)]}, _at(2))
    assert plot is not None
    assert [line.word for line in plot.lines] == ["reported", "edited"]
    assert abs(plot.lines[0].word_y - plot.lines[1].word_y) >= 14


def test_one_value_is_not_a_series() -> None:
    assert draw({"reported": [(_at(0), 5.0)], "edited": []}, _at(1)) is None
    assert draw({"reported": [], "edited": []}, _at(1)) is None
    assert draw({"reported": [(_at(1), 5.0), (_at(1), 6.0)]}, _at(1)) is None


def test_points_are_of_one_layer_oldest_first_and_only_numbers() -> None:
    def change(hour: int, layer: str, value: Any, present: bool = True) -> Any:
        return {"at": _at(hour).isoformat(), "layer": layer, "value": value, "present": present}

    history = [
        change(3, "reported", "text"),
        change(2, "reported", None, False),
        change(1, "overlay", 4),
        change(0, "reported", 1.5),
    ]
    assert points_of(history, "reported") == [(_at(0), 1.5), (_at(2), None)]
    assert points_of(history, "overlay") == [(_at(1), 4)]


_numbers = (
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)
)


@example([(0.0, 1.634266486238469e308)] * 2, 720)
@example([(0.0, -1.7976931348623157e308), (1.0, 1.7976931348623157e308)], 720)
@given(
    st.lists(st.tuples(st.floats(0, 1e6), _numbers), min_size=1, max_size=20),
    st.sampled_from([WIDE, PHONE]),
)
def test_all_points_are_inside_the_box_for_any_numbers(
    places: list[tuple[float, Any]], width: int
) -> None:
    course = [
        (_at(hours / 3600), value) for hours, value in sorted(places, key=lambda place: place[0])
    ]
    plot = draw({"reported": course}, _at(1e6))
    if plot is None:
        return
    for line in plot.lines:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", line.path)]
        assert all(math.isfinite(number) for number in numbers)
        assert all(plot.left <= x <= plot.right and 0 <= y <= plot.height for x, y in line.dots)
    assert 2 <= len(plot.ticks) <= 7
    assert all(0 <= y <= plot.height for y, _ in plot.ticks)
