"""Forged messages on the channel layer.

No page shows their content, and no socket closes because of them.
"""

import asyncio
from typing import Any

import msgpack
import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from redis import Redis

from jobs.core import feed
from jobs.live.routing import websocket_application
from projects.tokens.write import token_create
from tests.support import make

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(60)]

FORGED: list[Any] = [
    {"type": "send.json", "kind": "job", "job": {"status": "succeeded"}},
    {"type": "close", "code": 4000},
    {"type": "websocket.disconnect", "code": 1000},
    {"type": "feed.hint", "jobs": ["not a job"]},
    {"type": "feed.hint", "jobs": 5},
    {"type": "no.such.thing"},
    {"type": ["a"]},
    7,
]


async def _followed() -> tuple[Any, WebsocketCommunicator]:
    job = await database_sync_to_async(make.job)()
    created = await database_sync_to_async(token_create)(
        user=job.created_by, name="t", expires_at=None
    )
    headers = [(b"authorization", f"Bearer {created.token}".encode())]
    socket = WebsocketCommunicator(
        websocket_application, f"/ws/projects/{job.project.slug}/", headers=headers
    )
    assert (await socket.connect())[0]
    assert (await socket.receive_json_from(timeout=5))["kind"] == "snapshot"
    return job, socket


async def test_a_message_without_our_signature_changes_nothing() -> None:
    job, socket = await _followed()
    channel = f"mimir__group__{feed.project_group(job.project_id)}"
    redis = Redis.from_url(settings.ENV.redis_url)
    for message in [msgpack.packb(forged) for forged in FORGED] + [b"", b"\xff" * 40]:
        await asyncio.to_thread(redis.publish, channel, message)
    assert await socket.receive_nothing(timeout=1.0)
    await socket.disconnect()


@pytest.mark.parametrize(
    "forged",
    [each for each in FORGED if isinstance(each, dict) and each["type"] != "websocket.disconnect"],
)
async def test_a_sealed_message_can_name_a_hint_and_nothing_else(forged: dict[str, Any]) -> None:
    job, socket = await _followed()
    layer = get_channel_layer()
    await layer.group_send(feed.project_group(job.project_id), forged)
    assert await socket.receive_nothing(timeout=0.5)
    await socket.disconnect()
