"""Reading a log: any offset, from chunks or from the sealed object alike; its checksum; its text without prefixes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal
from uuid import UUID

from jobs.contract import LOG_LINE_BYTES_MAX
from jobs.logs import checksum
from jobs.logs.store import LogDamaged, LogState, Piece, log_pieces, log_state
from jobs.models import Attempt

__all__ = [
    "LogDamaged",
    "LogSlice",
    "Stream",
    "log_last_bytes",
    "log_read",
    "log_read_raw",
    "log_sha256",
]

JOIN_BYTES = 4096
Stream = Literal["stdout", "stderr"]
_PARTS = re.compile(rb"[^ \n]* (stdout|stderr) ([FP]) ([^\n]*)\n")


@dataclass(frozen=True, slots=True)
class LogSlice:
    """A part of a log. All offsets count stored bytes.

    `offset`: where it begins. `first_line`: the number, from 1, of the line that begins there or goes on there. `next_offset`: where the
    next part begins. `end`: where the log ends by now. `complete`: the end is fixed and nothing is missing. `chunks`: the bytes, in
    pieces of about 1 MiB at most, read as they are taken.
    """

    offset: int
    first_line: int
    next_offset: int
    end: int
    complete: bool
    chunks: Iterator[bytes]


def log_read(*, attempt: Attempt, offset: int = 0, limit: int | None = None) -> LogSlice:
    """Stored bytes from `offset` (negative: counted from the end; clamped to the log), at most `limit`, or all there are by now.

    Raises: LogDamaged, also while `chunks` is read.
    """
    state = log_state(attempt.id)
    start = _position(state, offset)
    stop = state.end if limit is None else min(start + limit, state.end)
    return _slice(state, start, stop)


def log_last_bytes(attempt_id: UUID, end: int) -> bytes:
    """The last stored bytes before `end`, at most JOIN_BYTES: by them a copy of the log is joined to what is stored."""
    start = max(0, end - JOIN_BYTES)
    pieces = log_pieces(log_state(attempt_id), start, end)
    return b"".join(
        piece.data[max(0, start - piece.start) : max(0, end - piece.start)] for piece in pieces
    )


def log_read_raw(
    *, attempt: Attempt, offset: int = 0, limit: int | None = None, stream: Stream | None = None
) -> LogSlice:
    """What the workload wrote: no prefixes, cut lines joined again, of one stream or of both in stored order.

    Cut at stored lines: a line belongs to the part in which it begins, so that parts at offset, offset + limit, … join without loss.
    """
    state = log_state(attempt.id)
    asked = _position(state, offset)
    start = _line_start(state, asked)
    stop = state.end if limit is None else _line_start(state, min(asked + limit, state.end))
    part = _slice(state, start, max(start, stop))
    return LogSlice(
        offset=part.offset,
        first_line=part.first_line,
        next_offset=part.next_offset,
        end=part.end,
        complete=part.complete,
        chunks=(raw_text(chunk, stream) for chunk in part.chunks),
    )


def raw_text(lines: bytes, stream: Stream | None) -> bytes:
    """The bytes that whole stored lines stand for. An F line had a line end, a P line is a part of a longer one."""
    wanted = stream.encode() if stream else None
    return b"".join(
        text + b"\n" if tag == b"F" else text
        for name, tag, text in _PARTS.findall(lines)
        if wanted is None or name == wanted
    )


def log_sha256(attempt: Attempt) -> str:
    """Hex SHA-256 of all bytes stored by now, those of `attempt.log_end` as the given instance has it."""
    state = log_state(attempt.id)
    end = min(attempt.log_end, state.end)
    return checksum.digest(
        attempt.id, end, lambda begin: _clipped(log_pieces(state, begin, end), begin, end)
    )


def _position(state: LogState, offset: int) -> int:
    return max(state.end + offset, 0) if offset < 0 else min(offset, state.end)


def _slice(state: LogState, start: int, stop: int) -> LogSlice:
    pieces = log_pieces(state, start, max(stop, min(start + 1, state.end)))
    first = next(pieces, None)
    line = (
        state.lines
        if first is None
        else first.first_line + first.data.count(b"\n", 0, start - first.start)
    )
    return LogSlice(
        offset=start,
        first_line=line + 1,
        next_offset=stop,
        end=state.end,
        complete=state.complete,
        chunks=_clipped(chain([first], pieces), start, stop) if first is not None else iter(()),
    )


def _clipped(pieces: Iterator[Piece], start: int, stop: int) -> Iterator[bytes]:
    for piece in pieces:
        data = piece.data[max(start - piece.start, 0) : max(stop - piece.start, 0)]
        if data:
            yield data


def _line_start(state: LogState, position: int) -> int:
    """The first line start at or after `position`."""
    if position <= 0 or position >= state.end:
        return min(max(position, 0), state.end)
    at = position - 1
    for data in _clipped(
        log_pieces(state, at, min(at + LOG_LINE_BYTES_MAX + 1, state.end)), at, state.end
    ):
        found = data.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(data)
    return state.end
