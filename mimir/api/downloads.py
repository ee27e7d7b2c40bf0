"""Downloads: byte ranges, conditional requests, HEAD and gzip.

RFC 9110, sections 8.8, 12.5.3, 13 and 14. A single range is answered with 206; several ranges, and
other units, with the whole content, as the RFC allows. Text is compressed for clients that accept
gzip, except for ranges. A download uses the memory of one block.
"""

import asyncio
import datetime as dt
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import http_date, parse_http_date_safe
from rest_framework.request import Request

from mimir.api.audit import audit_log
from mimir.api.errors import error_response
from mimir.api.etags import PreconditionFailed, listed_etags, strong_match, weak_match
from mimir.api.responses import FileStream, protect, safe_name
from mimir.lib.errors import MimirError

GZIP_BYTES_MIN = 1024
_GZIP_LEVEL = 1  # the fastest level: text still shrinks to about a fifth
_GZIP_WINDOW = 31  # zlib's value for a gzip header
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)
_TEXT = re.compile(
    r"text/.*|application/(.*[+-])?(json|xml|yaml|x-ndjson|javascript|sql)", re.IGNORECASE
)
_TEXT_NAME = re.compile(
    r".*\.(csv|tsv|txt|log|md|json|jsonl|ndjson|geojson|xml|yaml|yml|html|svg|sql|py|js|css)",
    re.IGNORECASE | re.DOTALL,
)

Sender = Callable[[int, int | None], HttpResponse | StreamingHttpResponse]


@dataclass(frozen=True, slots=True)
class Representation:
    """The content of a download, before anything is read.

    `etag`: strong and quoted; changes with every byte. `size_bytes`: None if unknown, which
    excludes ranges. `send(start, length)`: returns a response with these bytes; `length` None: all
    the rest. `headers`: further headers of each response.
    """

    etag: str
    size_bytes: int | None
    media_type: str
    name: str
    send: Sender
    is_text: bool = False
    modified_at: dt.datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def is_text(media_type: str, name: str) -> bool:
    """Whether the content is text by its media type or file name, so worth compressing."""
    return bool(_TEXT.fullmatch(media_type.partition(";")[0].strip()) or _TEXT_NAME.fullmatch(name))


def file_sender(
    open_file: Callable[[], IO[bytes]],
    *,
    size_bytes: int,
    on_close: Callable[[], None] | None = None,
) -> Sender:
    """Return a function that sends parts of a seekable file, opened when needed.

    `on_close`: called after the file of a response is closed.
    """

    def send(start: int, length: int | None) -> StreamingHttpResponse:
        file = open_file()
        try:
            if start:
                file.seek(start)
        except BaseException:
            file.close()
            raise
        return FileStream(
            file, length=size_bytes - start if length is None else length, on_close=on_close
        )

    return send


def download(request: Request, content: Representation) -> HttpResponseBase:
    """Return the response to a GET or HEAD of `content`.

    Raises: PreconditionFailed if `If-Match` names another ETag, and errors of `content.send`.
    """
    gzipped = _wants_gzip(request, content)
    compressed_etag = f'{content.etag[:-1]}.gzip"'
    etag, other = (compressed_etag, content.etag) if gzipped else (content.etag, compressed_etag)
    if (wanted := listed_etags(request, "If-Match")) is not None and not (
        strong_match(etag, wanted) or strong_match(other, wanted)
    ):
        raise PreconditionFailed("It was changed after you read it.", detail={"etag": content.etag})
    for known in (
        etag,
        other,
    ):  # both represent the same content, so either ETag is valid
        if _is_unchanged(request, content, known):
            return _with_headers(HttpResponse(status=304), content, known, is_whole=False)
    part = None if gzipped else _range(request, content)
    if part is not None and part[1] <= 0:
        return _unsatisfiable(content)
    start, length = part or (0, content.size_bytes)
    response: HttpResponseBase = content.send(start, length)
    if gzipped:
        response = GzipStream(response)
        response["Content-Encoding"] = "gzip"
    elif length is not None:
        response["Content-Length"] = str(length)
    if part is not None:
        response.status_code = 206
        response["Content-Range"] = f"bytes {start}-{start + length - 1}/{content.size_bytes}"  # type: ignore[operator]
    if request.method == "HEAD":
        response = without_body(response)
    else:
        audit_log("download", path=request.path, name=content.name, start=start, bytes=length)
    return _with_headers(response, content, etag, is_whole=True)


