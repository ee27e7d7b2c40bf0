"""Channel layer of the live feed, encrypted and authenticated with Fernet.

The key is derived from WORKER_KEYS. A message with an invalid signature or older than
EXPIRY_SECONDS becomes an empty hint, which changes no page and closes no socket.
"""

from typing import Any

import structlog
from channels_redis.pubsub import RedisPubSubChannelLayer
from cryptography.fernet import InvalidToken
from prometheus_client import Counter

log = structlog.get_logger(__name__)

EXPIRY_SECONDS = 60
REJECTED = Counter("mimir_live_hints_rejected", "Messages on the channel layer that were rejected.")
EMPTY_HINT: dict[str, str | list[str]] = {"type": "feed.hint", "jobs": []}


class SealedPubSubChannelLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """Pub/sub layer of channels_redis that requires `symmetric_encryption_keys`."""

    def __init__(self, *arguments: Any, symmetric_encryption_keys: list[str], **named: Any) -> None:
        super().__init__(*arguments, symmetric_encryption_keys=symmetric_encryption_keys, **named)
        self._serializer.expiry = EXPIRY_SECONDS

    def deserialize(self, message: bytes) -> Any:
        """Return the message, or an empty hint if it is rejected."""
        try:
            return super().deserialize(message)
        except (InvalidToken, ValueError, TypeError) as error:
            REJECTED.inc()
            log.debug("channel layer message rejected", error=type(error).__name__)
            return EMPTY_HINT
