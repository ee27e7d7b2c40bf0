"""A channel layer that loses 30 % of its messages and doubles 10 %.

What a socket has to live with. CHANNEL_LAYER names it.
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
    """A layer that loses every message."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Never."""


class LossyLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """The real layer behind a bad line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._chance = random.Random(7)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Perhaps."""
        chance = self._chance.random()
        times = 0 if chance < LOST else 2 if chance > 1 - DOUBLED else 1
        with Path(os.environ["VAR_DIR"], SENT).open(
            "a"
        ) as sent:  # one digit a message: how often it went out
            sent.write(str(times))
        for _ in range(times):
            await self._get_layer().group_send(group, message)
