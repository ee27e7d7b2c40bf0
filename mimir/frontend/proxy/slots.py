"""The proxy's slots: requests that may be with the orchestrator at once. Strangers cannot take those of users who are signed in."""

import contextlib
from collections.abc import Iterator
from enum import IntEnum

from mimir.lib.clients import PerClient
from mimir.lib.errors import MimirError

TOTAL = 512
_RETRY_SECONDS = 2


class Rank(IntEnum):
    """Who asks. The value is how many of the slots requests of this rank, and of those below it, may hold."""

    STRANGER = 96
    CLAIMED = 384  # a token that the orchestrator has yet to look up
    SIGNED_IN = TOTAL


class Slots:
    """Counts requests by rank and by client. per_client: the limit of one address."""

    def __init__(self, *, per_client: int) -> None:
        self._held = dict.fromkeys(Rank, 0)
        self._per_client = PerClient("requests at once", per_client)

    @contextlib.contextmanager
    def taken(self, client: str, *, rank: Rank) -> Iterator[None]:
        """Hold a slot for the time of the block. Raises: TooMany (429) for one client, MimirError `busy` (503) for all together."""
        if any(self._used(limit) >= limit for limit in Rank if limit >= rank):
            message = "Too many requests at once. Try again in a moment."
            raise MimirError(message, code="busy", status=503, retry_after_seconds=_RETRY_SECONDS)
        with self._per_client.taken(client):
            self._held[rank] += 1
            try:
                yield
            finally:
                self._held[rank] -= 1

    def _used(self, limit: Rank) -> int:
        return sum(count for rank, count in self._held.items() if rank <= limit)
