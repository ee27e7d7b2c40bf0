"""Requests in virtual time against `Lanes` around an application that only sleeps."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from mimir.api.lanes import LaneLimits, Lanes
from mimir.lib.asgi import Message, Receive, Scope, Send

CLAIM = f"/worker/v1/attempts/{UUID(int=1)}/claim"
LOGS = f"/worker/v1/attempts/{UUID(int=1)}/logs"
LIST = "/api/v1/projects/"
LIMITS = (
    LaneLimits("claims", 2, 3, 5.0),
    LaneLimits("transfers", 1, 2, 10.0),
    LaneLimits("interactive", 2, 4, 5.0),
)


@dataclass
class Request:
    """A request with its times in seconds since the start of the test.

    `seconds` pass until the response starts, `more` until it ends.
    """

    path: str
    seconds: float = 0.1
    more: float = 0.0
    fails: bool = False
    at: float = 0.0
    begun: float | None = None
    ended: float | None = None
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def error(self) -> dict[str, Any]:
        """Return the body of an error response."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class World:
    """`Lanes` around an application, with a record of requests. Create it inside the event loop."""

    def __init__(
        self,
        limits: tuple[LaneLimits, LaneLimits, LaneLimits] = LIMITS,
        *,
        wait: Callable[[Request], None] = lambda _request: None,
    ) -> None:
        self.refused: list[str] = []
        self.lanes = Lanes(
            self._application, limits, on_refused=lambda scope: self.refused.append(scope["path"])
        )
        self._wait = wait  # called when a request begins
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.running: list[Request] = []  # begun, without a response
        self.begun: list[Request] = []

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self._loop.time() - self._began

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: Request = scope["request"]
        request.begun = self.now
        self.begun.append(request)
        self.running.append(request)
        try:
            self._wait(request)
            await asyncio.sleep(request.seconds)
            if request.fails:
                raise ArithmeticError
        finally:
            self.running.remove(request)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(request.more)
        await send({"type": "http.response.body", "body": b"done"})

    async def ask(self, request: Request) -> Request:
        """Send a request at its time `at`; return it with its response."""
        await asyncio.sleep(request.at)

        async def receive() -> Message:
            await request.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status, request.headers = message["status"], dict(message["headers"])
            else:
                request.body += message["body"]

        method = "POST" if request.path.startswith("/worker/") else "GET"
        scope = {"type": "http", "method": method, "path": request.path, "request": request}
        try:
            await self.lanes(scope, receive, send)
        except ArithmeticError:
            request.status = 500
        request.ended = self.now
        return request

    async def ask_all(self, *requests: Request) -> list[Request]:
        """Send several requests, each at its time."""
        return await asyncio.gather(*(self.ask(request) for request in requests))

    def start(self, request: Request) -> "asyncio.Task[Request]":
        """Send a request in the background."""
        return asyncio.ensure_future(self.ask(request))
