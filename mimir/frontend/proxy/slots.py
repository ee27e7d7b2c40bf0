"""Slots: limit of concurrent requests to the orchestrator.

Anonymous clients cannot use up the slots of signed-in users.
"""

import contextlib
from collections.abc import Iterator
from enum import IntEnum

from mimir.lib.clients import PerClient
from mimir.lib.errors import MimirError

TOTAL = 512
_RETRY_SECONDS = 2


class Rank(IntEnum):
    """Authentication level of a client.

    The value is the number of slots that this rank and those below it can hold together.
    """

    STRANGER = 96
    CLAIMED = 384  # a bearer token that the orchestrator has not verified
    SIGNED_IN = TOTAL


class Slots:
    """Count requests by rank and client. `per_client` is the limit of one address."""

    def __init__(self, *, per_client: int) -> None:
        self._held = dict.fromkeys(Rank, 0)
        self._per_client = PerClient("requests at once", per_client)

    @contextlib.contextmanager
    def taken(self, client: str, *, rank: Rank) -> Iterator[None]:
        """Hold a slot during the block.

        Raises: TooMany (429) for one client, MimirError `busy` (503) for all together.
        """
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
