"""Shape of a plot with two axes, drawn by `templates/plots/_chart.html`. Pure.

Up to four series that differ without colour: 1 is a solid line or a dot, 2 dashed or a cross, 3
dotted, 4 dash-dot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mimir.frontend.drawing.scales import Scale

WIDTH, HEIGHT = 460, 250
TOP, BOTTOM, RIGHT = 24, 34, 20
SERIES_MAX = 4
_CHARACTER = 6.2  # width in pixels at the font size of a tick
_LABEL_CHARS = 18
_LABEL_ROW = 15
ROWS_MAX = 500  # of a table of numbers


@dataclass(frozen=True, slots=True)
class Axis:
    """Title of an axis and its ticks: (position, label)."""

    title: str
    ticks: list[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """Curve of one series. `points`: the corners that get a marker, if any."""

    series: int
    path: str
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Marks:
    """Points of one series."""

    series: int
    points: list[tuple[float, float]]
    path: str = ""  # crosses of the second series


@dataclass(frozen=True, slots=True)
class Bar:
    """Rectangle that stands on the axis."""

    x: float
    y: float
    width: float
    height: float
    description: str


@dataclass(frozen=True, slots=True)
class Label:
    """Name of a series at the end of its line, with a short piece of the line."""

    series: int
    text: str
    whole: str
    x: float
    y: float
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Numbers:
    """Same data as a table. `cut` counts the rows that are not in it."""

    head: list[str]
    rows: list[list[str]]
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot. `description` is its text alternative."""

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
        """Middle of the lower axis."""
        return round((self.left + self.right) / 2, 1)


@dataclass(frozen=True, slots=True)
class Frame:
    """Position of the axes, in pixels."""

    left: int
    right: int
    top: int = TOP
    floor: int = HEIGHT - BOTTOM


def frame(y_labels: Iterable[str], names: Sequence[str] = ()) -> Frame:
    """Leave space for the labels of the y axis, and at the right for the series names."""
    longest = max((len(word) for word in y_labels), default=1)
    names_width = max((len(shortened(name)) for name in names), default=0)
    return Frame(
        round(14 + longest * _CHARACTER),
        WIDTH - RIGHT - (round(names_width * _CHARACTER) + 26 if names_width else 0),
    )


def shortened(name: str) -> str:
    """Shorten a series name to the space beside its line."""
    return name if len(name) <= _LABEL_CHARS else f"{name[: _LABEL_CHARS - 1]}\u2026"


def path_of(points: Sequence[tuple[float, float]]) -> str:
    """SVG path of straight lines."""
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def crosses(points: Iterable[tuple[float, float]], arm: float = 2.6) -> str:
    """SVG path with a small cross at each point."""
    return "".join(
        (
            f"M{round(x - arm, 1)} {round(y - arm, 1)}l{2 * arm} {2 * arm}m0 "
            f"-{2 * arm}l-{2 * arm} {2 * arm}"
        )
        for x, y in points
    )


def labels(
    names: Sequence[str], ends: Sequence[float], place: Frame, *, marks: bool = False
) -> list[Label]:
    """Place series names at the right edge, near the end of each line, without overlap."""
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
    """Build the table, limited to ROWS_MAX rows."""
    kept = [list(row) for row in rows[:ROWS_MAX]]
    return Numbers(list(head), kept, len(rows) - len(kept))


def axes(x: Scale, x_title: str, y: Scale, y_title: str) -> tuple[Axis, Axis]:
    """Build both axes of a plot."""
    return Axis(x_title, x.ticks()), Axis(y_title, y.ticks())
