"""Read a log at any offset from chunks or the sealed object, as stored bytes, text or checksum."""

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
    """Part of a log. All offsets count stored bytes.

    `offset` is its start, `first_line` the number, from 1, of the line at its start, `next_offset`
    the start of the next part and `end` the current end of the log. `complete` means that the end
    is final and nothing is missing. `chunks` yields the bytes lazily in pieces of about 1 MiB.
    """

    offset: int
    first_line: int
    next_offset: int
    end: int
    complete: bool
    chunks: Iterator[bytes]


def log_read(*, attempt: Attempt, offset: int = 0, limit: int | None = None) -> LogSlice:
    """Return stored bytes from `offset`, at most `limit` or all.

    A negative `offset` counts from the end. `offset` is clamped to the log.

    Raises: LogDamaged, also while `chunks` is read.
    """
    state = log_state(attempt.id)
    start = _position(state, offset)
    stop = state.end if limit is None else min(start + limit, state.end)
    return _slice(state, start, stop)


def log_last_bytes(attempt_id: UUID, end: int) -> bytes:
    """Return the last stored bytes before `end`, at most JOIN_BYTES.

    A caller finds them in another copy of the log, to continue where the stored log ends.
    """
    start = max(0, end - JOIN_BYTES)
    pieces = log_pieces(log_state(attempt_id), start, end)
    return b"".join(
        piece.data[max(0, start - piece.start) : max(0, end - piece.start)] for piece in pieces
    )


def log_read_raw(
    *, attempt: Attempt, offset: int = 0, limit: int | None = None, stream: Stream | None = None
) -> LogSlice:
    """Return the text that the workload wrote, without prefixes and with split lines joined.

    `stream` selects one stream; otherwise both follow in stored order. A stored line belongs to the
    part in which it starts, so parts at offset, offset + limit, … join without loss.
    """
    state = log_state(attempt.id)
    position = _position(state, offset)
    start = _line_start(state, position)
    stop = state.end if limit is None else _line_start(state, min(position + limit, state.end))
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
    """Return the text of whole stored lines. F lines end a line of text, P lines continue one."""
    wanted = stream.encode() if stream else None
    return b"".join(
        text + b"\n" if tag == b"F" else text
        for name, tag, text in _PARTS.findall(lines)
        if wanted is None or name == wanted
    )


def log_sha256(attempt: Attempt) -> str:
    """Return the hex SHA-256 of the stored bytes up to the given instance's `log_end`."""
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
    """Return the first start of a line at or after `position`."""
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
