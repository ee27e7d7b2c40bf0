"""The rest of a dead worker's log, from its pod: what the supervisor printed and could not deliver.

Its stdout is the stored stream itself, line for line, so that the last stored lines are found in it and what follows is appended. The kubelet
keeps the last files only: where the joint is not in them any more, lines are missing, and the reader is told so.
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
FOREIGN_LINES_MAX = 256  # before the first stored line
LOST_LINES = (
    b"mimir: Lines are missing here: the cluster had thrown this part of the worker's log away."
)
_LINE = re.compile(rb"[0-9T:.Z+-]{20,40} (?:stdout|stderr) [FP] [^\n]*\n")
_LONGEST = 64 * 1024  # of a line of another form
Lines = Callable[[], Iterator[bytes]]


def rest(api: Api, pod: str, after: bytes, offset: int) -> Iterator[bytes]:
    """What `pod` printed after the stored bytes, which end at `offset` with `after`: stored lines, in pieces of one chunk at most.

    A log that is gone has none. Raises: Away.
    """
    try:
        yield from _batched(joined(lambda: _lines(api, pod), after, offset))
    except Refused:
        return


def joined(read: Lines, after: bytes, offset: int) -> Iterator[bytes]:
    """The lines that follow the stored ones; where the joint is not found, all that are newer, behind a marker.

    A log of which nothing is thrown away is joined by `offset`; else the first place where the lines of `after` stand is the joint. `read`
    begins the pod's log anew each time. Lines of another form (a traceback of the supervisor, a message of native code) are not counted,
    and are told as stderr.
    """
    last = [line for line in after.splitlines(keepends=True) if _LINE.fullmatch(line)]
    if not last:
        yield from _told(read(), b"")
        return
    lines = read()
    place = _place(lines, last, offset)
    if place is None:
        yield from _newer(read(), _stamp(last[-1]))
        return
    if place:
        lines = islice(read(), place, None)
    yield from _told(lines, _stamp(last[-1]))


def _place(lines: Iterator[bytes], last: list[bytes], offset: int) -> int | None:
    """How many lines stand before the rest; 0: `lines` has just come there. None: the joint is not in it."""
    window: deque[bytes] = deque(maxlen=len(last))
    total, first = 0, None
    for number, line in enumerate(lines, start=1):
        if not _LINE.fullmatch(line):
            continue
        total += len(line)
        window.append(line)
        if line != last[-1] or list(window) != last[-len(window) :]:
            continue  # a log that begins within `last` has the end of it only
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


def _told(lines: Iterator[bytes], stamp: bytes) -> Iterator[bytes]:
    """Lines as they are stored. One of another form bears the time of the line before it, and waits for one where there is none."""
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
    """The pod log's whole lines; a last one without its end was being written when the worker died."""
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
