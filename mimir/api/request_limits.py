"""Limits of request bodies for each path. `mimir.lib.bodies` applies them."""

from django.conf import settings
from django.db import connections

from mimir.lib.asgi import Application, Receive, Scope, Send, header, send_json_error
from mimir.lib.bodies import (
    ENVELOPE_BYTES,
    STRANGER_BYTES_MAX,
    Budget,
    Intake,
    Rule,
    spool_budget,
    too_large,
)
from mimir.lib.clients import SIGN_IN_PATH, PerClient, SignIns, client_of
from mimir.lib.errors import MimirError, NotAuthenticated, TooMany

MEMORY_BYTES = 24 * 1024 * 1024  # large bodies in memory at once
WORKER_MEMORY_BYTES = 32 * 1024 * 1024
ARTIFACTS_AT_ONCE = 16  # each uses a thread and, with a bucket, up to three parts of 8 MiB
ARTIFACT_WAIT_SECONDS = 15.0  # a worker waits 30 seconds for a response


class BodyRules:
    """The rule of each request, with the budgets of this process."""

    def __init__(self) -> None:
        self._memory = Budget("large requests", MEMORY_BYTES)
        self._worker_memory = Budget("large requests of workers", WORKER_MEMORY_BYTES)
        self._spool = spool_budget(settings.ENV.upload_spool_bytes, settings.ENV.max_upload_bytes)
        self._artifacts = Budget(
            "artifact uploads", ARTIFACTS_AT_ONCE, wait_seconds=ARTIFACT_WAIT_SECONDS
        )

    def __call__(self, scope: Scope) -> Rule:
        """Return the rule for one request, by its path and headers."""
        path: str = scope["path"]
        in_memory = int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        if path.startswith("/worker/"):
            stranger = _without_token(scope)
            if "/artifacts/" in path:
                return Rule(
                    settings.ENV.artifact_bytes_max,
                    self._artifacts,
                    stranger,
                    weight=1,
                    exact_length=True,
                )
            return Rule(in_memory, self._worker_memory, stranger)
        if path.startswith("/api/"):
            stranger = (
                too_large(STRANGER_BYTES_MAX)
                if path.rstrip("/") == SIGN_IN_PATH
                else _without_token(scope)
            )
            if header(scope, b"content-type").lower().startswith("multipart/form-data"):
                return Rule(settings.ENV.max_upload_bytes + ENVELOPE_BYTES, self._spool, stranger)
            return Rule(in_memory, self._memory, stranger)
        signed_in = settings.SESSION_COOKIE_NAME in header(scope, b"cookie")
        return Rule(in_memory, self._memory, None if signed_in else too_large(STRANGER_BYTES_MAX))


def _without_token(scope: Scope) -> MimirError | None:
    """Return the error for a large body without an Authorization header; None with one.

    The view checks the token itself before it reads a large body.
    """
    if header(scope, b"authorization"):
        return None
    return NotAuthenticated("Sign in first: this needs Authorization: Bearer <token>.")


def with_limits(application: Application) -> Application:
    """Return `application` with limits of bodies and of concurrent requests per client."""
    return _PerClient(Intake(application, BodyRules(), before_wait=give_back_connections))


class _PerClient:
    """ASGI middleware: 429 for too many concurrent requests or sign-ins of a client.

    Workers are not counted: many can share one address behind a NAT.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._requests = PerClient("requests at once", settings.ENV.requests_per_client)
        self._sign_ins = SignIns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/worker/"):
            await self._application(scope, receive, send)
            return
        try:
            with self._requests.taken(client_of(scope)), self._sign_ins.of(scope):
                await self._application(scope, receive, send)
        except TooMany as error:
            await send_json_error(send, error, close=False)


def give_back_connections() -> None:
    """Return this thread's database connections to the pool. A slow client must not hold one."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
