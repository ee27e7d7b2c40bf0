"""Types of ASGI, and helpers for plain ASGI applications."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from mimir.lib.errors import MimirError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]


def header(scope: Scope, name: bytes) -> str:
    """Return a header's value by its lower-case name; an empty string if it is absent.

    Several values are joined as in RFC 9110 (cookies with `;`).
    """
    joiner = b"; " if name == b"cookie" else b", "
    return joiner.join(value for key, value in scope["headers"] if key.lower() == name).decode(
        "latin-1"
    )


async def send_json_error(
    send: Send, error: MimirError, headers: Iterable[Header] = (), *, close: bool = True
) -> None:
    """Answer an HTTP request with `{"code", "message", "detail"}`.

    close: close the connection at once. False: the server reads the rest of the body for some
    seconds, so that a client that is still sending can read the response.
    """
    body = json.dumps(error.as_dict()).encode()
    every = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *([(b"connection", b"close")] if close else []),
        *headers,
    ]
    if error.retry_after_seconds is not None:
        every.append((b"retry-after", str(max(1, round(error.retry_after_seconds))).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": every})
    await send({"type": "http.response.body", "body": body})
