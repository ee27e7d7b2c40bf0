"""The shape of a plot with two axes, that `templates/plots/_chart.html` draws. Pure.

Up to four series, told apart without colour: 1 is a full line or a disc, 2 dashed or a cross, 3 dotted, 4 dash and dot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mimir.frontend.drawing.scales import Scale

WIDTH, HEIGHT = 460, 250
TOP, BOTTOM, RIGHT = 24, 34, 20
SERIES_MAX = 4
_CHARACTER = 6.2  # pixels of one, at the size of a tick's words
_LABEL_CHARS = 18
_LABEL_ROW = 15
ROWS_MAX = 500  # of a table of numbers


@dataclass(frozen=True, slots=True)
class Axis:
    """What one axis says: (place, words) of its ticks."""

    title: str
    ticks: list[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve of one series; `points` are its corners where there are few."""

    series: int
    path: str
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Marks:
    """Single points of one series."""

    series: int
    points: list[tuple[float, float]]
    path: str = ""  # crosses, for the second series


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle that stands on the axis."""

    x: float
    y: float
    width: float
    height: float
    description: str


@dataclass(frozen=True, slots=True)
class Label:
    """A series' name at the end of its line, with a piece of the line before it."""

    series: int
    text: str
    whole: str
    x: float
    y: float
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Numbers:
    """The same as a table. `cut`: how many rows are not in it."""

    head: list[str]
    rows: list[list[str]]
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot. `told` says it in a sentence."""

    description: str
    x: Axis
    y: Axis
    left: int
    right: int
    floor: int
    numbers: Numbers
    lines: list[Line] = field(default_factory=list)
    marks: list[Marks] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    ideal: str = ""
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def middle(self) -> float:
        """Of the lower axis."""
        return round((self.left + self.right) / 2, 1)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the axes of a plot stand, in pixels."""

    left: int
    right: int
    top: int = TOP
    floor: int = HEIGHT - BOTTOM


def frame(y_labels: Iterable[str], names: Sequence[str] = ()) -> Frame:
    """Room for the words of the y axis, and at the right for the names of the series."""
    longest = max((len(word) for word in y_labels), default=1)
    names_width = max((len(shortened(name)) for name in names), default=0)
    return Frame(
        round(14 + longest * _CHARACTER),
        WIDTH - RIGHT - (round(names_width * _CHARACTER) + 26 if names_width else 0),
    )


def shortened(name: str) -> str:
    """A name that has room beside its line."""
    return name if len(name) <= _LABEL_CHARS else f"{name[: _LABEL_CHARS - 1]}\u2026"


def path_of(points: Sequence[tuple[float, float]]) -> str:
    """Straight from point to point."""
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def crosses(points: Iterable[tuple[float, float]], arm: float = 2.6) -> str:
    """A small cross at each point, all as one path."""
    return "".join(
        f"M{round(x - arm, 1)} {round(y - arm, 1)}l{2 * arm} {2 * arm}m0 -{2 * arm}l-{2 * arm} {2 * arm}"
        for x, y in points
    )


def labels(
    names: Sequence[str], ends: Sequence[float], place: Frame, *, marks: bool = False
) -> list[Label]:
    """The names at the right edge: each as near to the end of its line as the others let it."""
    order = sorted(range(len(names)), key=lambda number: (ends[number], number))
    tops: dict[int, float] = {}
    below = float(place.top)
    for number in order:
        tops[number] = max(ends[number], below)
        below = tops[number] + _LABEL_ROW
    over = max(0.0, below - _LABEL_ROW - place.floor)
    x = place.right + 6
    return [
        Label(number + 1, shortened(name), name, x, round(tops[number] - over, 1), marks)
        for number, name in enumerate(names)
    ]


def numbers(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Numbers:
    """The table, not longer than anybody reads."""
    kept = [list(row) for row in rows[:ROWS_MAX]]
    return Numbers(list(head), kept, len(rows) - len(kept))


def axes(x: Scale, x_title: str, y: Scale, y_title: str) -> tuple[Axis, Axis]:
    """Both axes of a plot."""
    return Axis(x_title, x.ticks()), Axis(y_title, y.ticks())
