"""Spool: log bytes on the worker's disk that the orchestrator has not stored yet.

A byte counts as written when it is in a file here, and stays until the orchestrator has it. The
spool is a folder of segments without gaps. Each is named by the offset of its first byte in the
stored log (20 digits), so that a reader can continue where a killed supervisor stopped. Segments
whose bytes are all accepted are removed.
"""

import hashlib
import os
import threading
from pathlib import Path

from jobs.contract import LOG_CHUNK_BYTES_MAX

SEGMENT_BYTES = 4 * 1024 * 1024


class Spool:
    """Spool with one writer and one reader thread. Offsets count stored bytes of the log from 0."""

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._segments: list[int] = []
        self._file: int | None = None
        self._hash = hashlib.sha256()
        self.end = 0  # bytes written
        self.accepted = 0  # bytes that the orchestrator has
        self.missing = ""  # a sentence about missing output of the workload; empty: complete

    @property
    def full(self) -> bool:
        """Whether so many bytes are pending that the workload's output must not be read."""
        return self.end - self.accepted >= self._limit

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of all bytes written so far."""
        return self._hash.hexdigest()

    def append(self, data: bytes) -> None:
        """Write whole stored lines.

        Raises: OSError if the disk is full; nothing of `data` is stored then.
        """
        if not data:
            return
        with self._changed:
            if self._file is None or self.end - self._segments[-1] >= SEGMENT_BYTES:
                self._open_segment()
            self._write(data)
            self._hash.update(data)
            self.end += len(data)
            self._changed.notify_all()

    def _open_segment(self) -> None:
        if self._file is not None:
            # Forget the descriptor: if the next segment cannot be opened, the number of the closed
            # one may soon belong to another file.
            file, self._file = self._file, None
            os.close(file)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._file = os.open(self._path(self.end), flags, 0o600)
        self._segments.append(self.end)

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        begin = self.end - self._segments[-1]
        view, written = memoryview(data), 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, view[written:], begin + written)
        except OSError:
            os.ftruncate(self._file, begin)
            raise

    def _path(self, start: int) -> Path:
        return self._folder / f"{start:020d}"

    def read(self, offset: int) -> bytes:
        """Return whole stored lines from `offset`, at most one chunk; empty at the end."""
        with self._lock:
            start = max((begin for begin in self._segments if begin <= offset), default=None)
            if start is None or offset >= self.end:
                return b""
            stop = min([begin for begin in self._segments if begin > start] or [self.end])
        with self._path(start).open("rb") as file:
            file.seek(offset - start)
            piece = file.read(min(LOG_CHUNK_BYTES_MAX, stop - offset))
        return piece[: piece.rfind(b"\n") + 1]

    def accept(self, end: int) -> None:
        """Mark all bytes before `end` as accepted; remove the segments before it."""
        with self._changed:
            self.accepted = max(self.accepted, min(end, self.end))
            while len(self._segments) > 1 and self._segments[1] <= self.accepted:
                self._path(self._segments.pop(0)).unlink(missing_ok=True)
            self._changed.notify_all()

    def cut(self, why: str) -> None:
        """Record that output is missing, and why. The first cause counts."""
        self.missing = self.missing or why

    def rewind(self, end: int) -> bool:
        """Send from `end` again; return whether those bytes are still in the spool.

        Called if the orchestrator has less than it accepted before.
        """
        with self._changed:
            if end > self.end or not self._segments or self._segments[0] > end:
                return end == self.end
            self.accepted = end
            self._changed.notify_all()
            return True

    def wait_not_full(self, timeout_seconds: float) -> bool:
        """Wait until fewer bytes than the limit are pending; return whether that is the case."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self.end - self.accepted < self._limit, timeout_seconds
            )

    def wait(self, *, beyond: int, timeout_seconds: float) -> bool:
        """Wait for bytes after `beyond`; return whether there are any."""
        with self._changed:
            self._changed.wait_for(lambda: self.end > beyond, timeout_seconds)
            return self.end > beyond

    def wait_accepted(self, timeout_seconds: float) -> bool:
        """Wait until the orchestrator has all bytes; return whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self.accepted >= self.end, timeout_seconds)
