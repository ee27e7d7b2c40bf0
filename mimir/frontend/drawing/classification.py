"""Plots of a classification: confusion matrix, ROC, precision-recall, calibration. Pure.

Curves are drawn for up to four classes, the most frequent first. The table has the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mimir.frontend import formatting
from mimir.frontend.drawing.charts import (
    BOTTOM,
    HEIGHT,
    SERIES_MAX,
    TOP,
    Chart,
    Line,
    axes,
    frame,
    labels,
    numbers,
    path_of,
)
from mimir.frontend.drawing.scales import figure, finite, scale

CLASSES_DRAWN = 12
SHADES = 5
REST = "others"
_FLOOR = HEIGHT - BOTTOM
Curves = Sequence[
    tuple[str, Mapping[str, object]]
]  # (name, one entry of a plot: two lists and perhaps "auc")


@dataclass(frozen=True, slots=True)
class Cell:
    """Number of rows with one actual and one predicted class.

    `shade` is 0 to SHADES by share of the class; `right` is true on the diagonal.
    """

    count: int
    shade: int
    right: bool


@dataclass(frozen=True, slots=True)
class Confusion:
    """Confusion matrix: a row for each actual class, a column for each predicted one."""

    description: str
    classes: list[str]
    rows: list[tuple[str, list[Cell], str]]  # (class, its cells, share predicted correctly)
    omitted: int


def confusion(plots: Mapping[str, object]) -> Confusion | None:
    """Build the confusion matrix; None if the data is missing or invalid.

    If there are more than CLASSES_DRAWN classes, the least frequent ones are merged into one.
    """
    found = _matrix(plots.get("confusion"))
    if found is None:
        return None
    classes, counts = found
    description = _describe_confusion(classes, counts)
    omitted = max(0, len(classes) - CLASSES_DRAWN)
    if omitted:
        classes, counts = _gathered(classes, counts)
    rows = []
    for number, (name, row) in enumerate(zip(classes, counts, strict=True)):
        total = sum(row)
        cells = [
            Cell(count, _shade(count, total), column == number) for column, count in enumerate(row)
        ]
        rows.append(
            (name, cells, f"{row[number] / total:.0%}".replace("%", " %") if total else "none")
        )
    return Confusion(description, classes, rows, omitted)


def _matrix(plot: object) -> tuple[list[str], list[list[int]]] | None:
    if (
        not isinstance(plot, Mapping)
        or not isinstance(plot.get("classes"), list)
        or not isinstance(plot.get("counts"), list)
    ):
        return None
    classes = [str(name) for name in plot["classes"]]
    counts = [
        [round(count) for count in row]
        for row in map(finite, plot["counts"])
        if row is not None and len(row) == len(classes)
    ]
    return (
        (classes, counts)
        if classes and len(counts) == len(classes) and any(map(any, counts))
        else None
    )


def _shade(count: int, total: int) -> int:
    """Return the shade; 0 only for a count of 0."""
    return 0 if not count or not total else max(1, round(count / total * SHADES))


def _gathered(
    classes: Sequence[str], counts: Sequence[Sequence[int]]
) -> tuple[list[str], list[list[int]]]:
    """Keep the most frequent classes in order, and merge the others into one row and column."""
    by_size = sorted(range(len(classes)), key=lambda number: -sum(counts[number]))
    kept = sorted(by_size[: CLASSES_DRAWN - 1])
    rest = [number for number in range(len(classes)) if number not in kept]

    def line(rows: Sequence[int]) -> list[int]:
        return [sum(counts[row][column] for row in rows) for column in kept] + [
            sum(counts[row][column] for row in rows for column in rest)
        ]

    return [*(classes[number] for number in kept), REST], [
        *(line([number]) for number in kept),
        line(rest),
    ]


def _describe_confusion(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    total, right = (
        sum(map(sum, counts)),
        sum(counts[number][number] for number in range(len(classes))),
    )
    mistakes = [
        (count, row, column)
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if row != column
    ]
    description = (
        f"{formatting.number(right)} of {formatting.number(total)} held-out rows are classified "
        "correctly"
    )
    count, row, column = max(mistakes, default=(0, 0, 0))
    return (
        (
            f"{description}; most frequent error: {classes[row]} predicted as {classes[column]}, "
            f"{formatting.number(count)} times."
        )
        if count
        else f"{description}."
    )


def chosen(plots: Mapping[str, object], name: str) -> list[tuple[str, Mapping[str, object]]]:
    """Return the entries of one plot by class: at most four, the most frequent classes first."""
    found = plots.get(name)
    entries = (
        [(str(entry.get("class")), entry) for entry in found if isinstance(entry, Mapping)]
        if isinstance(found, list)
        else []
    )
    if len(entries) > SERIES_MAX:
        order = classes_of(plots)
        entries.sort(key=lambda entry: order.index(entry[0]) if entry[0] in order else len(order))
    return entries[:SERIES_MAX]


def classes_of(plots: Mapping[str, object]) -> list[str]:
    """Classes that have a curve, the most frequent first."""
    found = plots.get("roc") or plots.get("precision_recall") or plots.get("calibration")
    names = (
        [str(entry.get("class")) for entry in found if isinstance(entry, Mapping)]
        if isinstance(found, list)
        else []
    )
    matrix = _matrix(plots.get("confusion"))
    size = {name: sum(row) for name, row in zip(*matrix, strict=True)} if matrix else {}
    return sorted(dict.fromkeys(names), key=lambda name: -size.get(name, 0))


def entry_of(plots: Mapping[str, object], name: str, label: str) -> Mapping[str, object] | None:
    """Return the entry of one class in one plot; None if the plot has none."""
    found = plots.get(name)
    entries = found if isinstance(found, list) else []
    return next(
        (
            entry
            for entry in entries
            if isinstance(entry, Mapping) and str(entry.get("class")) == label
        ),
        None,
    )


def roc(curves: Curves) -> Chart | None:
    """True positive rate against false positive rate."""

    def describe(
        name: str, _points: Sequence[tuple[float, float]], entry: Mapping[str, object]
    ) -> str:
        area = entry.get("auc")
        return f"{name}: AUC {figure(area)}" if isinstance(area, int | float) else name

    return _curves(
        curves,
        ("fpr", "false positive rate"),
        ("tpr", "true positive rate"),
        "ROC curves",
        describe,
        ideal=True,
    )


def precision_recall(curves: Curves) -> Chart | None:
    """Precision against recall."""

    def describe(
        name: str, points: Sequence[tuple[float, float]], _entry: Mapping[str, object]
    ) -> str:
        recall, precision = min(points, key=lambda point: abs(point[0] - 0.5))
        return f"{name}: precision {figure(precision)} at recall {figure(recall)}"

    return _curves(
        curves,
        ("recall", "recall"),
        ("precision", "precision"),
        "Precision-recall curves",
        describe,
    )


def calibration(curves: Curves) -> Chart | None:
    """Observed share against predicted probability; perfect calibration is the diagonal."""

    def describe(
        name: str, points: Sequence[tuple[float, float]], _entry: Mapping[str, object]
    ) -> str:
        predicted, observed = max(points, key=lambda point: abs(point[1] - point[0]))
        return f"{name}: largest gap at {figure(predicted)}, observed {figure(observed)}"

    return _curves(
        curves,
        ("predicted", "predicted probability"),
        ("observed", "observed share"),
        "Calibration",
        describe,
        ideal=True,
        corners=True,
    )


Describe = Callable[[str, Sequence[tuple[float, float]], Mapping[str, object]], str]


def _curves(
    curves: Curves,
    across: tuple[str, str],
    up: tuple[str, str],
    title: str,
    describe: Describe,
    *,
    ideal: bool = False,
    corners: bool = False,
) -> Chart | None:
    """Draw curves of shares from 0 to 1. `across`, `up`: (key of an entry, axis title)."""
    found = [
        (name, points, entry)
        for name, entry in curves[:SERIES_MAX]
        if (points := _points(entry, across[0], up[0]))
    ]
    if not found:
        return None
    names = [name for name, _, _ in found]
    y = scale([0.0, 1.0], _FLOOR, TOP, most=4)
    place = frame([label for _, label in y.ticks()], names)
    x = scale([0.0, 1.0], place.left, place.right, most=4)
    lines, ends = [], []
    for number, (_, points, _) in enumerate(found, start=1):
        places = [(x.at(one), y.at(two)) for one, two in points]
        lines.append(Line(number, path_of(places), places if corners else []))
        ends.append(max(places)[1])
    x_axis, y_axis = axes(x, across[1], y, up[1])
    return Chart(
        description=f"{title}. "
        f"{'; '.join(describe(name, points, entry) for name, points, entry in found)}.",
        x=x_axis,
        y=y_axis,
        left=place.left,
        right=place.right,
        floor=_FLOOR,
        lines=lines,
        labels=labels(names, ends, place),
        ideal=f"M{place.left} {_FLOOR}L{place.right} {TOP}" if ideal else "",
        numbers=numbers(
            ["Class", across[1].capitalize(), up[1].capitalize()],
            [[name, figure(one), figure(two)] for name, points, _ in found for one, two in points],
        ),
    )


def _points(entry: Mapping[str, object], across: str, up: str) -> list[tuple[float, float]]:
    ones, twos = finite(entry.get(across)), finite(entry.get(up))
    return list(zip(ones, twos, strict=False)) if ones and twos and len(ones) == len(twos) else []
