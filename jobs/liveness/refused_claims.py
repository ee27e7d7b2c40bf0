"""Claims that web refused because of overload. Their workers are alive and calling."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection

from jobs.core.tokens import is_launch_token
from mimir.lib.asgi import Scope, header

COUNT_MAX = 10_000  # remembered between two heartbeats of web


class RefusedClaims:
    """Attempts whose claims were refused since the last heartbeat of web."""

    def __init__(self) -> None:
        self._attempts: set[UUID] = set()

    def add(self, scope: Scope) -> None:
        """Remember the attempt of a refused request, if it is a claim with a valid token.

        The token is verified without the database.
        """
        *_, attempt, name = scope["path"].split("/")
        if name != "claim" or len(self._attempts) >= COUNT_MAX:
            return
        kind, _, token = header(scope, b"authorization").partition(" ")
        try:
            attempt_id = UUID(attempt)
        except ValueError:
            return
        if kind.lower() == "bearer" and is_launch_token(attempt_id, token.strip()):
            self._attempts.add(attempt_id)

    def take(self) -> frozenset[UUID]:
        """Return the attempts and forget them."""
        taken, self._attempts = frozenset(self._attempts), set()
        return taken

    def restore(self, attempts: Iterable[UUID]) -> None:
        """Remember attempts that could not be recorded."""
        self._attempts.update(attempts)


def calls_record(*, attempt_ids: Iterable[UUID]) -> int:
    """Set `called_at` of these attempts if they are unclaimed; return how many.

    Rows that another transaction holds are skipped: it claims or ends the attempt.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, {"ids": list(attempt_ids)})
        return int(cursor.rowcount)


_RECORD = """
WITH found AS (
    SELECT id FROM jobs_attempt
    WHERE id = ANY(%(ids)s) AND claimed_at IS NULL AND ended_at IS NULL AND fenced_at IS NULL
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE jobs_attempt AS attempt SET called_at = clock_timestamp()
FROM found WHERE attempt.id = found.id
"""
