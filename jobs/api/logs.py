"""Log of a job: any part of it, the whole as a stream, and search on the server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import serializers
from jobs.api.details import ATTEMPT
from jobs.logs.read import LogSlice, Stream, log_read, log_read_raw
from jobs.logs.search import QUERY_CHARS_MAX, log_search
from jobs.models import Attempt
from jobs.queries.jobs import attempt_of, job_for
from mimir.api.downloads import Representation, download
from mimir.api.query import flag, whole_number
from mimir.api.schema import DOWNLOAD, download_responses, errors
from mimir.api.views import ApiView, caller
from mimir.lib.errors import Invalid

_QUERY_RULE = f"must be 1 to {QUERY_CHARS_MAX} characters on one line"
_QUERY = {
    "type": "string",
    "pattern": rf"^[^\n\u0000]{{1,{QUERY_CHARS_MAX}}}$",
    "x-rule": _QUERY_RULE,
}
IN_MEMORY_BYTES = 4 * 1024 * 1024  # smaller responses are built in memory, which is faster


class ChunkStream(StreamingHttpResponse):
    """Stream of chunks that are read from the database while they are sent.

    Each chunk is read in a thread, which closes its database connection afterwards.
    """

    def __init__(self, pieces: Iterator[bytes], **kwargs: Any) -> None:
        self._pieces = pieces
        super().__init__(streaming_content=(), **kwargs)
        self._resource_closers.append(self._stop)  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def _stop(self) -> None:
        """Close the generator of the pieces, and with it the file that it reads."""
        # ValueError: a thread runs the generator, and drops it afterwards.
        with contextlib.suppress(ValueError):
            if isinstance(self._pieces, Generator):
                self._pieces.close()

    def _next(self) -> bytes | None:
        try:
            return next(self._pieces, None)
        finally:
            connection.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await asyncio.to_thread(self._next)) is not None:
            yield piece


class LogView(ApiView):
    """Log of an attempt."""

    @extend_schema(
        operation_id="jobs_log",
        parameters=[
            ATTEMPT,
            whole_number(
                "offset",
                "Start, in stored bytes. Negative: from the end.",
                minimum=-(2**48),
                maximum=2**48,
            ),
            whole_number(
                "limit",
                "Maximum number of stored bytes. Default: all, streamed.",
                minimum=0,
                maximum=2**48,
            ),
            OpenApiParameter(
                "format",
                OpenApiTypes.STR,
                enum=["cri", "raw"],
                description="raw: output of the workload without the prefixes. Default: cri.",
            ),
            OpenApiParameter(
                "stream",
                OpenApiTypes.STR,
                enum=["stdout", "stderr"],
                description="Only this stream. Requires format=raw.",
            ),
            *DOWNLOAD,
        ],
        responses=download_responses("text/plain", type=OpenApiTypes.STR),
    )
    def get(self, request: Request, job_id: UUID) -> HttpResponseBase:
        """Return stored bytes: lines of `<RFC 3339 time> stdout|stderr F|P <text>`.

        Byte ranges are supported, except for more than 4 MiB of raw text.

        Headers, in stored bytes:

        - Log-Offset: start of the response.
        - Log-Line: number of the first line, from 1.
        - Log-Next: offset of the next request.
        - Log-End: current end.
        - Log-Complete: whether the end is final and nothing is missing.
        """
        attempt = attempt_of(job=job_for(caller(request), job_id), number=self.query.get("attempt"))
        if attempt is None:
            return download(request, _representation(LogSlice(0, 1, 0, 0, False, iter(())), "none"))
        return download(request, _requested_part(self.query, attempt))


def _requested_part(query: Mapping[str, Any], attempt: Attempt) -> Representation:
    """Return the requested part of a log. Raises: Invalid."""
    offset, limit, stream = query.get("offset", 0), query.get("limit"), query.get("stream")
    if query.get("format") == "raw":
        part = log_read_raw(
            attempt=attempt, offset=offset, limit=limit, stream=cast("Stream | None", stream)
        )
        return _representation(part, f"{attempt.id}.raw.{stream or 'both'}")
    if stream:
        raise Invalid("stream: requires format=raw.", detail={"stream": "requires format=raw"})
    part = log_read(attempt=attempt, offset=offset, limit=limit)

    def read(start: int, length: int) -> Iterator[bytes]:
        return (
            part.chunks
            if start == 0
            else log_read(attempt=attempt, offset=part.offset + start, limit=length).chunks
        )

    return _representation(part, f"{attempt.id}.cri", read)


def _representation(
    part: LogSlice, name: str, read: Callable[[int, int], Iterator[bytes]] | None = None
) -> Representation:
    """Return the part as a downloadable representation.

    Logs are append-only, so two offsets identify their bytes in the ETag. `read(start, length)`
    reads any bytes of the part; it is given only if their number is known in advance.
    """
    stored = part.next_offset - part.offset
    body = b"".join(part.chunks) if stored <= IN_MEMORY_BYTES else None
    size = len(body) if body is not None else stored if read is not None else None

    def send(start: int, length: int | None) -> HttpResponse | StreamingHttpResponse:
        if body is not None:
            return HttpResponse(body[start:] if length is None else body[start : start + length])
        if read is None:
            return ChunkStream(part.chunks)
        wanted = stored - start if length is None else length
        return ChunkStream(_first(read(start, wanted), wanted))

    return Representation(
        etag=f'"{name}.{part.offset}.{part.next_offset}.{part.end}.{int(part.complete)}"',
        size_bytes=size,
        media_type="text/plain; charset=utf-8",
        name="log.txt",
        send=send,
        is_text=True,
        headers={
            "Log-Offset": str(part.offset),
            "Log-Line": str(part.first_line),
            "Log-Next": str(part.next_offset),
            "Log-End": str(part.end),
            "Log-Complete": "true" if part.complete else "false",
        },
    )


def _first(pieces: Iterator[bytes], length: int) -> Iterator[bytes]:
    """Yield the first `length` bytes of `pieces`."""
    left = length
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return


class LogSearchView(ApiView):
    """Search in a log."""

    @extend_schema(
        operation_id="jobs_log_search",
        parameters=[
            OpenApiParameter(
                "q",
                _QUERY,
                description=f"Literal text, case-insensitive, 1 to {QUERY_CHARS_MAX} characters.",
            ),
            flag("errors", "Find lines that look like errors, instead of q."),
            ATTEMPT,
            whole_number("cursor", "From `next` of the previous page.", minimum=0, maximum=2**48),
        ],
        responses={200: serializers.SearchShape, **errors(400, 404)},
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """Return lines that contain the text, in order.

        One request searches a bounded part of the log. Continue at `next`, even if `results` is
        empty.
        """
        attempt = attempt_of(job=job_for(caller(request), job_id), number=self.query.get("attempt"))
        text = _search_text(self.query)
        if attempt is None:
            return Response({"results": [], "next": None, "searched_fraction": 1.0})
        page = log_search(attempt=attempt, query=text, offset=self.query.get("cursor", 0))
        rows = [
            {
                "offset": match.offset,
                "line": match.line,
                "text": match.text,
                "match_start": match.match_start,
                "match_length": match.match_length,
            }
            for match in page.matches
        ]
        return Response(
            {
                "results": rows,
                "next": _next(request, page.next_offset),
                "searched_fraction": page.searched_fraction,
            }
        )


def _search_text(query: Mapping[str, Any]) -> str | None:
    if query.get("errors"):
        if "q" in query:
            raise Invalid(
                "q: cannot be combined with errors.", detail={"q": "cannot be combined with errors"}
            )
        return None
    if "q" not in query:
        raise Invalid("q: is missing. Set q or errors=true.", detail={"q": "is missing"})
    return str(query["q"])


def _next(request: Request, offset: int | None) -> str | None:
    if offset is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = str(offset)
    return f"{request.path}?{query.urlencode()}"
