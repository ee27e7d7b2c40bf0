"""Percentiles, and their table rows."""

import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value below which `percent` (1 to 99) of the values lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def row(name: str, seconds: Sequence[float], note: str = "") -> None:
    """Print p10, p50 and p90 of durations, in milliseconds."""
    shown = "".join(f"{percentile(seconds, percent) * 1000:9.1f}" for percent in (10, 50, 90))
    print(f"  {name:<52}{shown}  {note}".rstrip(), flush=True)


def head(title: str) -> None:
    """Print the heading of the following rows."""
    print(f"\n{title}\n  {'milliseconds':<52}{'p10':>9}{'p50':>9}{'p90':>9}", flush=True)


def verdict(value: float, limit: float) -> str:
    """Return whether a value is within its limit, both in seconds."""
    return f"{'ok' if value <= limit else 'OVER'}: at most {limit * 1000:.0f} ms"
