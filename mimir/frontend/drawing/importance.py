"""Feature importance: a bar for each feature. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mimir.frontend.drawing.charts import SERIES_MAX, Numbers, numbers, shortened
from mimir.frontend.drawing.scales import figure, finite

WIDTH, ROW, THICK, GAP = 460, 30, 12, 5
SHOWN = 12
_CHARACTER, _VALUE_WIDTH = 6.6, 62


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature, with a bar for each version."""

    name: str
    whole: str
    y: float
    bars: list[tuple[int, float, float, float, str]]  # (series, top, width, thickness, value)


@dataclass(frozen=True, slots=True)
class Bars:
    """Whole plot. `omitted`: number of less important features that are not drawn."""

    description: str
    width: int
    height: int
    left: float
    plot_width: float
    features: list[Feature]
    names: list[str]
    omitted: int
    numbers: Numbers


def importance(versions: Sequence[tuple[str, object]]) -> Bars | None:
    """Draw the importance of features; None without any value.

    `versions`: (series name, [{"feature", "value"}]). Features are sorted by descending importance
    in the first version that has them.
    """
    found = [(name, values) for name, rows in versions[:SERIES_MAX] if (values := _values(rows))]
    if not found:
        return None
    every = _features(found)
    shown = every[:SHOWN]
    top = max(max(values.values()) for _, values in found)
    left = round(16 + max(len(shortened(feature)) for feature in shown) * _CHARACTER)
    plot_width = WIDTH - left - _VALUE_WIDTH
    thick = THICK if len(found) == 1 else 8
    row = max(ROW, len(found) * (thick + GAP) + 8)

    def bars(number: int, feature: str) -> list[tuple[int, float, float, float, str]]:
        return [
            _bar(
                series,
                values.get(feature),
                top,
                plot_width,
                number * row + _offset(series, len(found), thick, row),
                thick,
            )
            for series, (_, values) in enumerate(found, start=1)
        ]

    features = [
        Feature(shortened(feature), feature, number * row + row / 2, bars(number, feature))
        for number, feature in enumerate(shown)
    ]
    several = len(found) > 1
    return Bars(
        description=" ".join(_describe(name if several else "", values) for name, values in found),
        width=WIDTH,
        height=row * len(shown) + 6,
        left=left,
        plot_width=plot_width,
        features=features,
        names=[name for name, _ in found] if several else [],
        omitted=len(every) - len(shown),
        numbers=numbers(
            ["Feature", *([name for name, _ in found] if several else ["Importance"])],
            [[feature, *_cells(feature, found)] for feature in every],
        ),
    )


def _features(found: Sequence[tuple[str, dict[str, float]]]) -> list[str]:
    """Every feature once, in the order of the first series that has it."""
    return list(
        dict.fromkeys(
            feature
            for _, values in found
            for feature in sorted(values, key=lambda one: -values[one])
        )
    )


def _cells(feature: str, found: Sequence[tuple[str, dict[str, float]]]) -> list[str]:
    return [figure(values[feature]) if feature in values else "not used" for _, values in found]


def _values(rows: object) -> dict[str, float]:
    if not isinstance(rows, list):
        return {}
    pairs = [
        (str(row.get("feature")), finite([row.get("value")]))
        for row in rows
        if isinstance(row, Mapping)
    ]
    return {name: value[0] for name, value in pairs if value}


def _offset(series: int, count: int, thick: int, row: float) -> float:
    return round((row - count * thick - (count - 1) * GAP) / 2 + (series - 1) * (thick + GAP), 1)


def _bar(
    series: int, value: float | None, top: float, plot_width: float, y: float, thick: int
) -> tuple[int, float, float, float, str]:
    """Build one bar. A value at or below 0 has no length; its number shows it."""
    width = round(max(0.0, value) / top * plot_width, 1) if value is not None and top > 0 else 0.0
    return series, round(y, 1), width, thick, figure(value) if value is not None else "not used"


def _describe(name: str, values: Mapping[str, float]) -> str:
    order = sorted(values, key=lambda one: -values[one])
    listed = ", ".join(f"{feature} {figure(values[feature])}" for feature in order[:6])
    more = f" and {len(order) - 6} more" if len(order) > 6 else ""
    return f"{f'{name}: importance' if name else 'Importance'} of the features: {listed}{more}."