def _wants_gzip(request: Request, content: Representation) -> bool:
    """Whether to compress. Not for HEAD: the compressed length is unknown."""
    if request.method != "GET":
        return False
    long_enough = content.size_bytes is None or content.size_bytes >= GZIP_BYTES_MIN
    return (
        content.is_text
        and long_enough
        and "Range" not in request.headers
        and accepts_gzip(request.headers.get("Accept-Encoding", ""))
    )


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header allows gzip, by name or by `*`, with a weight above 0."""
    weights: dict[str, float] = {}
    for part in header.lower().split(",")[:50]:
        name, _, parameter = part.partition(";")
        weight = (
            re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", parameter) if parameter else None
        )
        weights[name.strip()] = float(weight[1]) if weight else float(not parameter)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def _is_unchanged(request: Request, content: Representation, etag: str) -> bool:
    known = listed_etags(request, "If-None-Match")
    if known is not None:
        return weak_match(etag, known)
    since = parse_http_date_safe(request.headers.get("If-Modified-Since", ""))
    return (
        content.modified_at is not None
        and since is not None
        and int(content.modified_at.timestamp()) <= since
    )


def _range(request: Request, content: Representation) -> tuple[int, int] | None:
    """Return first byte and length of the range; None for the whole; length 0 if unsatisfiable."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    size = content.size_bytes
    if (
        match is None
        or size is None
        or request.method != "GET"
        or not _is_range_current(request, content)
    ):
        return None
    first, last = match.groups()
    if not first:
        return None if not last else (max(size - int(last), 0), min(int(last), size))
    if last and int(last) < int(first):
        return None
    stop = min(int(last) + 1, size) if last else size
    return int(first), max(stop - int(first), 0)


def _is_range_current(request: Request, content: Representation) -> bool:
    """Whether `If-Range` matches the current content."""
    condition = request.headers.get("If-Range", "").strip()
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == content.etag
    return content.modified_at is not None and parse_http_date_safe(condition) == int(
        content.modified_at.timestamp()
    )


def _unsatisfiable(content: Representation) -> HttpResponse:
    message = f"The range is outside the content, which has {content.size_bytes} bytes."
    response = error_response(
        MimirError(
            message,
            code="range_not_satisfiable",
            status=416,
            detail={"size_bytes": content.size_bytes},
        )
    )
    response["Content-Range"] = f"bytes */{content.size_bytes}"
    return response


def without_body(response: HttpResponseBase) -> HttpResponseBase:
    """Return the response to a HEAD: the same headers, nothing read."""
    bare = _Empty(status=response.status_code)
    for name, value in response.items():
        bare[name] = value
    response.close()
    return bare


def _with_headers(
    response: HttpResponseBase, content: Representation, etag: str, *, is_whole: bool
) -> HttpResponseBase:
    response["ETag"] = etag
    patch_vary_headers(response, ("Accept-Encoding",))
    protect(response, cache_control="private, no-cache")
    if content.modified_at is not None:
        response["Last-Modified"] = http_date(content.modified_at.timestamp())
    for name, value in content.headers.items():
        response[name] = value
    if not is_whole:
        del response["Content-Type"]
        return response
    response["Content-Type"] = content.media_type
    response["Content-Disposition"] = f'attachment; filename="{safe_name(content.name)}"'
    response["Accept-Ranges"] = "none" if content.size_bytes is None else "bytes"
    return response


class _Empty(StreamingHttpResponse):
    """A response without a body. Middleware would set the length of an empty body to 0."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for block in self:
            yield block


class GzipStream(StreamingHttpResponse):
    """The body of another response, compressed block by block."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        super().__init__(streaming_content=())
        self._resource_closers.append(inner.close)  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[bytes]:
        packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        for block in self._inner:
            if packed := packer.compress(block):
                yield packed
        yield packer.flush()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        if self._inner.streaming:
            async for block in self._inner:
                if packed := await asyncio.to_thread(packer.compress, block):
                    yield packed
        else:
            yield await asyncio.to_thread(packer.compress, self._inner.content)
        yield packer.flush()
