"""Read the workload's pipes: format lines, copy them to stdout, append them to the spool.

Lines beyond the log's size limit are dropped.
"""

import os
import time

from jobs.contract import FailureReason
from jobs.worker.cri_log import LineFormatter
from jobs.worker.spool import Spool
from jobs.worker.stopping import Stop, failed

READ_BYTES = 256 * 1024
# An unfinished line older than this is stored as a part, to show progress bars and prompts.
FLUSH_SECONDS = 0.2


class Output:
    """One stream of the workload. The main thread reads; nothing else writes to the spool."""

    def __init__(
        self, name: str, descriptor: int, spool: Spool, stop: Stop, *, log_bytes_max: int
    ) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.open = True
        self._formatter = LineFormatter(name)
        self._spool, self._stop, self._limit = spool, stop, log_bytes_max
        self._read_at = 0.0
        self._dropping = False

    def read(self) -> bool:
        """Read once; return whether there was data. At the end of the stream `open` is False."""
        try:
            data = os.read(self.descriptor, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.open = False
            return False
        self._read_at = time.monotonic()
        self._store(self._formatter.feed(data, time.time_ns()))
        return True

    def flush_stale(self) -> None:
        """Store an unfinished line that has not grown for FLUSH_SECONDS."""
        if self._formatter.pending and time.monotonic() - self._read_at > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Store an unfinished line."""
        self._store(self._formatter.flush(time.time_ns()))

    @property
    def pending(self) -> bool:
        """Whether an unfinished line is buffered."""
        return self._formatter.pending

    def _store(self, lines: bytes) -> None:
        if not lines or self._dropping:
            return
        remaining = self._limit - self._spool.end
        if len(lines) > remaining:
            lines = lines[: lines.rfind(b"\n", 0, max(remaining, 0)) + 1]
            self._dropping = True
            message = (
                f"The log reached {self._limit} bytes, the limit of an attempt (LOG_BYTES_MAX)."
            )
            self._spool.cut(message)
            self._stop.request(failed(FailureReason.LOG_LIMIT_EXCEEDED, message))
        _write_all(1, lines)
        try:
            self._spool.append(lines)
        except OSError as error:
            self._dropping = True
            message = f"The log could not be stored: {error.strerror}."
            self._spool.cut(message)
            self._stop.request(failed(FailureReason.DISK_FULL, message))


def _write_all(descriptor: int, data: bytes) -> None:
    """Write to our own stdout. A missing reader does not stop the job."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except OSError:
            return
