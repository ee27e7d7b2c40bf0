"""An ASGI application with a background task on the same event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Application = Callable[[Any, Any, Any], Awaitable[None]]


class BackgroundTask:
    """ASGI middleware that runs `beat` while the server runs.

    It starts with the server or, under a server without lifespan events, with the first request.
    """

    def __init__(self, application: Application, beat: Callable[[], Awaitable[None]]) -> None:
        self._application, self._beat = application, beat
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._serve(receive, send)
            return
        self._begin()
        await self._application(scope, receive, send)

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._beat())

    async def _serve(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._begin()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._end()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            # An error that has ended the task before must not prevent the shutdown.
            await asyncio.gather(self._task, return_exceptions=True)
