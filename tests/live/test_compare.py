"""Followers that receive no hints.

They poll the database, because no later message reveals the loss of the last one.
"""

import asyncio
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator

from jobs.live.routing import websocket_application
from projects.tokens.write import token_create
from tests.support import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]


@pytest.fixture(autouse=True)
def _no_hint_arrives(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "tests.live.lossy.SilentLayer"}}


async def _messages(
    socket: WebsocketCommunicator, until: str, seconds: float
) -> list[dict[str, Any]]:
    got: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        try:
            message = await socket.receive_json_from(timeout=max(0.1, end - loop.time()))
        except (TimeoutError, asyncio.CancelledError):
            break
        got.append(message)
        if message["kind"] == "job" and message["job"]["status"] == until:
            break
    return got


@pytest.mark.quiet
async def test_the_end_is_found_within_six_seconds_without_any_message() -> None:
    job = await database_sync_to_async(make.job)()
    created = await database_sync_to_async(token_create)(
        user=job.created_by, name="t", expires_at=None
    )
    headers = [(b"authorization", f"Bearer {created.token}".encode())]
    socket = WebsocketCommunicator(websocket_application, f"/ws/jobs/{job.id}/", headers=headers)
    connected, _ = await socket.connect()
    assert connected
    await _messages(socket, "queued", 3)

    def cancel() -> None:
        from jobs.lifecycle.cancel import job_cancel

        job_cancel(job_id=job.id, actor="test")

    await database_sync_to_async(cancel)()
    got = await _messages(socket, "cancelled", 6)
    assert [message["job"]["status"] for message in got if message["kind"] == "job"][-1:] == [
        "cancelled"
    ]
    await socket.disconnect()
