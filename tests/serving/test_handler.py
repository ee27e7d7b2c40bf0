"""Django's handler: one thread per request, and streams that end when their client disconnects."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from mimir.handler import Handler
from mimir.lib.asgi import Message

pytestmark = pytest.mark.timeout(30)
seen: list[int] = []  # thread of each step of a request
closed = threading.Event()


def mark(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Middleware with each hook that Django supports."""

    class Mark:
        async_capable = sync_capable = True

        def __call__(self, request: HttpRequest) -> HttpResponse:
            seen.append(threading.get_ident())
            return get_response(request)

        def process_view(self, *_: Any) -> None:
            seen.append(threading.get_ident())

    return Mark()


def plain(_request: HttpRequest) -> HttpResponse:
    """Return a short response."""
    seen.append(threading.get_ident())
    return HttpResponse("plain")


def endless(_request: HttpRequest) -> StreamingHttpResponse:
    """Return a response without an end."""

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"part"
            await asyncio.sleep(0)

    response = StreamingHttpResponse(parts())
    response._resource_closers.append(closed.set)  # type: ignore[attr-defined]
    return response


def broken(_request: HttpRequest) -> HttpResponse:
    """Raise an error."""
    raise ZeroDivisionError


urlpatterns = [path("plain/", plain), path("endless/", endless), path("broken/", broken)]


@pytest.fixture
def handler(settings: Any) -> Handler:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.mark"]
    seen.clear()
    closed.clear()
    return Handler()


async def _ask(handler: Handler, path: str, *, gone: asyncio.Event | None = None) -> list[Message]:
    """Return the messages of the response. `gone`: set when the client disconnects."""
    sent: list[Message] = []
    read = False

    async def receive() -> Message:
        nonlocal read
        if not read:
            read = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if gone is not None and len(sent) > 3:
            gone.set()

    headers: list[tuple[bytes, bytes]] = [(b"host", b"localhost")]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    await handler({**scope, "query_string": b"", "http_version": "1.1"}, receive, send)
    return sent


def test_all_steps_of_a_request_run_on_one_thread_and_not_on_the_event_loop(
    handler: Handler,
) -> None:
    def note(**_: Any) -> None:
        seen.append(threading.get_ident())

    for signal in (request_started, request_finished):
        signal.connect(note)
    try:
        start, body = asyncio.run(_ask(handler, "/plain/"))
    finally:
        for signal in (request_started, request_finished):
            signal.disconnect(note)
    assert (start["status"], body["body"]) == (200, b"plain")
    assert len(seen) == 5
    assert set(seen) == {seen[0]} != {threading.get_ident()}


def test_an_error_of_a_view_is_a_response(handler: Handler) -> None:
    start, *_ = asyncio.run(_ask(handler, "/broken/"))
    assert start["status"] == 500


def test_a_streaming_response_ends_and_closes_when_its_client_disconnects(
    handler: Handler,
) -> None:
    async def ask() -> list[Message]:
        return await _ask(handler, "/endless/", gone=asyncio.Event())

    sent = asyncio.run(ask())
    assert sent[0]["status"] == 200
    assert sent[1]["body"] == b"part"
    assert closed.is_set()
