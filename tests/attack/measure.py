"""Memory of the servers and latency of a signed-in reader during an attack."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mimir.dev.paths import ROOT
from tests.support.signin import sign_in
from tests.support.stack import Stack

MIB = 1024 * 1024
RSS_MIB_MAX, P95_RATIO_MAX = 64.0, 3.0
P95_FLOOR_SECONDS = 0.05  # below it a ratio measures the scheduler rather than the product
SAMPLE_SECONDS = 0.05


@dataclass
class Window:
    """Measurements of one interval. Memory in MiB per server, latencies in seconds."""

    before: dict[str, float] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)

    def p95(self) -> float:
        """Return the 95th percentile; without any response it is one minute."""
        ordered = sorted(self.latencies) or [60.0]
        return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]

    def growth(self, server: str) -> float:
        """Return the maximum increase of a server's memory."""
        return self.most[server] - self.before[server]

    def kept(self, server: str) -> float:
        """Return the increase of a server's memory after the attack."""
        return self.after[server] - self.before[server]


class Meter:
    """Reads pages of the API with a session cookie, and measures the memory of the servers."""

    def __init__(self, stack: Stack, path: str) -> None:
        self._stack, self._path = stack, path
        self._reader = sign_in(stack)

    def close(self) -> None:
        """Close the reader's connections."""
        self._reader.close()

    @contextlib.contextmanager
    def window(self, *, settle_seconds: float = 0.0) -> Iterator[Window]:
        """Measure during the block.

        Then wait up to `settle_seconds` until the memory is released.
        """
        pids = {name: self._pid(name) for name in ("web", "frontend")}
        window = Window(before={name: resident_mib(pid) for name, pid in pids.items()})
        window.most = dict(window.before)
        ends = threading.Event()
        sampling = threading.Thread(target=_sample, args=(pids, window, ends), daemon=True)
        sampling.start()
        try:
            with self._reads(window):
                yield window
        finally:
            ends.set()
            sampling.join(70)
        until(
            lambda: all(
                resident_mib(pid) - window.before[name] <= RSS_MIB_MAX / 2
                for name, pid in pids.items()
            ),
            settle_seconds,
        )
        window.after = {name: resident_mib(pid) for name, pid in pids.items()}
        window.restarted = [name for name, pid in pids.items() if self._pid(name) != pid]

    def _pid(self, name: str) -> int:
        return next(iter(self._stack.pids(name)), 0)

    @contextlib.contextmanager
    def _reads(self, window: Window) -> Iterator[None]:
        """Read during the block; each result is added to the window at once."""
        client = self._reader
        options = {
            "base": str(client.base_url),
            "headers": {"Host": client.headers["Host"]},
            "cookies": dict(client.cookies),
            "path": self._path,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.attack.reader"],
            cwd=ROOT, env={**os.environ, "MIMIR_READER": json.dumps(options)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,  # noqa: E501
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        first = threading.Event()

        def collect() -> None:
            for line in process.stdout or ():
                seconds, wrong = json.loads(line)
                if first.is_set():
                    window.latencies.append(seconds)
                    window.failures += [wrong] if wrong else []
                first.set()  # the first request opens the connection

        thread = threading.Thread(target=collect, daemon=True)
        thread.start()
        try:
            assert first.wait(30), "the reader reads"
            yield
        finally:
            process.stdin.close()
            thread.join(70)
            process.kill()
            process.wait()


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def _sample(pids: dict[str, int], window: Window, ends: threading.Event) -> None:
    while not ends.wait(SAMPLE_SECONDS):
        for name, pid in pids.items():
            window.most[name] = max(window.most[name], resident_mib(pid))


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Return whether a condition became true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() >= end:
            return False
        time.sleep(0.1)
    return True


def exceeded(window: Window, idle: Window) -> list[str]:
    """Return a sentence per exceeded limit."""
    found = [f"{name} was restarted" for name in window.restarted]
    found += [f"the reader got {failure}" for failure in sorted(set(window.failures))]
    for name in window.before:
        if window.growth(name) > RSS_MIB_MAX:
            found.append(f"{name} grew by {window.growth(name):.0f} MiB")
        if window.kept(name) > RSS_MIB_MAX / 2:
            found.append(f"{name} kept {window.kept(name):.0f} MiB")
    if window.p95() > max(P95_FLOOR_SECONDS, P95_RATIO_MAX * idle.p95()):
        found.append(f"the reader's p95 is {window.p95() / idle.p95():.1f} times its idle value")
    return found
