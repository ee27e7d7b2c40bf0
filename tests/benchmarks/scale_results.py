"""Figures of the scale benchmark: printed, and kept in a file from the first minute on."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import head, percentile, row

HARNESS = ("fake", "client")  # the cluster and this process: not a part of the product


@dataclass(slots=True)
class Window:
    """One part of a run. `cpu_ms`: of all processes, for each of its jobs."""

    at_seconds: float
    jobs_per_second: float
    cpu_ms: float


@dataclass(slots=True)
class Figures:
    """One run. Durations of requests are in seconds."""

    jobs: int
    finished_before: int
    done: int = 0
    seconds: float = 0.0
    windows: list[Window] = field(default_factory=list)
    cpu_ms: dict[str, float] = field(default_factory=dict)
    wal_bytes: float = 0.0
    workers: Mapping[str, Sequence[float]] = field(default_factory=dict)
    api: Mapping[str, Sequence[float]] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    succeeded: int = 0
    launched_again: int = 0

    @property
    def rate(self) -> float:
        return self.done / self.seconds if self.seconds else 0.0

    def evenness(self) -> float:
        """Return the rate of the second half of the windows, relative to the first half."""
        rates = [window.jobs_per_second for window in self.windows]
        middle = len(rates) // 2
        if not middle:
            return 1.0
        return statistics.mean(rates[middle:]) / statistics.mean(rates[:middle])

    def show(self) -> None:
        """Print the run."""
        own = {name: ms for name, ms in self.cpu_ms.items() if name not in HARNESS}
        others = {name: ms for name, ms in self.cpu_ms.items() if name in HARNESS}
        print(f"  jobs per second           {self.rate:9.1f}")
        print(f"  second half / first half  {self.evenness():9.2f}")
        print(f"  CPU of ours, ms per job   {sum(own.values()):9.1f}  {_largest_first(own)}")
        print(f"  CPU of the benchmark      {sum(others.values()):9.1f}  {_largest_first(others)}")
        print(f"  WAL, bytes per job        {self.wal_bytes:9.0f}")
        print(f"  succeeded                 {self.succeeded:9,} of {self.jobs:,}")
        print(f"  launched again            {self.launched_again:9}")
        for title, seconds in (("calls of workers", self.workers), ("the API", self.api)):
            head(f"{title} meanwhile")
            for name, each in seconds.items():
                if len(each) > 1:
                    row(name, each, f"p99 {percentile(each, 99) * 1000:.1f}, {len(each)} requests")
        for name, status in self.refused.items():
            print(f"  {name} got the status {status or 'none'} at least once")

    def as_json(self) -> dict[str, Any]:
        return {
            "jobs": self.jobs,
            "finished_before": self.finished_before,
            "done": self.done,
            "succeeded": self.succeeded,
            "launched_again": self.launched_again,
            "seconds": round(self.seconds, 1),
            "jobs_per_second": round(self.rate, 2),
            "second_half_to_first": round(self.evenness(), 3),
            "windows": [
                {name: round(value, 1) for name, value in asdict(window).items()}
                for window in self.windows
            ],
            "cpu_ms_per_job": {name: round(ms, 2) for name, ms in self.cpu_ms.items()},
            "wal_bytes_per_job": round(self.wal_bytes),
            "workers_p99_ms": p99_ms(self.workers),
            "api_p99_ms": p99_ms(self.api),
            "api_requests": {name: len(seconds) for name, seconds in self.api.items()},
            "refused": dict(self.refused),
        }


class Results:
    """Everything measured so far, in a file that each change replaces."""

    def __init__(self, path: Path) -> None:
        self.path, self.runs = path, list[Figures]()
        self.facts: dict[str, Any] = {"complete": False}

    def write(self) -> None:
        """Replace the file. What was measured before an interruption is in it."""
        found = {**self.facts, "runs": [run.as_json() for run in self.runs]}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(found, indent=1))
        part.replace(self.path)

    def compare(self) -> None:
        """Print the p99 of each request of both runs."""
        first, second = (p99_ms(run.api) for run in self.runs)
        title = f"p99 beside {self.runs[1].finished_before:,} finished jobs"
        print(f"\n{title}\n  {'milliseconds':<78}{'without':>9}{'with':>9}")
        for name, ms in first.items():
            if name in second:
                print(f"  {name:<78}{ms:>9.1f}{second[name]:>9.1f}")


def p99_ms(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the 99th percentile in milliseconds by name."""
    return {
        name: round(percentile(list(each), 99) * 1000, 1)
        for name, each in seconds.items()
        if len(each) > 1
    }


def _largest_first(ms: Mapping[str, float]) -> str:
    pairs = sorted(ms.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {spent:.1f}" for name, spent in pairs)
