"""Plots of a regression: predicted against actual values, and residuals. Pure.

`plots` is the API's data of a model version. Several versions are drawn over each other.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from mimir.frontend import formatting
from mimir.frontend.drawing.charts import (
    BOTTOM,
    HEIGHT,
    SERIES_MAX,
    TOP,
    Bar,
    Chart,
    Line,
    Marks,
    axes,
    crosses,
    frame,
    labels,
    numbers,
    path_of,
)
from mimir.frontend.drawing.scales import figure, finite, scale

Named = Sequence[tuple[str, Mapping[str, object]]]  # (name of the series, plots)
_FLOOR = HEIGHT - BOTTOM


def predicted_actual(versions: Named) -> Chart | None:
    """Draw a point for each held-out row; exact predictions lie on the diagonal."""
    found = [
        (name, pairs)
        for name, plots in versions[:SERIES_MAX]
        if (pairs := _pairs(plots.get("predicted_actual")))
    ]
    if not found:
        return None
    several = len(found) > 1
    every = [value for _, pairs in found for pair in pairs for value in pair]
    names = [name for name, _ in found] if several else []
    y = scale(every, _FLOOR, TOP, most=5, whole=False, pad=0.03)
    place = frame([label for _, label in y.ticks()], names)
    x = scale(every, place.left, place.right, most=5, whole=False, pad=0.03)
    marks = []
    for number, (_, pairs) in enumerate(found, start=1):
        points = [(x.at(actual), y.at(predicted)) for actual, predicted in pairs]
        marks.append(
            Marks(number, [] if number > 1 else points, crosses(points) if number > 1 else "")
        )
    rows = [
        [*([name] if several else []), figure(actual), figure(predicted)]
        for name, pairs in found
        for actual, predicted in pairs
    ]
    x_axis, y_axis = axes(x, "actual", y, "predicted")
    return Chart(
        description=" ".join(
            _describe_pairs(name if several else "", pairs) for name, pairs in found
        ),
        x=x_axis,
        y=y_axis,
        left=place.left,
        right=place.right,
        floor=_FLOOR,
        marks=marks,
        labels=labels(names, [TOP] * len(names), place, marks=True),
        ideal=f"M{place.left} {_FLOOR}L{place.right} {TOP}",
        numbers=numbers([*(["Version"] if several else []), "Actual", "Predicted"], rows),
    )


def _pairs(plot: object) -> list[tuple[float, float]]:
    if not isinstance(plot, Mapping):
        return []
    actual, predicted = finite(plot.get("actual")), finite(plot.get("predicted"))
    return (
        list(zip(actual, predicted, strict=False))
        if actual and predicted and len(actual) == len(predicted)
        else []
    )


def _describe_pairs(name: str, pairs: Sequence[tuple[float, float]]) -> str:
    off = median(abs(predicted - actual) for actual, predicted in pairs)
    who = f"{name}: predicted" if name else "Predicted"
    rows = f"{formatting.number(len(pairs))} held-out row" + ("" if len(pairs) == 1 else "s")
    return f"{who} against actual values of {rows}; median absolute error {figure(off)}."


def residuals(versions: Named) -> Chart | None:
    """Draw a histogram of the residuals of held-out rows.

    Several versions: shares of rows as outlines, because their bins differ.
    """
    found = [
        (name, bins)
        for name, plots in versions[:SERIES_MAX]
        if (bins := histogram_of(plots.get("residuals")))
    ]
    if not found:
        return None
    return _bars(found[0][1]) if len(found) == 1 else _outlines(found)


Bins = tuple[list[float], list[float]]  # (edges, counts); one more edge than counts


def histogram_of(plot: object) -> Bins | None:
    """Return increasing edges and a count for each bin; None if the data is invalid."""
    if not isinstance(plot, Mapping):
        return None
    edges, counts = finite(plot.get("edges")), finite(plot.get("counts"))
    if (
        not edges
        or not counts
        or len(edges) != len(counts) + 1
        or any(one >= two for one, two in pairwise(edges))
        or sum(counts) <= 0
    ):
        return None
    return edges, counts


def _bars(bins: Bins) -> Chart:
    edges, counts = bins
    y = scale([0.0, *counts], _FLOOR, TOP)
    place = frame([label for _, label in y.ticks()])
    x = scale(edges, place.left, place.right, most=6, whole=False)
    bars = []
    for (low, high), count in zip(pairwise(edges), counts, strict=True):
        left, right = x.at(low), x.at(high)
        description = f"{figure(low)} to {figure(high)}: {formatting.number(round(count))}"
        bars.append(
            Bar(
                round(left + 0.75, 1),
                y.at(count),
                round(max(0.5, right - left - 1.5), 1),
                round(_FLOOR - y.at(count), 1),
                description,
            )
        )
    x_axis, y_axis = axes(x, "actual minus predicted", y, "held-out rows")
    rows = [
        [figure(low), figure(high), formatting.number(round(count))]
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
    ]
    description = _describe_bins("", bins)
    return Chart(
        description,
        x_axis,
        y_axis,
        place.left,
        place.right,
        _FLOOR,
        numbers(["From", "To", "Rows"], rows),
        bars=bars,
    )


def _outlines(found: Sequence[tuple[str, Bins]]) -> Chart:
    shares = [(name, edges, _densities(edges, counts)) for name, (edges, counts) in found]
    names = [name for name, _, _ in shares]
    y = scale([0.0, *(share for _, _, densities in shares for share in densities)], _FLOOR, TOP)
    place = frame(["0"], names)
    x = scale(
        [edge for _, edges, _ in shares for edge in edges],
        place.left,
        place.right,
        most=6,
        whole=False,
    )
    lines = []
    for number, (_, edges, densities) in enumerate(shares, start=1):
        corners = [(x.at(edges[0]), float(_FLOOR))]
        for (low, high), share in zip(pairwise(edges), densities, strict=True):
            corners += [(x.at(low), y.at(share)), (x.at(high), y.at(share))]
        lines.append(Line(number, path_of([*corners, (x.at(edges[-1]), float(_FLOOR))])))
    x_axis, y_axis = axes(x, "actual minus predicted", y, "share of the held-out rows")
    rows = [
        [name, figure(low), figure(high), formatting.number(round(count))]
        for name, (edges, counts) in found
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
    ]
    return Chart(
        description=" ".join(_describe_bins(name, bins) for name, bins in found),
        x=x_axis,
        y=type(y_axis)(y_axis.title, [(float(_FLOOR), "0")]),
        left=place.left,
        right=place.right,
        floor=_FLOOR,
        lines=lines,
        labels=labels(names, [TOP] * len(names), place),
        numbers=numbers(["Version", "From", "To", "Rows"], rows),
    )


def _densities(edges: Sequence[float], counts: Sequence[float]) -> list[float]:
    """Share of rows per unit of error, comparable between bins of different width."""
    total = sum(counts)
    return [
        count / total / (high - low)
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
    ]


def _describe_bins(name: str, bins: Bins) -> str:
    edges, counts = bins
    total, most = sum(counts), max(range(len(counts)), key=lambda number: counts[number])
    who = f"{name}: errors" if name else "Errors"
    return (
        f"{who} of {formatting.number(round(total))} held-out rows, from {figure(edges[0])} to "
        f"{figure(edges[-1])}; "
        f"most of them, {formatting.number(round(counts[most]))}, between {figure(edges[most])} "
        f"and {figure(edges[most + 1])}."
    )
