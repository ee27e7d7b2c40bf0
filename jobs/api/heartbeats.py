"""ASGI application that records the heartbeats of many workers in one statement.

It runs in front of the request lanes, because a heartbeat that is handled by Django costs ten times
the CPU. It answers a request only if the path is that of a heartbeat, the body has the exact format
of our worker, and Django has accepted the claim of the token in this process. All other requests,
and heartbeats that were not stored, are passed to Django, which handles them as if this application
did not exist.
"""

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog
from django.db import connection
from prometheus_client import Histogram

from jobs.contract.protocol import HeartbeatResponse
from jobs.core.tokens import is_token_of_claim
from jobs.lifecycle.heartbeats import Heartbeat, heartbeats_record
from jobs.models import Attempt
from mimir.lib.asgi import Application, Receive, Scope, Send, header
from mimir.lib.bodies import Body

log = structlog.get_logger(__name__)
GATHER_SECONDS = 0.02  # heartbeats that arrive within this time share a statement
BATCH_MAX = 500
WAITING_MAX = 5_000  # further heartbeats go to the lanes, which can refuse them
CLAIMS_MAX = 20_000  # in memory; about 6 MB
LATE_SECONDS = 5.0  # a heartbeat without a response after this time shows an overload
_PATH = re.compile(r"/worker/v1/attempts/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/heartbeat")
# Numbers below the limits of `HeartbeatRequest`.
_BODY = re.compile(
    rb'\{"memory_bytes": ?(0|[1-9][0-9]{0,17}), ?"peak_memory_bytes": ?(0|[1-9][0-9]{0,17}),'
    rb' ?"cpu_millicores": ?(0|[1-9][0-9]{0,11})\}'
)
SECONDS = Histogram(
    "mimir_heartbeat_seconds",
    "Seconds until a heartbeat that arrived with others was stored, or was passed on to Django.",
    ["result"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
# Created here: both label values are then exported before the first heartbeat.
_STORED, _PASSED_ON = SECONDS.labels("stored"), SECONDS.labels("passed_on")
Record = Callable[[Sequence[Heartbeat]], dict[UUID, HeartbeatResponse]]


class AcceptedClaims:
    """Claims of the attempts whose session tokens this process has accepted.

    Not authoritative: the token is verified against the claim, and the statement checks that the
    row still has it.
    """

    def __init__(self) -> None:
        self._claims: OrderedDict[UUID, UUID] = OrderedDict()

    def add(self, attempt: Attempt) -> None:
        """Store the claim of `attempt`. Removes the oldest claims above CLAIMS_MAX."""
        if attempt.claim_id is not None:
            self._claims[attempt.id] = attempt.claim_id
            if len(self._claims) > CLAIMS_MAX:
                self._claims.popitem(last=False)

    def get(self, attempt_id: UUID) -> UUID | None:
        """Return the claim; None if it is unknown."""
        return self._claims.get(attempt_id)

    def discard(self, attempt_id: UUID) -> None:
        """Remove the claim. Django then handles the heartbeats until it accepts one again."""
        self._claims.pop(attempt_id, None)


accepted_claims = AcceptedClaims()


class Heartbeats:
    """ASGI middleware for heartbeats.

    `on_late`: called with the arrival time, by the event loop's clock, of a heartbeat that took
    longer than LATE_SECONDS.
    """

    def __init__(
        self,
        application: Application,
        on_late: Callable[[float], None] = lambda _arrived_at: None,
        *,
        claims: AcceptedClaims = accepted_claims,
        record: Record | None = None,
    ) -> None:
        self._application, self._on_late, self._claims = application, on_late, claims
        self._record = record or _record
        self._waiting: dict[UUID, tuple[Heartbeat, asyncio.Future[HeartbeatResponse | None]]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="heartbeats")
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        heartbeat = heartbeat_of(scope, receive, self._claims)
        response = await self._recorded(heartbeat) if heartbeat is not None else None
        if response is None:
            await self._application(scope, receive, send)
            return
        body = json.dumps(response, separators=(",", ":")).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _recorded(self, heartbeat: Heartbeat) -> HeartbeatResponse | None:
        """Record a heartbeat together with others; return None if it was not stored."""
        if heartbeat.attempt_id in self._waiting or len(self._waiting) >= WAITING_MAX:
            return None
        loop = asyncio.get_running_loop()
        arrived_at, stored = loop.time(), loop.create_future()
        self._waiting[heartbeat.attempt_id] = heartbeat, stored
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._store())
        response: HeartbeatResponse | None = await stored
        seconds = loop.time() - arrived_at
        (_PASSED_ON if response is None else _STORED).observe(seconds)
        if seconds > LATE_SECONDS:
            self._on_late(arrived_at)
        if response is None:
            self._claims.discard(heartbeat.attempt_id)
        return response

    async def _store(self) -> None:
        """Record the waiting heartbeats, one statement at a time, until none are left."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(GATHER_SECONDS)
            batch = list(self._waiting.values())[:BATCH_MAX]
            for heartbeat, _stored in batch:
                del self._waiting[heartbeat.attempt_id]
            responses: dict[UUID, HeartbeatResponse] = {}
            try:
                responses = await loop.run_in_executor(
                    self._thread, self._record, [heartbeat for heartbeat, _stored in batch]
                )
            finally:
                for heartbeat, stored in batch:
                    if not stored.done():  # its client has disconnected
                        stored.set_result(responses.get(heartbeat.attempt_id))


def heartbeat_of(scope: Scope, receive: Receive, claims: AcceptedClaims) -> Heartbeat | None:
    """Return the heartbeat of a request; None if Django must handle the request.

    Django handles every other request, and a token that does not match the stored claim.
    """
    if scope["method"] != "POST" or not isinstance(receive, Body):
        return None
    path = _PATH.fullmatch(scope["path"])
    body = _BODY.fullmatch(receive.unread or b"") if path is not None else None
    if path is None or body is None or header(scope, b"content-type") != "application/json":
        return None
    attempt_id = UUID(path[1])
    claim_id = claims.get(attempt_id)
    kind, _, token = header(scope, b"authorization").partition(" ")
    if claim_id is None or kind.lower() != "bearer":
        return None
    if not is_token_of_claim(attempt_id, claim_id, token.strip()):
        return None
    return Heartbeat(attempt_id, claim_id, int(body[1]), int(body[2]), int(body[3]))


def _record(heartbeats: Sequence[Heartbeat]) -> dict[UUID, HeartbeatResponse]:
    """Record heartbeats; return no responses if the database is unavailable."""
    try:
        return heartbeats_record(heartbeats=heartbeats)
    except Exception:
        log.warning("heartbeats could not be recorded together", exc_info=True)
        return {}
    finally:
        connection.close()
