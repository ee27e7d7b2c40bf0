"""Amounts, durations and times in text for users. Pure."""

import datetime as dt

_MEMORY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def memory_text(size_bytes: float) -> str:
    """Format memory with three digits, in binary units like those of limits: `4 GiB`, `380 MiB`."""
    amount = float(size_bytes)
    for unit in _MEMORY_UNITS[:-1]:
        if abs(amount) < 999.5:
            digits = ".0f" if unit == "B" or amount >= 100 else ".3g"
            return f"{amount:{digits}} {unit}"
        amount /= 1024
    return f"{amount:.3g} {_MEMORY_UNITS[-1]}"


def duration_text(seconds: float, *, precise: bool = False) -> str:
    """Format a duration: `12 s`, `1 min 06 s`, `2 h 05 min`.

    By default, for limits: whole seconds, rounded down, and no unit above hours. `precise`, for
    measured durations: with `38 ms` and `4.2 s` for short ones, and days from 48 h.
    """
    if precise and seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if precise and seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds) if precise else int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // 60, 60)
    if precise and hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {rest:02d} min" if rest else f"{hours} h"


def about_text(seconds: float) -> str:
    """Format an estimate with no more precision than it has: `40 s`, `12 min`, `3 h`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.0f} h"


def time_text(at: dt.datetime, now: dt.datetime) -> str:
    """Format a time of day in UTC, with its date unless that is today."""
    return f"{at:%H:%M:%S} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"
