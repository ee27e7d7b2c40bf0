"""Storage of log bytes: compressed chunk rows while a log grows, one object once it is sealed.

The object is a series of gzip members (`zcat` reads it whole). `Attempt.log_index` lists where
each one starts: `{"version": 1, "size": <bytes of the object>, "blocks": [[<log offset>, <object
offset>, <line ends before>], …]}`. Chunks and blocks hold whole lines. If a log is sealed during a
read, the reader continues in the object.
"""

import bisect
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TypedDict
from uuid import UUID

from django.db.models import QuerySet

from jobs.core.compiled_instances import CompiledInstances
from jobs.models import Attempt, LogChunk
from mimir.lib.errors import StorageAway
from projects.storage import artifacts

WINDOW_BYTES = (
    1024 * 1024
    # size of one read and of a sealed block; bounds the memory of a reader
)


class LogIndex(TypedDict):
    """Index of a sealed log. The module's docstring describes a block."""

    version: int
    size: int
    blocks: list[list[int]]


# `Attempt.log_object` of a sealed log without bytes. Such an object does not exist: a release that
# does not know the name deletes it with its job, which is harmless.
NO_OBJECT = "logs/none"
EMPTY_INDEX: LogIndex = {"version": 1, "size": 0, "blocks": []}


class LogDamaged(Exception):
    """Bytes before `log_end` are neither in chunk rows nor in a readable object.

    The storage lost them or was changed.
    """


@dataclass(frozen=True, slots=True)
class LogState:
    """Log columns of an attempt's row. `lines` counts line ends before `end`."""

    attempt_id: UUID
    end: int
    lines: int
    closed: bool
    complete: bool
    sealed: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a log: `data` starts at byte `start`, after `first_line` line ends."""

    start: int
    first_line: int
    data: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.data)


def log_state(attempt_id: UUID) -> LogState:
    """Read the state of the attempt's log. Raises: Attempt.DoesNotExist."""
    attempt = _STATE.get(attempt_id)
    closed = attempt.log_closed_at is not None
    return LogState(
        attempt_id=attempt_id,
        end=attempt.log_end,
        lines=attempt.log_lines,
        closed=closed,
        complete=closed and attempt.log_complete,
        sealed=attempt.log_object is not None,
    )


def _state() -> "QuerySet[Attempt, Attempt]":
    rows = Attempt.objects.only(
        "log_end", "log_lines", "log_closed_at", "log_complete", "log_object"
    )
    return rows.filter(id=_ANY_ID)


_ANY_ID = UUID(int=0)
_STATE = CompiledInstances(_state, varies=_ANY_ID)


def log_pieces(state: LogState, start: int, stop: int) -> Iterator[Piece]:
    """Yield the pieces that cover [start, stop) in order; the first and last may extend beyond.

    Raises: LogDamaged if a stored byte is missing or cannot be read.
    """
    at = start
    while at < stop and not state.sealed:
        pieces = chunk_pieces(state.attempt_id, at, min(stop, at + WINDOW_BYTES))
        if not pieces:
            break  # sealed during the read
        for piece in pieces:
            yield piece
            at = piece.end
    if at < stop:
        yield from _object_pieces(state.attempt_id, at, stop)


def chunk_pieces(attempt_id: UUID, start: int, stop: int) -> list[Piece]:
    """Return the chunk rows that cover [start, stop); none if they are deleted.

    Raises: LogDamaged if a row is missing between the others or at `start`, or cannot be read.
    """
    rows = LogChunk.objects.filter(attempt_id=attempt_id)
    first = rows.filter(start__lte=start).order_by("-start").values_list("start", flat=True).first()
    if first is None:
        return []
    found = (
        rows.filter(start__gte=first, start__lt=stop)
        .order_by("start")
        .values_list("start", "first_line", "data")
    )
    try:
        pieces = [Piece(at, line, zlib.decompress(data)) for at, line, data in found]
    except zlib.error as error:
        raise LogDamaged(f"attempt {attempt_id}: a stored part cannot be read") from error
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
    blocks = index["blocks"]
    number = max(bisect.bisect_right(blocks, start, key=lambda block: block[0]) - 1, 0)
    try:
        with artifacts.open_file(name) as file:
            while number < len(blocks) and blocks[number][0] < stop:
                yield _block(file, index, number)
                number += 1
    except StorageAway:
        raise  # not known to be damaged: a later read may succeed
    except (OSError, EOFError, zlib.error) as error:
        raise LogDamaged(f"attempt {attempt_id}: the sealed log cannot be read") from error


def _block(file: IO[bytes], index: LogIndex, number: int) -> Piece:
    blocks = index["blocks"]
    start, at, first_line = blocks[number]
    until = blocks[number + 1][1] if number + 1 < len(blocks) else index["size"]
    file.seek(at)
    return Piece(start, first_line, gzip.decompress(file.read(until - at)))
