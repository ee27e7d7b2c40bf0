"""Conversion of text files to UTF-8 without byte order mark.

The encoding is given, marked in the file, or guessed and reported.
"""

import codecs
from dataclasses import dataclass
from pathlib import Path

from mimir.lib.reading.container import blocks
from mimir.lib.reading.messages import Notice, shown
from mimir.lib.tables import NotATable

_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_NAMES = {
    "cp1252": "Windows-1252",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
}
GUESS_SHARE_MAX = 0.3  # share of all letters: with more bytes above 127 it is not a Western text
_NOT_1252 = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])


@dataclass(frozen=True, slots=True)
class Text:
    """A UTF-8 file and its line ends: counts of CR LF, LF and CR."""

    path: Path
    encoding: str
    crlf: int
    lf: int
    cr: int
    warnings: tuple[Notice, ...] = ()


def as_utf8(path: Path, work: Path, *, encoding: str = "") -> Text:
    """Return the text of a file as UTF-8. `encoding`: empty to detect it. Raises: NotATable."""
    with path.open("rb") as file:
        start = file.read(65_536)
    chosen = encoding or _marked(start) or _unmarked(start)
    warnings: list[Notice] = []
    if chosen in ("", "utf-8"):
        fault = _utf8_fault(path)
        if not fault:
            return _counted(_without_mark(path, work, start), "utf-8", ())
        if chosen:
            raise NotATable(fault)
        chosen = _guess(path, fault)
        warnings.append(
            Notice(
                "guessed_encoding", {"encoding": _NAMES[chosen], "example": _example(path, chosen)}
            )
        )
    elif not encoding or chosen != "utf-8":
        warnings.append(Notice("converted_encoding", {"encoding": _NAMES.get(chosen, chosen)}))
    return _counted(_transcoded(path, work, chosen), chosen, tuple(warnings))


def _marked(start: bytes) -> str:
    return next((name for mark, name in _MARKS if start.startswith(mark)), "")


def _unmarked(start: bytes) -> str:
    """Detect UTF-16 without a mark: every second byte of ASCII text is 0."""
    even, odd = start[0:2000:2], start[1:2000:2]
    if len(odd) >= 4 and odd.count(0) > 0.9 * len(odd) and not even.count(0):
        return "utf-16-le"
    return (
        "utf-16-be"
        if len(even) >= 4 and even.count(0) > 0.9 * len(even) and not odd.count(0)
        else ""
    )


def _utf8_fault(path: Path) -> str:
    """Return the message for the first byte that is not UTF-8; "" for none.

    Raises: NotATable for a NUL character.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, line = 0, 1
    for block in blocks(path):
        kept = len(decoder.getstate()[0])  # bytes of a character from the previous block
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            line += block[: max(0, error.start - kept)].count(b"\n")
            position, byte = offset - kept + error.start, error.object[error.start]
            return (
                f"The file is not UTF-8: byte {position} in line {line} is 0x{byte:02X}. Save it "
                "as UTF-8, or choose its encoding."
            )
        if b"\x00" in block:
            line += block[: block.index(b"\x00")].count(b"\n")
            raise NotATable(
                f"Line {line} contains a NUL character (U+0000), which is not "
                "allowed in text. The file may be binary or "
                "damaged."
            )
        offset, line = offset + len(block), line + block.count(b"\n")
    if decoder.getstate()[0]:
        return (
            f"The file ends in the middle of a character, in line {line}: it is truncated, or not "
            "UTF-8."
        )
    return ""


def _guess(path: Path, fault: str) -> str:
    """Return Windows-1252 for a plausible Western text. Raises: NotATable."""
    high = letters = 0
    for block in blocks(path):
        if b"\x00" in block:
            raise NotATable(
                "The file is binary, or text in an unknown encoding. Save it as UTF-8 and upload "
                "that."
            )
        if any(byte in block for byte in _NOT_1252):
            raise NotATable(fault)
        counted = sum(byte > 127 for byte in block[:65_536])
        high, letters = (
            high + counted,
            letters + counted + sum(chr(byte).isalpha() for byte in block[:65_536] if byte < 128),
        )
    if high > GUESS_SHARE_MAX * max(letters, 1) and high > 3:
        raise NotATable(fault)
    return "cp1252"


def _example(path: Path, encoding: str) -> str:
    """Return the text around the first non-ASCII character."""
    for block in blocks(path):
        position = next((index for index, byte in enumerate(block) if byte > 127), None)
        if position is not None:
            around = block[max(0, position - 12) : position + 12].decode(encoding, "replace")
            return shown(" ".join(around.split()))
    return ""


def _transcoded(path: Path, work: Path, encoding: str) -> Path:
    target = work / "utf8.txt"
    decoder = codecs.getincrementaldecoder(encoding)()
    first, line = True, 1
    with target.open("w", encoding="utf-8", newline="") as output:
        for block in (*blocks(path), b""):
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                message = (
                    f"The file is not {_NAMES.get(encoding, encoding)}: a byte near line {line} "
                    "does not fit. Choose its encoding."
                )
                raise NotATable(message) from error
            if "\x00" in text:
                raise NotATable(
                    f"Line {line + text[: text.index(chr(0))].count(chr(10))} contains a NUL "
                    "character (U+0000), which is not allowed in text."
                )
            output.write(text.removeprefix("\ufeff") if first else text)
            first, line = first and not text, line + text.count("\n")
    return target


def _without_mark(path: Path, work: Path, start: bytes) -> Path:
    if not start.startswith(codecs.BOM_UTF8):
        return path
    target = work / "unmarked.txt"
    with target.open("wb") as output:
        first = True
        for block in blocks(path):
            output.write(block.removeprefix(codecs.BOM_UTF8) if first else block)
            first = False
    return target


def _counted(path: Path, encoding: str, warnings: tuple[Notice, ...]) -> Text:
    crlf = lf = cr = 0
    last = b""
    for block in blocks(path):
        crlf += block.count(b"\r\n") + (last == b"\r" and block.startswith(b"\n"))
        lf, cr = lf + block.count(b"\n"), cr + block.count(b"\r")
        last = block[-1:]
    return Text(path, encoding, crlf, lf - crlf, cr - crlf, warnings)
