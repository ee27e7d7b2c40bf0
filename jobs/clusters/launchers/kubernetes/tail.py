"""Rest of a dead worker's log from its pod: lines printed by the supervisor and not delivered.

The supervisor's stdout equals the stored stream, line for line. The last stored lines are found in
it, and the lines that follow are appended. The kubelet keeps the last log files only: if the last
stored lines are not in them, lines are missing, and a marker line says so.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from jobs.clusters.launchers.kubernetes.client import Api, Refused
from jobs.clusters.launchers.manifest import CONTAINER
from jobs.contract import LOG_CHUNK_BYTES_MAX, LOG_LINE_BYTES_MAX
from mimir.lib.clock import rfc3339_nano

SILENCE_SECONDS = 30.0
FOREIGN_LINES_MAX = 256  # in another format, before the first line in the stored format
LOST_LINES = (
    b"mimir: Lines are missing here: the cluster had thrown this part of the worker's log away."
)
_LINE = re.compile(rb"[0-9T:.Z+-]{20,40} (?:stdout|stderr) [FP] [^\n]*\n")
_LONGEST = 64 * 1024  # of a line in another format
Lines = Callable[[], Iterator[bytes]]


def rest(api: Api, pod: str, after: bytes, offset: int) -> Iterator[bytes]:
    """Yield the stored lines of `pod` that follow the stored bytes, in pieces of one chunk at most.

    The stored bytes end at `offset` with `after`. Yields nothing if the pod log is gone.
    Raises: Away.
    """
    try:
        yield from _batched(joined(lambda: _lines(api, pod), after, offset))
    except Refused:
        return


def joined(read: Lines, after: bytes, offset: int) -> Iterator[bytes]:
    """Yield the lines that follow the stored ones.

    A complete log is joined by `offset`, otherwise at the first occurrence of the lines of
    `after`. Without an occurrence, all newer lines follow, after a marker. `read` starts the pod
    log from its beginning. Lines in another format (a traceback of the supervisor, a message of
    native code) are not counted, and are returned as stderr.
    """
    last = [line for line in after.splitlines(keepends=True) if _LINE.fullmatch(line)]
    if not last:
        yield from _stored_format(read(), b"")
        return
    lines = read()
    place = _place(lines, last, offset)
    if place is None:
        yield from _newer(read(), _stamp(last[-1]))
        return
    if place:
        lines = islice(read(), place, None)
    yield from _stored_format(lines, _stamp(last[-1]))


def _place(lines: Iterator[bytes], last: list[bytes], offset: int) -> int | None:
    """Return the number of lines before the rest; None if the stored lines are not in the log.

    0: `lines` is already at the rest.
    """
    window: deque[bytes] = deque(maxlen=len(last))
    total, first = 0, None
    for number, line in enumerate(lines, start=1):
        if not _LINE.fullmatch(line):
            continue
        total += len(line)
        window.append(line)
        if line != last[-1] or list(window) != last[-len(window) :]:
            continue  # a log that begins within `last` contains only its end
        if total == offset:
            return 0
        first = first or number
    return first


def _newer(lines: Iterator[bytes], newest: bytes) -> Iterator[bytes]:
    marked = False
    for line in lines:
        if not _LINE.fullmatch(line) or _stamp(line) <= newest:
            continue
        if not marked:
            yield _stamp(line) + b" stderr F " + LOST_LINES + b"\n"
            marked = True
        yield line


def _stored_format(lines: Iterator[bytes], stamp: bytes) -> Iterator[bytes]:
    """Yield lines in the stored format.

    A line in another format gets the time of the line before it, or of the next line if it is
    first.
    """
    waiting: list[bytes] = []
    for line in lines:
        if _LINE.fullmatch(line):
            stamp = _stamp(line)
            yield from (_foreign(each, stamp) for each in waiting)
            waiting.clear()
            yield line
        elif stamp:
            yield _foreign(line, stamp)
        elif len(waiting) < FOREIGN_LINES_MAX:
            waiting.append(line)
    if waiting:
        now = rfc3339_nano(time.time_ns()).encode()
        yield from (_foreign(each, now) for each in waiting)


def _foreign(line: bytes, stamp: bytes) -> bytes:
    prefix = stamp + b" stderr F "
    return prefix + line.rstrip(b"\r\n")[: LOG_LINE_BYTES_MAX - len(prefix) - 1] + b"\n"


def _stamp(line: bytes) -> bytes:
    return line.split(b" ", 1)[0]


def _lines(api: Api, pod: str) -> Iterator[bytes]:
    """Yield the lines of the pod log.

    A last line without a newline gets one: the worker died while it wrote that line.
    """
    left = b""
    for piece in api.pieces(
        api.path("pods", pod, "log"), {"container": CONTAINER}, silence_seconds=SILENCE_SECONDS
    ):
        *lines, left = (left + piece).split(b"\n")
        yield from (line + b"\n" for line in lines)
        left = left[:_LONGEST]
    if left:
        yield left + b"\n"


def _batched(lines: Iterator[bytes]) -> Iterator[bytes]:
    batch = bytearray()
    for line in lines:
        if len(batch) + len(line) > LOG_CHUNK_BYTES_MAX:
            yield bytes(batch)
            batch.clear()
        batch += line
    if batch:
        yield bytes(batch)
