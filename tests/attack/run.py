"""Run the attacks one after another and print the table."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.attack.attacks import ATTACKS, READ_PATH, Target, prepare
from tests.attack.measure import Meter, Window, exceeded
from tests.support.stack import Stack

REPEATS_MAX = 5


@dataclass(frozen=True)
class Row:
    """One attack: its measurements, and the values over a limit."""

    name: str
    window: Window
    over: list[str]


def attacked(
    stack: Stack,
    names: Iterable[str],
    *,
    idle_seconds: float,
    hold_seconds: float,
    settle_seconds: float,
    reads: int = 0,
) -> tuple[Window, list[Row]]:
    """Return the idle window and a row for each attack.

    reads: an attack is repeated until the reader has sent this number of requests.
    """
    prepare(stack)
    meter = Meter(stack, READ_PATH)
    try:
        with meter.window():
            time.sleep(2)  # caches and connections
        with meter.window() as idle:
            time.sleep(idle_seconds)
        target, rows = Target(stack, hold_seconds), []
        for name in names:
            with meter.window(settle_seconds=settle_seconds) as window:
                wrong = ATTACKS[name](target)
                for _ in range(REPEATS_MAX):  # a percentile of a few reads says nothing
                    if len(window.latencies) < reads:
                        wrong += ATTACKS[name](target)
            rows.append(Row(name, window, wrong + exceeded(window, idle)))
        return idle, rows
    finally:
        meter.close()


def table(idle: Window, rows: Iterable[Row]) -> str:
    """Return the rows as text for a terminal."""
    head = (
        f"{'attack':26}{'web MiB':>9}{'kept':>7}{'frontend':>10}{'kept':>7}{'reads':>7}{'failed':>8}{'p95 ms':>8}{'ratio':>7} "  # noqa: E501
        ""
        ""
        ""
        ""
        ""
        " over"
    )
    lines = [
        head,
        f"{'(idle)':26}{'':>9}{'':>7}{'':>10}{'':>7}{len(idle.latencies):>7}{len(idle.failures):>8}{idle.p95() * 1000:>8.0f}{'':>7}",  # noqa: E501
    ]
    for row in rows:
        figures, over = row.window, "; ".join(row.over) or "nothing"
        lines.append(
            f"{row.name:26}{figures.growth('web'):>9.0f}{figures.kept('web'):>7.0f}{figures.growth('frontend'):>10.0f}{figures.kept('frontend'):>7.0f}"
            f"{len(figures.latencies):>7}{len(figures.failures):>8}{figures.p95() * 1000:>8.0f}{figures.p95() / idle.p95():>7.1f} "  # noqa: E501
            ""
            ""
            ""
            ""
            ""
            f" {over}"
        )
    return "\n".join(lines)
