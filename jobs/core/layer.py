"""The channel layer of live hints, encrypted and authenticated (Fernet) with a key derived from WORKER_KEYS.

A message that is not ours, or is older than a minute, becomes a hint about nothing: it changes what no page shows and ends no socket.
"""

from typing import Any

import structlog
from channels_redis.pubsub import RedisPubSubChannelLayer
from cryptography.fernet import InvalidToken
from prometheus_client import Counter

log = structlog.get_logger(__name__)

EXPIRY_SECONDS = 60
REJECTED = Counter(
    "mimir_live_hints_rejected", "Messages on the channel layer that are not hints of ours."
)
NOTHING: dict[str, Any] = {"type": "feed.hint", "jobs": []}


class SealedPubSubChannelLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """channels_redis's layer; `symmetric_encryption_keys` are required."""

    def __init__(self, *arguments: Any, symmetric_encryption_keys: list[str], **named: Any) -> None:
        super().__init__(*arguments, symmetric_encryption_keys=symmetric_encryption_keys, **named)
        self._serializer.expiry = EXPIRY_SECONDS

    def deserialize(self, message: bytes) -> Any:
        """The message, or a hint about nothing."""
        try:
            return super().deserialize(message)
        except (InvalidToken, ValueError, TypeError) as error:
            REJECTED.inc()
            log.debug("a message on the channel layer was rejected", error=type(error).__name__)
            return NOTHING
