"""Files for users, as attachments that a browser does not sniff or run, streamed in pieces."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import IO, Any

from django.http import StreamingHttpResponse

BLOCK_BYTES = 256 * 1024


class FileStream(StreamingHttpResponse):
    """Streams an open file from its position, at most `length` bytes; then closes it.

    It calls `on_close` at the end. It iterates both ways: under ASGI, Django would read a
    synchronous iterator into memory; WSGI and the test client cannot use an asynchronous one.
    """

    def __init__(
        self,
        file: IO[bytes],
        *,
        length: int | None = None,
        on_close: Callable[[], None] | None = None,
        **kwargs: Any,
    ) -> None:
        self._file, self._left = file, length
        super().__init__(streaming_content=(), **kwargs)
        self._resource_closers.append(file.close)  # type: ignore[attr-defined]
        if on_close:
            self._resource_closers.append(on_close)  # type: ignore[attr-defined]
        if length is not None:
            self["Content-Length"] = str(length)

    def _read(self) -> bytes:
        wanted = BLOCK_BYTES if self._left is None else min(BLOCK_BYTES, self._left)
        block = self._file.read(wanted) if wanted else b""
        if self._left is not None:
            self._left -= len(block)
        return block

    def __iter__(self) -> Iterator[bytes]:
        while block := self._read():
            yield block

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while block := await asyncio.to_thread(self._read):
            yield block


def attachment(
    file: IO[bytes],
    *,
    name: str,
    media_type: str,
    length: int | None = None,
    on_close: Callable[[], None] | None = None,
) -> FileStream:
    """Return `file` as a download named `name`.

    Its content never runs on this site: nosniff, and a sandbox if it is opened anyway.
    """
    response = FileStream(file, length=length, on_close=on_close, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{safe_name(name)}"'
    protect(response)
    return response


def safe_name(name: str) -> str:
    """Return a file name that needs no quotes in a header or a shell."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:200] or "download"


def protect(response: Any, *, cache_control: str = "private, no-store") -> None:
    """Set the headers of content that users or workers wrote.

    With an ETag, `no-cache` lets a client store the content and revalidate it.
    """
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = cache_control
