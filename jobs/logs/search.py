"""Search in a log's text for a literal, case-insensitive, or for error lines.

Prefixes are not searched. Each request is bounded in bytes, matches and time, and its response says
where to continue. A long line is stored in parts (`P`); a literal across such a split is reported
at the part in which it starts.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from jobs.contract import LOG_LINE_BYTES_MAX
from jobs.logs.store import LogState, Piece, log_pieces, log_state
from jobs.models import Attempt

BYTES_MAX = 64 * 1024 * 1024
MATCHES_MAX = 200
SECONDS_MAX = 0.5
QUERY_CHARS_MAX = 200
TEXT_CHARS_MAX = 400  # of a line in an answer, around its match
_BEFORE_CHARS = 80

_LINE = re.compile(rb"^[^ \n]* (stdout|stderr) ([FP]) ([^\n]*)\n", re.MULTILINE)
# Error lines: headers of tracebacks, log levels, `SomethingError: …` at the start of a line.
_ERRORS = re.compile(
    r"Traceback \(most recent call last\)|\b(?:ERROR|FATAL|CRITICAL|PANIC)\b"
    r"|^(?:\w+\.)*\w*(?:Error|Exception)\b"
)
_ERROR_HINTS = re.compile(
    rb"Traceback \(|ERROR|FATAL|CRITICAL|PANIC|Error|Exception"
)  # every match of _ERRORS contains one


@dataclass(frozen=True, slots=True)
class Match:
    """Matching line: start (bytes), number from 1, text around the match, match in that text.

    The match is given in characters of the text.
    """

    offset: int
    line: int
    text: str
    match_start: int
    match_length: int


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Matches and the offset to continue at, None at the end of the log."""

    matches: list[Match]
    next_offset: int | None
    searched_fraction: float


@dataclass(frozen=True, slots=True)
class _Line:
    offset: int
    number: int
    stream: bytes
    partial: bool
    text: bytes


def log_search(*, attempt: Attempt, query: str | None, offset: int = 0) -> SearchPage:
    """Return lines that contain `query` (None: error lines) from `offset` on.

    Raises: LogDamaged.
    """
    state = log_state(attempt.id)
    finder = _Finder(query)
    began, at = time.monotonic(), min(offset, state.end)
    begin = at
    # Read the preceding lines again, because the last one may be part of a longer line.
    for piece in log_pieces(state, max(at - 2 * LOG_LINE_BYTES_MAX, 0), state.end):
        stopped_at = finder.search(piece, begin)
        at = piece.end if stopped_at is None else stopped_at
        if (
            len(finder.matches) >= MATCHES_MAX
            or at - begin >= BYTES_MAX
            or time.monotonic() - began > SECONDS_MAX
        ):
            break
    return _page(finder.matches, at, state)


def _page(matches: list[Match], at: int, state: LogState) -> SearchPage:
    done = at >= state.end
    return SearchPage(
        matches=matches,
        next_offset=None if done else at,
        searched_fraction=1.0 if done else round(at / state.end, 4),
    )


class _Finder:
    """Search of pieces in order; keeps the last part of each stream for matches across a split."""

    def __init__(self, query: str | None) -> None:
        self.matches: list[Match] = []
        self._open: dict[bytes, _Line] = {}
        self._overlap = len(query) - 1 if query else 0
        self._needle = query.lower().encode() if query is not None and query.isascii() else None
        if query is None:
            self._pattern = _ERRORS
        else:
            # Lower-casing keeps lengths in ASCII only, so only then are the bytes searched first.
            self._pattern = re.compile(
                re.escape(query), re.IGNORECASE | (re.ASCII if query.isascii() else re.UNICODE)
            )

    def search(self, piece: Piece, begin: int) -> int | None:
        """Search the lines of `piece` from offset `begin`.

        Returns the offset of the first line that was not searched because of MATCHES_MAX, or None.
        """
        for line in self._candidates(piece):
            if len(self.matches) >= MATCHES_MAX:
                return line.offset
            before = self._open.pop(line.stream, None)
            if before is not None and line.offset >= begin:
                self._over_the_cut(before, line)
            matched = line.offset >= begin and self._in_line(line)
            if line.partial and not matched:
                self._open[line.stream] = line
        return None

    def _candidates(self, piece: Piece) -> Iterator[_Line]:
        """Yield lines that may match.

        Yields all lines if some are split or lower-casing can change lengths.
        """
        if self._open or b" P " in piece.data:
            return _lines(piece)
        if self._needle is not None:
            return _lines_at(piece, _hits(piece.data.lower(), self._needle))
        if self._pattern is _ERRORS:
            return _lines_at(
                piece,
                (
                    lambda at: (
                        match.start() if (match := _ERROR_HINTS.search(piece.data, at)) else -1
                    )
                ),
            )
        return _lines(piece)

    def _in_line(self, line: _Line) -> bool:
        text = line.text.decode(errors="replace")
        match = self._pattern.search(text)
        if match is not None:
            self._add(line, text, match)
        return match is not None

    def _over_the_cut(self, before: _Line, line: _Line) -> None:
        """Add the first match that starts in the previous part and ends in this one."""
        if not self._overlap:
            return
        width = 4 * self._overlap  # a character has at most 4 bytes in UTF-8
        tail = before.text[-width:]
        joined = (tail + line.text[:width]).decode(errors="replace")
        cut = len(tail.decode(errors="ignore"))
        for match in self._pattern.finditer(joined):
            if match.start() < cut < match.end():
                self._add(before, joined, match)
                return

    def _add(self, line: _Line, text: str, match: re.Match[str]) -> None:
        first = max(match.start() - _BEFORE_CHARS, 0)
        clipped = text[first : first + TEXT_CHARS_MAX]
        start = match.start() - first
        self.matches.append(
            Match(
                line.offset,
                line.number,
                clipped,
                start,
                min(match.end() - first, len(clipped)) - start,
            )
        )


def _hits(data: bytes, needle: bytes) -> Callable[[int], int]:
    return lambda at: data.find(needle, at)


def _lines(piece: Piece) -> Iterator[_Line]:
    """Yield every line of a piece."""
    for number, match in enumerate(_LINE.finditer(piece.data), start=piece.first_line + 1):
        yield _Line(piece.start + match.start(), number, match[1], match[2] == b"P", match[3])


def _lines_at(piece: Piece, next_hit: Callable[[int], int]) -> Iterator[_Line]:
    """Yield lines with a hit in their text, not their prefix.

    `next_hit(at)` returns the position of the next hit from `at`, or -1.
    """
    data, number, counted, at = piece.data, piece.first_line + 1, 0, 0
    while (hit := next_hit(at)) >= 0:
        match = _LINE.match(data, data.rfind(b"\n", 0, hit) + 1)
        if match is None:
            return
        if hit < match.start(3):
            at = match.start(3)
            continue
        number += data.count(b"\n", counted, match.start())
        counted, at = match.start(), match.end()
        yield _Line(piece.start + match.start(), number, match[1], match[2] == b"P", match[3])
