"""API client of the tests: Django's test client with a Bearer token, without a server."""

import json
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from projects.tokens.write import session_create

JOBS = "projects/demo/jobs/"


class Caller:
    """Client that calls the API as `user`, or without credentials.

    An unhandled exception becomes a response with status 500, as on a server.
    """

    def __init__(self, user: User | None) -> None:
        headers = {"Authorization": f"Bearer {session_create(user=user).token}"} if user else {}
        self.client = Client(raise_request_exception=False, headers=headers)

    def get(
        self, path: str, query: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        """Send a GET request below /api/v1/."""
        return self.client.get(f"/api/v1/{path}", query or {}, headers=headers or {})

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        media_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send a request with any method.

        Bytes and text are sent unchanged, other values as JSON.
        """
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.generic(
            method, f"/api/v1/{path}", data, content_type=media_type, headers=headers or {}
        )

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Send a POST request with a JSON body."""
        return self.send("POST", path, body, headers=headers)


def check_refusal(answer: Any, status: int, *paths: str) -> None:
    """Check the status and the error body of an answer; `paths` are in its detail."""
    assert answer.status_code == status, answer.content[:500]
    body = answer.json()
    assert sorted(body) == ["code", "detail", "message"]
    assert body["code"]
    assert body["message"]
    assert set(paths) <= set(body["detail"]), body["detail"]
