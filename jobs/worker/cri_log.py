"""Format the bytes of a stream as stored log lines, in the log format of the Kubernetes CRI.

`<RFC 3339 nano> stdout|stderr F|P <text>\\n`: F ends a line, P is a part of a line that continues.
The text is unchanged bytes. The stream is the concatenation of the texts, with a line end after
each F. No stored line is longer than `contract.LOG_LINE_BYTES_MAX`.
"""

from jobs.contract import LOG_LINE_BYTES_MAX
from mimir.lib.clock import rfc3339_nano

_PREFIX_BYTES = 30 + len(" stdout F ") + 1  # a time has 30 bytes; the last byte is the line end
TEXT_BYTES_MAX = LOG_LINE_BYTES_MAX - _PREFIX_BYTES


class LineFormatter:
    """Formatter of one stream. Buffers at most one unfinished part of a line."""

    def __init__(self, stream: str) -> None:
        self._tag = {kind: f" {stream} {kind} ".encode() for kind in "FP"}
        self._rest = b""

    @property
    def pending(self) -> bool:
        """Whether an unfinished line is buffered.

        Callers `flush` it after a short pause of the stream: this makes progress bars visible.
        """
        return bool(self._rest)

    def feed(self, data: bytes, nanoseconds: int) -> bytes:
        """Return the stored lines completed by `data`, which was read at `nanoseconds` (Unix)."""
        stamp = rfc3339_nano(nanoseconds).encode()
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        out: list[bytes] = []
        for line in lines:
            out.extend(self._parts(stamp, line, last=b"F"))
        if len(self._rest) >= TEXT_BYTES_MAX:
            whole = len(self._rest) // TEXT_BYTES_MAX * TEXT_BYTES_MAX
            out.extend(self._parts(stamp, self._rest[:whole], last=b"P"))
            self._rest = self._rest[whole:]
        return b"".join(out)

    def flush(self, nanoseconds: int) -> bytes:
        """Return the unfinished line as a P part; empty if there is none."""
        rest, self._rest = self._rest, b""
        return (
            b"".join(self._parts(rfc3339_nano(nanoseconds).encode(), rest, last=b"P"))
            if rest
            else b""
        )

    def _parts(self, stamp: bytes, text: bytes, *, last: bytes) -> list[bytes]:
        """Return `text` as stored lines of maximum size; the last one has the tag `last`."""
        final, part = self._tag[last.decode()], self._tag["P"]
        if len(text) <= TEXT_BYTES_MAX:
            return [stamp + final + text + b"\n"]
        cuts = range(0, len(text), TEXT_BYTES_MAX)
        return [
            stamp
            + (final if cut + TEXT_BYTES_MAX >= len(text) else part)
            + text[cut : cut + TEXT_BYTES_MAX]
            + b"\n"
            for cut in cuts
        ]
