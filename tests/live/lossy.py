"""Channel layer that loses 30 % of its messages and duplicates 10 %.

Sockets must tolerate it. CHANNEL_LAYER names it.
"""

import os
import random
from pathlib import Path
from typing import Any

from channels.layers import InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

LOST, DOUBLED = 0.3, 0.1
SENT = "lossy-messages"


class SilentLayer(InMemoryChannelLayer):  # type: ignore[misc]
    """Channel layer that loses every message."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Drop the message."""


class LossyLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """The real channel layer behind an unreliable connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._chance = random.Random(7)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send the message zero, one or two times, at random."""
        chance = self._chance.random()
        times = 0 if chance < LOST else 2 if chance > 1 - DOUBLED else 1
        # one digit per message: how often it was sent
        with Path(os.environ["VAR_DIR"], SENT).open("a") as sent:
            sent.write(str(times))
        for _ in range(times):
            await self._get_layer().group_send(group, message)
