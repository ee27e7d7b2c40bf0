"""ZIP archives that are written while they are sent: nothing is stored, and memory is bounded."""

import datetime as dt
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BLOCK_BYTES = 64 * 1024
_LEVEL = 1  # the fastest: text still shrinks to about a fifth
_READABLE = 0o644 << 16  # file mode in the archive
_OLDEST = (1980, 1, 1, 0, 0, 0)  # the format has no earlier time


@dataclass(frozen=True, slots=True)
class Member:
    """File of an archive. `pieces` is read when its turn comes.

    `bytes_max`: upper limit of its size; 0 if that is far below 2 GiB. From 2 GiB on, the member
    has the header of the ZIP64 format, which old programs cannot read.
    """

    name: str
    pieces: Iterable[bytes]
    bytes_max: int = 0


class _Sink:
    """Collects the bytes that an archive writes. It cannot seek, so the archive does not."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        self._blocks.append(bytes(data))
        self.size_bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: `take` empties the sink."""

    def take(self) -> bytes:
        taken = b"".join(self._blocks)
        self._blocks, self.size_bytes = [], 0
        return taken


def zip_stream(members: Iterable[Member], *, at: dt.datetime) -> Iterator[bytes]:
    """Yield a ZIP archive in blocks, the members in the given order.

    `at`: time of all members, in UTC. An error of a member's pieces ends the stream without the
    archive's directory: every program reports the file as incomplete.
    """
    sink = _Sink()
    archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)  # type: ignore[call-overload]
    for member in members:
        with archive.open(_info(member, at), "w") as file:
            for piece in member.pieces:
                file.write(piece)
                if sink.size_bytes >= BLOCK_BYTES:
                    yield sink.take()
    archive.close()
    yield sink.take()


def _info(member: Member, at: dt.datetime) -> zipfile.ZipInfo:
    time = at.astimezone(dt.UTC).timetuple()[:6]
    info = zipfile.ZipInfo(member.name, max(_OLDEST, time))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = _READABLE
    info.file_size = member.bytes_max  # decides about ZIP64; the real size follows the data
    return info
