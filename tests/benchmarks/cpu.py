"""CPU time of an installation's processes.

It explains a rate, and varies less than the rate on a shared machine (up to half).
"""

import time
from collections.abc import Mapping

import psutil

from tests.support.stack import Stack

PROCESSES = ("web", "dispatcher", "reconciler", "postgres", "valkey")
Seconds = Mapping[str, float]


def cpu_seconds(stack: Stack, **others: int) -> dict[str, float]:
    """Return the CPU seconds used so far, by name.

    `others` are further processes by their pid; `client` is this process.
    """
    pids = {**{name: pid for name in PROCESSES for pid in stack.pids(name)[:1]}, **others}
    return {
        **{name: _used(psutil.Process(pid)) for name, pid in pids.items()},
        "client": time.process_time(),
    }


def cpu_shown(before: Seconds, after: Seconds, count: int) -> str:
    """Return milliseconds per item by name, the largest first, without negligible ones."""
    each = {
        name: (after[name] - seconds) / count * 1000
        for name, seconds in before.items()
        if name in after
    }
    summary = ", ".join(
        f"{name} {spent:.2f}"
        for name, spent in sorted(each.items(), key=lambda pair: -pair[1])
        if spent >= 0.02
    )
    return f"{sum(each.values()):.2f} ms of CPU each: {summary}"


def _used(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and its children, including ended ones.

    PostgreSQL has one child per connection.
    """
    own = process.cpu_times()
    seconds = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.Error:
            continue
        seconds += times.user + times.system
    return seconds
