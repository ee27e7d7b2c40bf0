"""Axis scales: round ticks, tick labels, positions in pixels. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mimir.lib.json_values import is_number

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
MINUS = "\u2212"
LARGEST = 1e150
SMALLEST = 1e-290  # below it a difference is lost in rounding


def finite(values: object) -> list[float] | None:
    """Return the numbers of a list; None if any value cannot be placed on an axis."""
    if not isinstance(values, list | tuple):
        return None
    found = [number for value in values if (number := number_of(value)) is not None]
    return found if len(found) == len(values) else None


def number_of(value: object) -> float | None:
    """Return a number that is safe to square and subtract; None for anything else."""
    if not is_number(value):
        return None
    return float(value) if abs(value) <= LARGEST else None


def step_of(low: float, high: float, most: int) -> float:
    """Return a round tick distance, for at most `most` + 1 ticks from `low` to `high`."""
    rough = (high - low) / max(1, most)
    if not rough > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next((part * power for part in _STEPS if part * power >= rough * 0.999999), 10 * power)


@dataclass(frozen=True, slots=True)
class Scale:
    """Map values to pixels along one axis; `start` is the position of `low`."""

    low: float
    high: float
    step: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Position of a value, clamped to the axis."""
        part = (value - self.low) / (self.high - self.low)
        return round(self.start + min(1.0, max(0.0, part)) * (self.end - self.start), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return (position, label) of every tick."""
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        return [
            (self.at(number * self.step), label(number * self.step, self.step))
            for number in range(first, last + 1)
        ]


def scale(
    values: Iterable[float],
    start: float,
    end: float,
    *,
    most: int = 4,
    whole: bool = True,
    pad: float = 0.0,
) -> Scale:
    """Build a scale over `values`.

    `whole`: begin and end at round numbers. `pad`: margin at both ends, as a share. A single value
    gets a margin, too.
    """
    found = list(values)
    low, high = min(found), max(found)
    largest = max(abs(low), abs(high))
    if high - low <= max(largest * 1e-12, SMALLEST):
        margin = largest / 2 if largest > SMALLEST else 1.0
        low, high = low - margin, high + margin
    low, high = low - pad * (high - low), high + pad * (high - low)
    step = step_of(low, high, most)
    if whole:
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(low, high, step, start, end)


def label(value: float, step: float) -> str:
    """Format a tick with as many digits as its step needs."""
    if abs(value) < step / 1e6:
        return "0"
    size = max(abs(value), step)
    if size >= 1e15 or step < 1e-6:
        return f"{value:.3g}".replace("-", MINUS)
    for limit, unit in ((1e9, " bn"), (1e6, " M")):
        if step >= limit / 20 and size >= limit:
            return f"{value / limit:,.6g}{unit}".replace("-", MINUS)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    if digits < 12 and round(step * 10**digits) != round(
        step * 10**digits, 6
    ):  # a step of 2.5 needs one more digit
        digits += 1
    return f"{value:,.{digits}f}".replace("-", MINUS)


def figure(value: object) -> str:
    """Format a measured value with three significant digits, without trailing zeros."""
    if not is_number(value):
        return "missing"
    if isinstance(value, float) and not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if abs(value) > LARGEST:
        return f"beyond {LARGEST:.0e}"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e9 or size < 1e-4:
        return f"{value:.3g}".replace("-", MINUS)
    if size >= 1e7:
        return f"{value / 1e6:,.1f} M".replace("-", MINUS)
    if size >= 100:
        return f"{value:,.0f}".replace("-", MINUS)
    shown = f"{value:,.{2 - math.floor(math.log10(size))}f}"
    return shown.rstrip("0").rstrip(".").replace("-", MINUS)
