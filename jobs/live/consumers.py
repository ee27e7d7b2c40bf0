"""Base WebSocket consumer of live updates.

The database is the source of truth. A hint on the channel layer only requests a comparison with
it. Every 5 s a follower compares without a hint, because the loss of the last hint cannot be
detected. A connection is accepted before it is closed with an error, because browsers can read the
close code only then: 4400, 4401, 4403 or 4404.
"""

import asyncio
import contextlib
import re
import time
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from jobs.core import feed
from mimir.api.authentication import identify
from mimir.lib.errors import MimirError, NotAuthenticated, NotFound, PermissionDenied

log = structlog.get_logger(__name__)

COMPARE_SECONDS = 5.0
HINTED_MAX = 10_000  # hinted jobs; the comparison finds changes of further jobs
ACCEPTED_TYPES = ("websocket.connect", "websocket.receive", "websocket.disconnect", "feed.hint")
UUID_TEXT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CODES: dict[type[MimirError], int] = {
    NotAuthenticated: 4401,
    PermissionDenied: 4403,
    NotFound: 4404,
}
BAD_REQUEST, FAILED = 4400, 1011


class Follower(AsyncJsonWebsocketConsumer):
    """Base consumer: authentication, group membership, wake-up, loop and closing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wake = asyncio.Event()
        self.hinted: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._groups: tuple[str, ...] = ()
        self._joined = False
        self._compared_at = 0.0

    async def connect(self) -> None:
        await self.accept()
        self._task = asyncio.create_task(self._run())

    async def disconnect(self, code: int) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._task
        for group in self._groups:
            with contextlib.suppress(Exception):
                await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        """Ignore messages of the client."""

    async def dispatch(self, message: dict[str, object]) -> None:
        """Handle a message of a type in ACCEPTED_TYPES and reject all others.

        Channels would call any method that a message names, for example `send_json`.
        """
        if message.get("type") in ACCEPTED_TYPES:
            await super().dispatch(message)
        else:
            log.warning(
                "channel layer message rejected: not a hint",
                type=str(message.get("type"))[:40],
            )

    async def feed_hint(self, message: dict[str, object]) -> None:
        """Handle a hint of the channel layer.

        A malformed list of job ids is ignored: the comparison every 5 s finds the change.
        """
        jobs = message.get("jobs")
        if (
            isinstance(jobs, list)
            and jobs
            and all(isinstance(job, str) and UUID_TEXT.fullmatch(job) for job in jobs)
        ):
            self.hinted.update(jobs[: max(0, HINTED_MAX - len(self.hinted))])
            self.wake.set()

    async def _run(self) -> None:
        try:
            await self.open()
            await self._follow()
        except MimirError as error:
            await self._close(CODES.get(type(error), BAD_REQUEST), error.message)
        except asyncio.CancelledError:
            raise
        except OSError:
            return  # the client has disconnected: the usual end
        except Exception:
            log.exception("follower failed: its client reconnects")
            await self._close(FAILED, "")

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(Exception):  # the client may have disconnected
            await self.close(code=code, reason=reason[:120])

    async def _follow(self) -> None:
        """Run rounds until one returns True: at each hint, and every COMPARE_SECONDS."""
        while True:
            self.wake.clear()
            compare = time.monotonic() - self._compared_at >= COMPARE_SECONDS
            if compare:
                await self.check_right()
                await self._join()
            if await self.round(compare=compare):
                return
            if compare:
                self._compared_at = time.monotonic()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self.wake.wait(),
                    max(0.05, self._compared_at + COMPARE_SECONDS - time.monotonic()),
                )

    async def _join(self) -> None:
        """Join the groups; retried at the next comparison.

        While Redis is unavailable, the comparisons alone find the changes.
        """
        if self._joined:
            return
        try:
            for group in self._groups:
                await asyncio.wait_for(self.channel_layer.group_add(group, self.channel_name), 1.0)
            self._joined = True
        except Exception as error:  # any exception of the layer and its client library
            log.warning(
                "joining the groups failed: the follower compares every 5 s",
                error=type(error).__name__,
            )

    def join(self, *groups: str) -> None:
        """Set the groups. They are joined before the first read, so no change is missed."""
        self._groups = groups

    async def open(self) -> None:
        """Read path and query of the request. Raises: MimirError."""
        raise NotImplementedError

    async def check_right(self) -> None:
        """Check access. Raises: MimirError if the user has none, or has lost it."""
        raise NotImplementedError

    async def round(self, *, compare: bool) -> bool:
        """Send changes; return whether the stream has ended.

        `compare`: read the database instead of relying on hints.
        """
        raise NotImplementedError

    def user(self) -> Any:
        """Return the user of `Authorization: Bearer`; cookies are not read.

        Raises: NotAuthenticated.
        """
        headers = dict(self.scope["headers"])
        kind, _, token = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not token.isascii():
            raise NotAuthenticated("Sign in first: send Authorization: Bearer <token>.")
        return identify(token.strip().decode("ascii")).user

    def query(self) -> dict[str, str]:
        """Return the query parameters; of a repeated one, the last value."""
        return {
            key: values[-1]
            for key, values in parse_qs(
                self.scope.get("query_string", b"").decode("latin-1")
            ).items()
        }

    def path_id(self, name: str) -> UUID:
        """Return a UUID from the path. Raises: NotFound."""
        try:
            return UUID(str(self.scope["url_route"]["kwargs"][name]))
        except ValueError:
            raise NotFound() from None


in_database = database_sync_to_async
JOB_GROUP, PROJECT_GROUP = feed.job_group, feed.project_group
