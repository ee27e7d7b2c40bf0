"""API with responses set by the test: a real server, for the pages of a real frontend."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from mimir.lib.asgi import send_json_error
from mimir.lib.errors import NOT_FOUND, MimirError
from tests.frontend.upstream import free_port, wait_for_port


@dataclass
class CannedApi:
    """API with fixed responses.

    `answers`: body by path below `/api/v1/`, with the query if it matters. Other paths get 404,
    with the body in `refused`.
    """

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refused: dict[str, Any] = field(default_factory=dict)
    is_overloaded: bool = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if self.is_overloaded:
            error = MimirError(
                "The server is busy. Try again in 7 s.",
                code="overloaded",
                status=503,
                retry_after_seconds=7,
            )
            await send_json_error(send, error, close=False)
            return
        path = scope["raw_path"].decode().removeprefix("/api/v1/")
        whole = f"{path}?{scope['query_string'].decode()}"
        self.asked.append(whole)
        found = None if whole in self.refused else self.answers.get(whole, self.answers.get(path))
        nothing = {"code": "not_found", "message": NOT_FOUND, "detail": {}}
        body = self.refused.get(whole, nothing) if found is None else found
        await send(
            {
                "type": "http.response.start",
                "status": 404 if found is None else 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


@contextmanager
def running_canned() -> Iterator[CannedApi]:
    """Run the API on a free port."""
    port = free_port()
    api = CannedApi(f"http://127.0.0.1:{port}")
    server = uvicorn.Server(
        uvicorn.Config(api, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for_port(port, thread.is_alive)
    yield api
    server.should_exit = True
    thread.join(5)
