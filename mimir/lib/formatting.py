"""Amounts and times as they stand in sentences for people. Pure."""

import datetime as dt


def memory_text(size_bytes: float) -> str:
    """Memory, three digits in the units that limits are given in: `4 GiB`, `380 MiB`."""
    amount = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.3g} TiB"


def duration_text(seconds: float) -> str:
    """A duration: `12 s`, `1 min 06 s`, `2 h 05 min`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // 60, 60)
    return f"{hours} h {rest:02d} min" if rest else f"{hours} h"


def time_text(at: dt.datetime, now: dt.datetime) -> str:
    """A time of day in UTC; with its date where that is not today's."""
    return f"{at:%H:%M:%S} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def told_never(waiting: str) -> str:
    """What a sentence of who waits says once it has waited in vain: `Waiting: no node has …`, `Never started: no node has …`."""
    for waits, never in (
        ("Waiting: ", "Never started: "),
        ("Waiting for ", "Never started, for want of "),
    ):
        if waiting.startswith(waits):
            return never + waiting.removeprefix(waits)
    return waiting
