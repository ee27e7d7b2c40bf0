"""Requests and the possible responses, between the server's sockets and the API. Pure."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.kubernetes.shapes import status_object


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes = b""


@dataclass(slots=True)
class Reply:
    """HTTP response.

    `delay_seconds` is real time. With `lost` the connection breaks after the delay instead.
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay_seconds: float = 0.0
    lost: bool = False


class Refused(Exception):
    """Error response with a Status object."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.headers, self.details = (
            code,
            reason,
            message,
            headers or {},
            details,
        )

    @property
    def status(self) -> dict[str, Any]:
        return status_object(self.code, self.reason, self.message, **self.details)

    def reply(self) -> Reply:
        return Reply(self.code, as_json(self.status), dict(self.headers))


def as_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def json_reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, as_json(value))
