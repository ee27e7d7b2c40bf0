"""Where the bytes of a log are: rows of compressed chunks while it grows, one seekable object once it is sealed.

The object is gzip members one after another (`zcat` reads it whole); `Attempt.log_index` says where each begins:
`{"version": 1, "size": <bytes of the object>, "blocks": [[<log offset>, <object offset>, <line ends before>], …]}`.
Chunks and blocks hold whole lines. A reader may be overtaken by the sealer: when the rows are gone, it goes on in the object.
"""

import bisect
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from jobs.models import Attempt, LogChunk
from mimir.lib.errors import StorageAway
from projects.storage import artifacts

WINDOW_BYTES = (
    1024 * 1024
)  # read at once: bounds the memory of a reader; also the size of a sealed block


class LogDamaged(Exception):
    """Bytes that the row says are stored are in neither place: storage was lost or tampered with."""


@dataclass(frozen=True, slots=True)
class LogState:
    """What an attempt's row says of its log now. `lines` counts line ends before `end`."""

    attempt_id: UUID
    end: int
    lines: int
    closed: bool
    complete: bool
    sealed: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a log: `data` begins at byte `start`, after `first_line` line ends."""

    start: int
    first_line: int
    data: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.data)


def log_state(attempt_id: UUID) -> LogState:
    """The state of the attempt's log. Raises: Attempt.DoesNotExist."""
    row = Attempt.objects.values(
        "log_end", "log_lines", "log_closed_at", "log_complete", "log_object"
    ).get(id=attempt_id)
    closed = row["log_closed_at"] is not None
    return LogState(
        attempt_id=attempt_id,
        end=row["log_end"],
        lines=row["log_lines"],
        closed=closed,
        complete=closed and row["log_complete"],
        sealed=row["log_object"] is not None,
    )


def log_pieces(state: LogState, start: int, stop: int) -> Iterator[Piece]:
    """The pieces that cover [start, stop), in order; the first and last may reach beyond.

    Raises: LogDamaged when a stored byte cannot be found.
    """
    at = start
    while at < stop and not state.sealed:
        pieces = chunk_pieces(state.attempt_id, at, min(stop, at + WINDOW_BYTES))
        if not pieces:
            break  # sealed meanwhile
        for piece in pieces:
            yield piece
            at = piece.end
    if at < stop:
        yield from _object_pieces(state.attempt_id, at, stop)


def chunk_pieces(attempt_id: UUID, start: int, stop: int) -> list[Piece]:
    """The chunk rows that cover [start, stop) as pieces; none when the rows are gone."""
    rows = LogChunk.objects.filter(attempt_id=attempt_id)
    first = rows.filter(start__lte=start).order_by("-start").values_list("start", flat=True).first()
    if first is None:
        return []
    found = (
        rows.filter(start__gte=first, start__lt=stop)
        .order_by("start")
        .values_list("start", "first_line", "data")
    )
    pieces = [Piece(at, line, zlib.decompress(data)) for at, line, data in found]
    expected = first
    for piece in pieces:
        if piece.start != expected:
            raise LogDamaged(
                f"attempt {attempt_id}: stored bytes {expected} to {piece.start} are missing"
            )
        expected = piece.end
    if pieces and expected <= start:
        raise LogDamaged(f"attempt {attempt_id}: stored bytes after {expected} are missing")
    return pieces


def _object_pieces(attempt_id: UUID, start: int, stop: int) -> Iterator[Piece]:
    name, index = Attempt.objects.values_list("log_object", "log_index").get(id=attempt_id)
    if name is None or index is None:
        raise LogDamaged(f"attempt {attempt_id}: stored bytes after {start} are missing")
    blocks: list[list[int]] = index["blocks"]
    number = max(bisect.bisect_right(blocks, start, key=lambda block: block[0]) - 1, 0)
    try:
        with artifacts.open_file(name) as file:
            while number < len(blocks) and blocks[number][0] < stop:
                yield _block(file, index, number)
                number += 1
    except StorageAway:
        raise  # nothing is known to be damaged: the same read later works
    except (OSError, EOFError, zlib.error) as error:
        raise LogDamaged(f"attempt {attempt_id}: the sealed log cannot be read") from error


def _block(file: Any, index: dict[str, Any], number: int) -> Piece:
    blocks = index["blocks"]
    start, at, first_line = blocks[number]
    until = blocks[number + 1][1] if number + 1 < len(blocks) else index["size"]
    file.seek(at)
    return Piece(start, first_line, gzip.decompress(file.read(until - at)))
