"""Preview page of a job's output file, and the raw response of images and documents."""

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncIterator, Iterator

import httpx
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_GET

from mimir.frontend.api_client import ApiError, api
from mimir.frontend.pages.job import file_preview
from mimir.frontend.pages.jobs.present import job_summary
from mimir.frontend.pages.shell import job_path, page, project_path, together
from mimir.frontend.session import signed_in
from mimir.lib.errors import NOT_FOUND

FILES_LISTED = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
# No scripts and no external resources; inline styles and images are allowed.
DOCUMENT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "frame-ancestors 'self'"
)


@require_GET
@signed_in
def job_file(request: HttpRequest, job_id: uuid.UUID, name: str) -> HttpResponse:
    """`/jobs/<id>/files/<name>/`: preview of the file."""
    with _opened(request, job_id, name) as answer:
        head, size = _head(answer, file_preview.READ_BYTES_MAX), _size(answer)
    row = api(request).get(job_path(job_id))
    got = together(
        request,
        project=lambda client: client.get(project_path(row["project"])),
        files=lambda client: client.get(job_path(job_id, "artifacts"), {"limit": FILES_LISTED}),
    )
    view = file_preview.view_of(name, head, size, lambda source: _raw_url(job_id, source))
    context = {
        "job": row,
        "summary": job_summary(row),
        "name": name,
        "size": size,
        "view": view,
        "files": got["files"]["results"],
        "raw_url": _raw_url(job_id, name),
        "download_url": f"/api/v1/{job_path(job_id, 'artifacts', name)}",
    }
    return page(request, "jobs/file.html", context, project=got["project"], here="jobs")


@require_GET
@signed_in
def job_file_raw(request: HttpRequest, job_id: uuid.UUID, name: str) -> HttpResponseBase:
    """`/jobs/<id>/files/<name>/raw/`: an image, or a document that cannot run scripts.

    Raises: ApiError 404 for any other file.
    """
    stack = contextlib.ExitStack()
    answer = stack.enter_context(_opened(request, job_id, name))
    try:
        pieces = answer.iter_bytes()
        head = next(pieces, b"")
        media_type = file_preview.media_type(name, head[: file_preview.READ_BYTES_MAX])
        if not media_type or _size(answer) > file_preview.FRAME_BYTES_MAX:
            raise ApiError(404, "not_found", "This file cannot be shown. Download it instead.")
    except BaseException:
        stack.close()
        raise
    response = _Passed(head, pieces, stack, content_type=media_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = DOCUMENT_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Cache-Control"] = "private, no-store"
    return response


class _Passed(StreamingHttpResponse):
    """Stream an API response and close it at the end."""

    def __init__(
        self, head: bytes, pieces: Iterator[bytes], stack: contextlib.ExitStack, content_type: str
    ) -> None:
        self._head, self._pieces = head, pieces
        super().__init__(streaming_content=(), content_type=content_type)
        self._resource_closers.append(stack.close)  # type: ignore[attr-defined]

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._head
        while piece := await asyncio.to_thread(next, self._pieces, b""):
            yield piece


def _opened(
    request: HttpRequest, job_id: uuid.UUID, name: str
) -> contextlib.AbstractContextManager[httpx.Response]:
    """Open the file's response without reading its body.

    Raises: ApiError.
    """
    if not _NAME.fullmatch(name):
        raise ApiError(404, "not_found", NOT_FOUND)
    return api(request).stream(job_path(job_id, "artifacts", name))


def _head(answer: httpx.Response, limit: int) -> bytes:
    """Return the first `limit` bytes."""
    head = bytearray()
    for piece in answer.iter_bytes():
        head += piece
        if len(head) >= limit:
            break
    return bytes(head[:limit])


def _size(answer: httpx.Response) -> int:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else 0


def _raw_url(job_id: uuid.UUID, name: str) -> str:
    """Return the raw address of a file of the job; "" for an invalid file name."""
    name = name.removeprefix("./")
    return f"/jobs/{job_id}/files/{name}/raw/" if _NAME.fullmatch(name) else ""
