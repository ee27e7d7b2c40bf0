"""A program that calls the API, without a server between.

Django's own client with a Bearer token.
"""

import json
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from projects.tokens.write import session_create

JOBS = "projects/demo/jobs/"


class Caller:
    """Calls as `user`, or as nobody.

    A defect of ours is the answer it would be on a server (500), not an exception.
    """

    def __init__(self, user: User | None) -> None:
        headers = {"Authorization": f"Bearer {session_create(user=user).token}"} if user else {}
        self.client = Client(raise_request_exception=False, headers=headers)

    def get(
        self, path: str, query: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        """GET below /api/v1/."""
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
        """Any other method; bytes and text go as they are, everything else as JSON."""
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.generic(
            method, f"/api/v1/{path}", data, content_type=media_type, headers=headers or {}
        )

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """POST of a JSON body."""
        return self.send("POST", path, body, headers=headers)


def check_refusal(answer: Any, status: int, *paths: str) -> None:
    """Check the status and the error body of an answer; `paths` are in its detail."""
    assert answer.status_code == status, answer.content[:500]
    body = answer.json()
    assert sorted(body) == ["code", "detail", "message"]
    assert body["code"]
    assert body["message"]
    assert set(paths) <= set(body["detail"]), body["detail"]
