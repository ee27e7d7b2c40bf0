"""Compare the metrics of a model version with the baseline and another version. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mimir.frontend.api_types.model_shapes import ModelVersion
from mimir.frontend.drawing.scales import MINUS, figure, number_of
from mimir.frontend.template_context import Context
from mimir.lib.schemas.metrics import METRICS, Metric

# Metrics for the one-sentence verdict. R² is not among them: it already compares with the mean.
JUDGED = ("root_mean_squared_error", "accuracy")
OK, BAD, EVEN = (
    "ok",
    "failed",
    "",
)  # tones (CSS classes); the text says the same without colour


@dataclass(frozen=True, slots=True)
class Verdict:
    """Short text and its tone."""

    text: str
    tone: str = EVEN


def ordered(*found: Mapping[str, object]) -> list[str]:
    """Names of all metrics: main ones first, other known ones, then unknown ones."""
    names = {name for metrics in found for name in metrics}
    known = dict.fromkeys([*JUDGED, *METRICS])
    return [name for name in known if name in names] + sorted(names - known.keys())


def title_of(name: str) -> str:
    """Title of a metric; an unknown metric keeps its name."""
    return METRICS[name].title if name in METRICS else name


def main_of(version: ModelVersion) -> str:
    """Main metric of a version; empty if it has no known one."""
    return next(
        (
            name
            for name in ordered(version["metrics"])
            if name in METRICS and number_of(version["metrics"][name]) is not None
        ),
        "",
    )


def against_baseline(name: str, value: object, baseline: object) -> Verdict | None:
    """Compare with the baseline: `63 % better than the baseline`.

    None if a value is missing or the metric is unknown.
    """
    metric, one, two = METRICS.get(name), number_of(value), number_of(baseline)
    if metric is None or one is None or two is None:
        return None
    if metric.higher_is_better:
        return _above(one, two)
    if two <= 0:
        return (
            Verdict("as good as the baseline")
            if one <= two
            else Verdict("worse than the baseline, which has no error", BAD)
        )
    part = 1 - one / two
    if abs(part) < 0.005:
        return Verdict("no better than the baseline")
    if part <= -1:
        return Verdict(f"{figure(one / two)} times the error of the baseline", BAD)
    return Verdict(
        f"{abs(part) * 100:.0f} % {'better' if part > 0 else 'worse'} than the baseline",
        OK if part > 0 else BAD,
    )


def _above(value: float, baseline: float) -> Verdict:
    if abs(value - baseline) < 0.0005:
        return Verdict("no better than the baseline")
    higher = value > baseline
    return Verdict(
        f"{_apart(value, baseline)} {'above' if higher else 'below'} the baseline",
        OK if higher else BAD,
    )


def against_version(name: str, value: object, before: object) -> Verdict | None:
    """Compare with another version: `−35 better`; None without both values."""
    metric, one, two = METRICS.get(name), number_of(value), number_of(before)
    if metric is None or one is None or two is None:
        return None
    if figure(one) == figure(two):
        return Verdict("the same")
    sign = "+" if one > two else MINUS
    good = better(metric, one, two)
    return Verdict(f"{sign}{_apart(one, two)} {'better' if good else 'worse'}", OK if good else BAD)


def better(metric: Metric, one: float, two: float) -> bool:
    """Whether the first value is better."""
    return one > two if metric.higher_is_better else one < two


def best_of(name: str, values: Sequence[object]) -> int | None:
    """Index of the best value; None if there is no single best one."""
    metric = METRICS.get(name)
    numbers = [number_of(value) for value in values]
    if metric is None or any(value is None for value in numbers) or len(numbers) < 2:
        return None
    found = sorted(
        ((value, place) for place, value in enumerate(numbers) if value is not None),
        reverse=metric.higher_is_better,
    )
    return None if figure(found[0][0]) == figure(found[1][0]) else found[0][1]


def comparable(one: ModelVersion, two: ModelVersion) -> bool:
    """Whether two versions have the same task and target."""
    return bool(one["task"] == two["task"] and one["target"] == two["target"])


def figures(version: ModelVersion, before: ModelVersion | None) -> list[Context]:
    """List every metric with the baseline's and, if comparable, the previous version's value."""
    known = before if before and comparable(version, before) else None
    rows = []
    for name in ordered(version["metrics"]):
        value, baseline = version["metrics"][name], version["baseline"].get(name)
        old = known["metrics"].get(name) if known else None
        rows.append(
            {
                "title": title_of(name),
                "description": METRICS[name].description if name in METRICS else "",
                "value": figure(value),
                "baseline": figure(baseline) if number_of(baseline) is not None else "",
                "before": figure(old) if number_of(old) is not None else "",
                "verdict": against_baseline(name, value, baseline),
                "change": against_version(name, value, old),
            }
        )
    return rows


def verdict(version: ModelVersion) -> Verdict | None:
    """Compare the main metric of a version with the baseline."""
    name = main_of(version)
    return (
        against_baseline(name, version["metrics"].get(name), version["baseline"].get(name))
        if name
        else None
    )


def _apart(one: float, two: float) -> str:
    """Difference, with the precision of the shown values."""
    return (
        figure(abs(float(f"{one:.3g}") - float(f"{two:.3g}")))
        if max(abs(one), abs(two)) < 100
        else figure(abs(one - two))
    )
