"""Memory watch: end the workload before the kernel kills the container."""

import threading
import time

from jobs.contract import FailureReason
from jobs.worker import cgroup, process_tree
from jobs.worker.background_thread import BackgroundThread
from jobs.worker.stopping import Stop, failed

# Share of the limit. Above it, the kernel would kill the whole container with the supervisor.
KILL_AT = 0.97
FASTEST_SECONDS, SLOWEST_SECONDS = 0.05, 0.2
SHARE_OF_TIME = 25  # a measurement may take 1/25 of the time


class MemoryWatch(BackgroundThread):
    """Measure the bytes of memory of all descendants, or of our cgroup if it has a limit."""

    def __init__(self, stop: Stop, *, limit_bytes: int, own_cgroup: bool) -> None:
        super().__init__("memory", stop)
        self.limit_bytes = limit_bytes
        self._group = cgroup.own_group() if own_cgroup else None
        self._kills_before = self._group.kills() if self._group else 0
        self.ended = threading.Event()
        self.now_bytes = 0
        self.peak_bytes = 0
        self.step = ""  # name of the running step, for the message

    def work(self) -> None:
        """Measure until `ended` is set; kill the workload at the limit."""
        while not self.ended.is_set():
            began = time.monotonic()
            used, limit = self.used()
            self.now_bytes, self.peak_bytes = used, max(self.peak_bytes, used)
            if used >= KILL_AT * limit:
                # If a stop is pending, its cause stays; the memory must be freed all the same.
                peak = self.peak_bytes
                self.halt.request(
                    failed(
                        FailureReason.OUT_OF_MEMORY,
                        "",
                        limit_bytes=limit,
                        peak_bytes=peak,
                        step=self.step or None,
                    )
                )
                process_tree.kill_all()
                return
            cost = time.monotonic() - began
            self.ended.wait(min(max(FASTEST_SECONDS, SHARE_OF_TIME * cost), SLOWEST_SECONDS))

    def used(self) -> tuple[int, int]:
        """Return the memory in use and its limit."""
        counted = self._group.read() if self._group else None
        if counted is not None:
            return counted[0], min(counted[1], self.limit_bytes)
        return process_tree.memory_bytes(), self.limit_bytes

    def kernel_killed(self) -> bool:
        """Return whether the kernel OOM-killed a process between two measurements."""
        return self._group is not None and self._group.kills() > self._kills_before


class CpuMeter:
    """CPU use of the workload between two readings, in millicores."""

    def __init__(self) -> None:
        self._at, self._seconds = time.monotonic(), 0.0

    def read(self) -> int:
        """Return the use since the last reading."""
        now, seconds = time.monotonic(), process_tree.cpu_seconds()
        passed, used = now - self._at, seconds - self._seconds
        self._at, self._seconds = now, seconds
        return max(0, round(1000 * used / passed)) if passed > 0 else 0
