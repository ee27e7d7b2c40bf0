"""What the metrics of a model version say in words: against the baseline, and against another version. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mimir.frontend.drawing.scales import MINUS, figure, number_of
from mimir.lib.schemas.metrics import METRICS, Metric

# What a version is judged by in one sentence: how far off it is, or how often right. A share of variance says nothing beside a baseline.
JUDGED = ("root_mean_squared_error", "accuracy")
OK, BAD, EVEN = (
    "ok",
    "failed",
    "",
)  # the tone of a sentence: a class of its colour, which is never all that says it
Version = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A few words and their tone."""

    text: str
    tone: str = EVEN


def ordered(*found: Mapping[str, Any]) -> list[str]:
    """The names of all metrics in any of these: what is judged by, the others we know in their order, what we do not know."""
    names = {name for metrics in found for name in metrics}
    known = dict.fromkeys([*JUDGED, *METRICS])
    return [name for name in known if name in names] + sorted(names - known.keys())


def title_of(name: str) -> str:
    """A metric's title; one we do not know keeps its name."""
    return METRICS[name].title if name in METRICS else name


def main_of(version: Version) -> str:
    """The metric a version is judged by; empty when it has none that we know."""
    return next(
        (
            name
            for name in ordered(version["metrics"])
            if name in METRICS and number_of(version["metrics"][name]) is not None
        ),
        "",
    )


def against_baseline(name: str, value: object, baseline: object) -> Verdict | None:
    """`63 % better than the baseline`; None where one of them is missing or nobody knows which way is better."""
    metric, one, two = METRICS.get(name), number_of(value), number_of(baseline)
    if metric is None or one is None or two is None:
        return None
    if metric.higher_is_better:
        return _above(one, two)
    if two <= 0:
        return (
            Verdict("as good as the baseline")
            if one <= two
            else Verdict("worse than the baseline, which is never wrong", BAD)
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
    """`−35 better`; None where there is nothing to compare."""
    metric, one, two = METRICS.get(name), number_of(value), number_of(before)
    if metric is None or one is None or two is None:
        return None
    if figure(one) == figure(two):
        return Verdict("the same")
    sign = "+" if one > two else MINUS
    good = better(metric, one, two)
    return Verdict(f"{sign}{_apart(one, two)} {'better' if good else 'worse'}", OK if good else BAD)


def better(metric: Metric, one: float, two: float) -> bool:
    """Whether the first of two values is the better one."""
    return one > two if metric.higher_is_better else one < two


def best_of(name: str, values: Sequence[object]) -> int | None:
    """The place of the best of several values; None when no one is better than all others."""
    metric = METRICS.get(name)
    numbers = [number_of(value) for value in values]
    if metric is None or any(value is None for value in numbers) or len(numbers) < 2:
        return None
    found = sorted(
        ((value, place) for place, value in enumerate(numbers) if value is not None),
        reverse=metric.higher_is_better,
    )
    return None if figure(found[0][0]) == figure(found[1][0]) else found[0][1]


def comparable(one: Version, two: Version) -> bool:
    """Whether the metrics of two versions speak of the same thing."""
    return bool(one["task"] == two["task"] and one["target"] == two["target"])


def figures(version: Version, before: Version | None) -> list[dict[str, Any]]:
    """Every metric of a version with the baseline's and, where it compares, that of the version before."""
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


def verdict(version: Version) -> Verdict | None:
    """The one sentence about a version, by its main metric."""
    name = main_of(version)
    return (
        against_baseline(name, version["metrics"].get(name), version["baseline"].get(name))
        if name
        else None
    )


def _apart(one: float, two: float) -> str:
    """The difference, as exact as the two values are shown."""
    return (
        figure(abs(float(f"{one:.3g}") - float(f"{two:.3g}")))
        if max(abs(one), abs(two)) < 100
        else figure(abs(one - two))
    )
