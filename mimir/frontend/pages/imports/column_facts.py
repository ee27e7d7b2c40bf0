"""Short line below a column's type: range or number of distinct values. Pure."""

import datetime as dt
from typing import Any

from mimir.frontend import formatting
from mimir.frontend.api_types.upload_shapes import ReadColumn

_DAYS = ("DATE", "TIMESTAMP")  # prefixes of the types that have a day


def fact_line(column: ReadColumn, row_count: int) -> str:
    """Format a line such as `31,000 to 31,396 · 1.2 % missing`; empty if nothing is known."""
    missing = column.get("missing")
    if missing is None or missing == row_count:
        return ""
    parts = [
        part
        for part in (_values(column, row_count - missing), _missing(missing, row_count))
        if part
    ]
    return " · ".join(parts)


def _values(column: ReadColumn, values: int) -> str:
    low, high, distinct = column.get("min"), column.get("max"), column.get("distinct")
    if low is not None and high is not None:
        first, last = _ends(str(column["type"]), low, high)
        return f"only {first}" if low == high else f"{first} to {last}"
    if distinct is None:
        return ""
    if distinct == 1:
        return "one value"
    return "all distinct" if distinct == values else f"{formatting.number(distinct)} distinct"


def _ends(kind: str, low: Any, high: Any) -> tuple[str, str]:
    if not isinstance(low, str):
        return _figure(low), _figure(high)
    if kind.startswith(_DAYS) and low[:10] != high[:10]:
        return _day(low), _day(high)
    if kind.startswith(_DAYS) and len(low) > 10 and low != high:
        return f"{_day(low)}, {low[11:16]}", high[11:16]
    return low.removesuffix("+00"), high.removesuffix("+00")


def _figure(value: float) -> str:
    """Format with thousands separators: six significant digits, one decimal from a million."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}".removesuffix(".0") if 1e6 <= abs(value) < 1e15 else f"{value:,.6g}"


def _day(value: str) -> str:
    """Format a day as `3 Jan 2025`; an invalid day (year 0, infinity) unchanged."""
    try:
        day = dt.date.fromisoformat(value[:10])
    except ValueError:
        return value
    return f"{day.day} {day:%b} {day.year}"


def _missing(missing: int, row_count: int) -> str:
    """Format the missing share; 0 % and 100 % only if exact."""
    share = 100 * missing / row_count
    if not missing:
        return ""
    if share < 0.1:
        return f"{formatting.number(missing)} missing"
    return f"{int(share * 10) / 10:.1f} % missing" if share < 10 else f"{int(share)} % missing"
