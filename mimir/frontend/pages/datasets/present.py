"""Present the columns of a dataset, with its profile if there is one. Pure."""

import math
import re
from collections.abc import Sequence
from typing import Any

from mimir.frontend import formatting
from mimir.frontend.api_types.dataset_shapes import (
    Column,
    ColumnProfile,
    DatasetProfile,
    PreviewRows,
)
from mimir.frontend.drawing import profiles
from mimir.frontend.drawing.scales import figure
from mimir.frontend.template_context import Context

CELL_CHARS_MAX = 300
NUMBERS_OF = 100  # columns whose bins and values are listed; more would make the page too large
_NUMBERS = re.compile(
    r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|REAL|DECIMAL.*", re.IGNORECASE
)  # as DuckDB names types
_MIDNIGHT = re.compile(r"\d{4}-\d\d-\d\d[T ]00:00:00(\.0+)?(Z|[+-]\d\d(:?\d\d)?)?")


def table(found: PreviewRows, profile: DatasetProfile | None) -> Context:
    """Present the first rows: columns with headers, and cells as text.

    Numbers are right-aligned.
    """
    known = _by_name(profile)
    row_count = profile["row_count"] if profile else 0
    columns = [
        {
            "name": formatting.visible(column["name"]),
            "type": formatting.visible(column["type"]).lower(),
            "right": is_number(str(column["type"])),
            "head": profiles.head(known[column["name"]], row_count)
            if column["name"] in known
            else None,
        }
        for column in found["columns"]
    ]
    rights = [bool(column["right"]) for column in columns]
    dates = [
        _pure_dates(column["type"], [row[at] for row in found["rows"]])
        for at, column in enumerate(found["columns"])
    ]
    rows = [
        [cell(value, *how) for value, *how in zip(row, rights, dates, strict=False)]
        for row in found["rows"]
    ]
    return {"columns": columns, "rows": rows, "truncated": found["truncated"]}


def listed(schema: Sequence[Column], profile: DatasetProfile | None) -> list[Context]:
    """Present every column in a row, with its statistics."""
    known = _by_name(profile)
    row_count = profile["row_count"] if profile else 0
    rows = []
    for number, column in enumerate(schema):
        found = known.get(column["name"])
        rows.append(
            {
                "name": column["name"],
                "type": str(column["type"]).lower(),
                "profile": _facts(found, row_count) if found else None,
                "numbers": _numbers(found) if found and number < NUMBERS_OF else [],
            }
        )
    return rows


def is_number(kind: str) -> bool:
    """Whether a DuckDB type is numeric."""
    return _NUMBERS.fullmatch(kind) is not None


def _by_name(profile: DatasetProfile | None) -> dict[str, ColumnProfile]:
    return {column["name"]: column for column in profile["columns"]} if profile else {}


def _facts(column: ColumnProfile, row_count: int) -> dict[str, str]:
    """Format statistics; empty if not computed."""
    missing = column.get("missing")
    return {
        "missing": ""
        if missing is None
        else f"{formatting.number(missing)} ({profiles.share(missing, row_count)})"
        if missing
        else "none",
        "distinct": formatting.number(column.get("distinct")),
        "min": profiles.value_of(column.get("min")),
        "max": profiles.value_of(column.get("max")),
        "mean": figure(column["mean"]) if isinstance(column.get("mean"), int | float) else "",
        "std": figure(column["std"]) if isinstance(column.get("std"), int | float) else "",
    }


def _numbers(column: ColumnProfile) -> list[tuple[str, str]]:
    """Return (bin or value, rows) of the plot in the column header."""
    bins = profiles.bins_of(column)
    if bins:
        return [
            (low if low == high else f"{low} to {high}", formatting.number(round(count)))
            for low, high, count in bins
        ]
    return [
        (profiles.value_of(row["value"]) or "empty", formatting.number(row["count"]))
        for row in column.get("top") or []
    ]


def _pure_dates(kind: str, values: Sequence[Any]) -> bool:
    """Whether all shown timestamps are at midnight; their time is hidden then."""
    shown = [value for value in values if value is not None]
    return (
        str(kind).upper().startswith("TIMESTAMP")
        and bool(shown)
        and all(_MIDNIGHT.fullmatch(str(value)) for value in shown)
    )


def cell(value: Any, right: bool, pure_date: bool = False) -> Context:
    """Present one cell: text, null, right-aligned, and `whole` if it was cut or rounded."""
    if value is None:
        return {"text": "missing", "null": True, "right": right, "whole": ""}
    if pure_date or isinstance(value, float):
        whole = formatting.visible(value)
        short = (
            whole[:10]
            if pure_date
            else formatting.rounded(value)
            if math.isfinite(value)
            else whole
        )
        return {
            "text": short,
            "null": False,
            "right": right,
            "whole": whole if short != whole.removesuffix(".0") else "",
        }
    shown = (
        ("true" if value else "false")
        if isinstance(value, bool)
        else formatting.visible(value).replace("\n", "\u240a").replace("\t", "\u2409")
    )
    cut = len(shown) > CELL_CHARS_MAX
    return {
        "text": shown[:CELL_CHARS_MAX] + ("…" if cut else ""),
        "null": False,
        "right": right,
        "whole": shown[:4000] if cut else "",
    }
