"""Strict client of the job's WebSocket.

It resumes by sequence number, attempt and log offset.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


@dataclass
class Followed:
    """Events and bytes received by a subscriber, in order, and its number of connections."""

    events: list[dict[str, Any]] = field(default_factory=list)
    log: dict[int, bytes] = field(default_factory=dict)
    job: dict[str, Any] = field(default_factory=dict)
    connections: int = 0
    after: int = 0
    attempt: int | None = None
    offset: int = 0

    def take(self, message: dict[str, Any]) -> bool:
        """Record one message.

        Return whether it was the end. Raises: AssertionError for a gap, a duplicate or a wrong
        order.
        """
        if message["kind"] == "event":
            assert message["seq"] == self.after + 1, f"event {message['seq']} after {self.after}"
            self.after = message["seq"]
            self.events.append(message)
        elif message["kind"] == "log":
            if message["attempt"] != self.attempt:
                assert self.attempt is None or message["attempt"] > self.attempt
                self.attempt, self.offset = message["attempt"], 0
            assert message["offset"] == self.offset, (
                f"log at {message['offset']} after {self.offset}"
            )
            self.offset = message["end"]
            self.log[message["attempt"]] = (
                self.log.get(message["attempt"], b"") + message["text"].encode()
            )
        elif message["kind"] == "job":
            self.job = message["job"]
        return bool(message["kind"] == "end")


async def follow(
    base: str,
    job: str,
    token: str,
    *,
    cuts: int = 0,
    messages_a_time: int = 3,
    headers: dict[str, str] | None = None,
) -> Followed:
    """Follow to the end. The first `cuts` connections are dropped after some messages."""
    got = Followed()
    while True:
        got.connections += 1
        query = f"after={got.after}" + (
            f"&attempt={got.attempt}&offset={got.offset}" if got.attempt is not None else ""
        )
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}
        async with connect(
            f"{base}/ws/jobs/{job}/?{query}", additional_headers=sent, max_size=None
        ) as socket:
            received = 0
            try:
                async for text in socket:
                    if got.take(json.loads(text)):
                        return got
                    received += 1
                    if got.connections <= cuts and received >= messages_a_time:
                        break
            except ConnectionClosed:
                continue
