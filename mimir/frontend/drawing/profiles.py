"""Header of a dataset column: a small plot of its values and two or three short lines. Pure.

`column` is an entry of a profile (parts can be missing), `row_count` the number of rows.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mimir.frontend import formatting
from mimir.frontend.drawing.scales import figure, finite

WIDTH, HEIGHT = 132, 34
TOP_SHOWN = 3
_TOP_ROW, _TOP_THICK = 12, 9


@dataclass(frozen=True, slots=True)
class Head:
    """Column header.

    `bars`: (x, y, width, height); `tracks`: the full length of each bar; `lines`: text below.
    """

    description: str
    bars: list[tuple[float, float, float, float]]
    tracks: list[tuple[float, float, float, float]]
    lines: list[str]
    missing: str


def head(column: Mapping[str, object], row_count: int) -> Head:
    """Build the header of one column."""
    missing = _missing(column.get("missing"), row_count)
    top = _top(column.get("top"))
    bins = bins_of(column)
    span = span_of(column)
    mean = f"mean {figure(column['mean'])}" if isinstance(column.get("mean"), int | float) else ""
    if bins:
        counts = [count for _, _, count in bins]
        lines = [line for line in (span, mean) if line] if mean else _ends(column)
        return Head(
            f"Histogram of {len(counts)} bins. {', '.join(lines)}.",
            _columns(counts),
            [],
            lines,
            missing,
        )
    if top and _all_different(column, row_count):
        return Head(
            "All values are distinct.",
            [],
            [],
            ["all distinct", *([span] if span else [])],
            missing,
        )
    if top:
        lines = _top_lines(top, column.get("distinct"), row_count)
        most = max(count for _, count in top)
        rows = [
            (0.0, float(1 + number * _TOP_ROW), round(count / most * WIDTH, 1), float(_TOP_THICK))
            for number, (_, count) in enumerate(top[:TOP_SHOWN])
        ]
        return Head(
            f"Most frequent: {', '.join(lines)}.",
            rows,
            [(x, y, float(WIDTH), high) for x, y, _, high in rows],
            lines,
            missing,
        )
    lines = [line for line in (span, _distinct(column.get("distinct"))) if line]
    return Head(f"{', '.join(lines)}." if lines else "", [], [], lines, missing)


def _all_different(column: Mapping[str, object], row_count: int) -> bool:
    """Whether no value occurs twice, as in an identifier column without frequent values."""
    distinct, missing = column.get("distinct"), column.get("missing")
    filled = row_count - (missing if isinstance(missing, int) else 0)
    counts = [count for _, count in _top(column.get("top"))]
    return (
        isinstance(distinct, int)
        and filled > 1
        and distinct >= filled
        and max(counts, default=0) == 1
    )


def _ends(column: Mapping[str, object]) -> list[str]:
    """Split a range of times over two lines: side by side they are wider than a column."""
    low, high = value_of(column.get("min")), value_of(column.get("max"))
    return [f"{low} to", high] if low != high else [line for line in (low,) if line]


def bins_of(column: Mapping[str, object]) -> list[tuple[str, str, float]]:
    """Return (from, to, rows) of each histogram bin, edges as text; empty without a histogram."""
    found = column.get("histogram")
    counts = finite(found.get("counts")) if isinstance(found, Mapping) else None
    edges = found.get("edges") if isinstance(found, Mapping) else None
    if (
        not counts
        or not isinstance(edges, list)
        or len(edges) != len(counts) + 1
        or max(counts) <= 0
    ):
        return []
    return [
        (value_of(low), value_of(high), count)
        for (low, high), count in zip(pairwise(edges), counts, strict=True)
    ]


def span_of(column: Mapping[str, object]) -> str:
    """Format min and max; empty if there are none."""
    low, high = value_of(column.get("min")), value_of(column.get("max"))
    if not low and not high:
        return ""
    return low if low == high else f"{low} to {high}"


def value_of(value: object) -> str:
    """Format one value of a profile: a number, a time (at midnight only the date), or text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return figure(value)
    shown = formatting.visible(value)
    try:
        at = dt.datetime.fromisoformat(shown)
    except ValueError:
        return shown
    return f"{at:%Y-%m-%d}" if at.time() == dt.time() else f"{at:%Y-%m-%d %H:%M}"


def share(count: float, total: int) -> str:
    """Format a share: 44 %. A nonzero share is never shown as 0 %."""
    if total <= 0:
        return "0 %"
    part = count / total * 100
    if 0 < part < 0.1:
        return "< 0.1 %"
    return f"{part:.1f} %" if part < 10 and round(part, 1) != round(part) else f"{part:.0f} %"


def _missing(count: object, row_count: int) -> str:
    if not isinstance(count, int) or isinstance(count, bool) or count <= 0:
        return ""
    return f"{formatting.number(count)} missing ({share(count, row_count)})"


def _columns(counts: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """Build a bar for each bin. A bin with any row is visible."""
    wide, most = WIDTH / len(counts), max(counts)
    gap = 1.0 if wide > 3 else 0.0
    bars = []
    for number, count in enumerate(counts):
        high = max(1.0, round(count / most * (HEIGHT - 1), 1)) if count > 0 else 0.0
        bars.append(
            (round(number * wide + gap / 2, 1), round(HEIGHT - high, 1), round(wide - gap, 1), high)
        )
    return bars


def _top(rows: object) -> list[tuple[str, int]]:
    if not isinstance(rows, list):
        return []
    return [
        (value_of(row.get("value")), row["count"])
        for row in rows
        if isinstance(row, Mapping) and isinstance(row.get("count"), int) and row["count"] > 0
    ]


def _top_lines(top: Sequence[tuple[str, int]], distinct: object, row_count: int) -> list[str]:
    named = [f"{_cut(value)} {share(count, row_count)}" for value, count in top[:2]]
    more = distinct - len(named) if isinstance(distinct, int) else 0
    return [", ".join(named), *([f"{formatting.number(more)} more"] if more > 0 else [])]


def _cut(value: str) -> str:
    shown = value if value else "empty"
    return shown if len(shown) <= 14 else f"{shown[:13]}\u2026"


def _distinct(count: object) -> str:
    if not isinstance(count, int) or isinstance(count, bool):
        return ""
    return f"{formatting.number(count)} distinct value" + ("" if count == 1 else "s")
