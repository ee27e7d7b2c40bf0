"""Recognition of a file's format by its first bytes, and bounded unpacking."""

import bz2
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mimir.lib.reading.messages import Notice
from mimir.lib.tables import NotATable

HEAD_BYTES = 1024 * 1024
UNPACKED_BYTES_MAX = 4 * 1024**3
RATIO_MAX, RATIO_FREE_BYTES = 200, 64 * 1024**2  # below this size the ratio is not checked
_BLOCK = 1024 * 1024
_PACKED = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)
APPLE_DOUBLE = b"\x00\x05\x16\x07"
_BINARY = (
    (
        APPLE_DOUBLE,
        "a macOS metadata file (its name begins with ._), not the file itself",
    ),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"RIFF", "a sound, video or WebP file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"FEA1", "a Feather file of version 1"),
    (b"RDX", "an R data file"),
    (b"$FL2", "an SPSS file"),
    (b"<stata_dta>", "a Stata file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"{\\rtf", "an RTF document"),
)
_TEXT = (
    (
        re.compile(rb"version https?://git-lfs\.github\.com/spec"),
        "a Git LFS pointer, not the file itself. Run git lfs pull and upload the file",
    ),
    (
        re.compile(
            rb"(?i)(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body|table|title|meta|div|p)\b",
            re.DOTALL,
        ),
        "an HTML page",
    ),
    (re.compile(rb"(?i)<\?xml"), "an XML file"),
    (re.compile(rb"(?i)<svg\b"), "an SVG image"),
    (re.compile(rb"-----BEGIN [A-Z ]+-----"), "a key or a certificate"),
    (
        re.compile(
            rb"((var|let|const|window\.)[ "
            rb"\w.$]+=|(export\s+default)|[\w.$]+\()\s*[\[{]\s*([\[{\"\]}]|$)"
        ),
        "JavaScript with JSON inside. Keep only the JSON, from its first bracket to its last",
    ),
)
_JSON_COMMENTS = re.compile(
    rb"^(?:(?:(?://|#)[^\r\n]*[\r\n]\s*|/\*.*?\*/\s*)+(?=\{\s*[\"}]|\[\s*[\[{\"]))", re.DOTALL
)  # before JSON
_USE = "Upload CSV, JSON, Parquet, Arrow or Excel"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A recognised file. `format`: one of `options.FORMATS`. `path`: the unpacked file.

    `packing`: the compression, such as `gzip` or `zip`; empty for none.
    """

    format: str
    path: Path
    packing: str
    warnings: tuple[Notice, ...] = ()


def recognise(
    path: Path, work: Path, *, unpacked_bytes_max: int = UNPACKED_BYTES_MAX
) -> Recognised:
    """Return the format of the file at `path`; unpack it into `work`. Raises: NotATable."""
    head = read_head(path)
    if not head:
        raise NotATable("The file is empty.")
    packing = _packing(path, head)
    if not packing:
        return Recognised(_format(path, head), path, "")
    target = work / "unpacked"
    name = _unpack(path, packing, target, unpacked_bytes_max)
    head = read_head(target)
    if not head:
        raise NotATable(f"The file inside the {packing} file is empty.")
    inner = _packing(target, head)
    if inner:
        raise NotATable(
            f"The {packing} file contains a {inner} file. Unpack it once and upload the file "
            "inside."
        )
    if head[257:262] == b"ustar":
        raise NotATable(
            f"The {packing} file contains a tar archive. Unpack it and upload one table file."
        )
    warning = Notice("unpacked", {"packing": packing, "name": name})
    return Recognised(
        _format(target, head), target, packing, (warning,) if packing == "zip" else ()
    )


def read_head(path: Path) -> bytes:
    """Return the first HEAD_BYTES of a file."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _packing(path: Path, head: bytes) -> str:
    for magic, name in _PACKED:
        if head.startswith(magic):
            return name
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")) and not _is_workbook(path):
        return "zip"
    return ""


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "word/document.xml" in names or "ppt/presentation.xml" in names:
                raise NotATable(f"The file is a Word or PowerPoint document. {_USE}.")
            return (
                "xl/workbook.xml" in names
                or "xl/workbook.bin" in names
                or {"content.xml", "mimetype"} <= names
            )
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return False


def _format(path: Path, head: bytes) -> str:
    if head.startswith(b"PAR1"):
        return _parquet(path)
    if head.startswith(b"ARROW1") or (
        head.startswith(b"\xff\xff\xff\xff") and len(head) > 8 and head[8:].strip(b"\x00")
    ):
        return "arrow"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") or _packing_magic(head):
        return "excel"
    for magic, what in _BINARY:
        if head.startswith(magic) and (
            magic not in (b"MZ", b"ORC", b"RIFF", b"RDX") or b"\x00" in head[:512]
        ):
            raise NotATable(f"The file is {what}. {_USE}.")
    start = _start(head)
    if not start:
        raise NotATable("The file contains only white space.")
    for pattern, what in _TEXT:
        if pattern.match(start):
            raise NotATable(
                f"The file is {what}."
                if "." in what
                else f"The file is {what}, not a table. {_USE}."
            )
    start = _JSON_COMMENTS.sub(b"", start).lstrip(b"\x1e")
    if start[:1] == b"{":
        return "json"
    return (
        "json"
        if start[:1] == b"["
        and re.match(rb"\[\s*([\[{\]0-9-]|\"[^\"]*\"\s*[,\]]|true|false|null)", start)
        else "csv"
    )


def _packing_magic(head: bytes) -> bool:
    return head.startswith(b"PK")  # other zip archives were unpacked before


def _start(head: bytes) -> bytes:
    """Return the first characters as ASCII, without byte order mark and white space.

    NUL bytes are removed, so that UTF-16 and UTF-32 are recognised, too.
    """
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        if head.startswith(mark):
            head = head[len(mark) :]
            break
    return head[:4096].replace(b"\x00", b"").lstrip() or head.replace(b"\x00", b"").lstrip()[:4096]


def _parquet(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(-4, 2)
        if file.read() != b"PAR1":
            raise NotATable(
                "The file begins as Parquet but has no Parquet end: it is truncated. Upload it"
                " again."
            )
    return "parquet"


def _unpack(path: Path, packing: str, target: Path, bytes_max: int) -> str:
    """Unpack `path` into `target` and return the member's name. Raises: NotATable."""
    packed_bytes = path.stat().st_size
    try:
        with _opened(path, packing) as (file, name), target.open("wb") as output:
            written = 0
            while block := file.read(_BLOCK):
                written += len(block)
                if written > bytes_max:
                    raise NotATable(
                        f"The unpacked file is larger than {bytes_max:,} bytes. Split it, or "
                        "upload it as Parquet."
                    )
                if written > RATIO_FREE_BYTES and written > RATIO_MAX * packed_bytes:
                    raise NotATable(
                        f"The file unpacks to more than {RATIO_MAX} times its size. Unpack it and "
                        "upload the file inside."
                    )
                output.write(block)
    except (
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        OSError,
        RuntimeError,
        NotImplementedError,
        ValueError,
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise NotATable(
            f"The {packing} file is damaged or truncated. Pack it again and upload it."
        ) from error
    return name


class _opened:  # noqa: N801 - used as a context manager only
    def __init__(self, path: Path, packing: str) -> None:
        self._path, self._packing = path, packing
        self._archive: zipfile.ZipFile | None = None

    def __enter__(self) -> tuple[Any, str]:
        name = self._path.name
        if self._packing == "gzip":
            self._file: Any = gzip.open(self._path, "rb")
        elif self._packing == "bzip2":
            self._file = bz2.open(self._path, "rb")
        elif self._packing == "xz":
            self._file = lzma.open(self._path, "rb")
        elif self._packing == "zstd":
            import pyarrow

            self._file = pyarrow.CompressedInputStream(pyarrow.OSFile(str(self._path)), "zstd")
        else:
            self._file, name = self._member()
        return self._file, name

    def _member(self) -> tuple[IO[bytes], str]:
        archive = self._archive = zipfile.ZipFile(self._path)
        found = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not _is_litter(member.filename)
        ]
        if len(found) != 1:
            names = ", ".join(member.filename[:60] for member in found[:5]) or "none"
            raise NotATable(
                f"The zip archive must have one file, and has {len(found)} ({names}). Upload one "
                "table file at a time."
            )
        if found[0].flag_bits & 1:
            raise NotATable(
                "The zip archive is protected by a password. Unpack it and upload the file inside."
            )
        return archive.open(found[0]), found[0].filename[:200]

    def __exit__(self, *_: object) -> None:
        self._file.close() if hasattr(self, "_file") else None
        if self._archive is not None:
            self._archive.close()


def _is_litter(name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    return (
        name.startswith("__MACOSX/") or last.startswith("._") or last in (".DS_Store", "Thumbs.db")
    )


def blocks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
