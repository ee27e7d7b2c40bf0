"""A limit on every request's body, before Django spools it to a disk that is not endless."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mimir.lib.errors import MimirError, TooLarge

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

ENVELOPE_BYTES = 1024 * 1024  # what a multipart form adds to the file in it


class _Exceeded(Exception):
    pass


class BodyLimit:
    """ASGI middleware: 413 for a body above `max_bytes`, by its Content-Length at once, and else as soon as that many bytes came."""

    def __init__(self, application: Application, *, max_bytes: int) -> None:
        self._application = application
        self._max_bytes = max_bytes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await self._refuse(send)
            return
        received, started = 0, False

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise _Exceeded
            return message

        async def watching_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._application(scope, counting_receive, watching_send)
        except _Exceeded:
            if not started:
                await self._refuse(send)

    async def _refuse(self, send: Send) -> None:
        error: MimirError = TooLarge(f"The request's body is larger than {self._max_bytes} bytes.")
        body = json.dumps(error.as_dict()).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
