"""Request bodies: time limits, size limits, and reading on demand.

A small body is collected before the application is called, so a slow client holds no thread and no
connection. A large one is read when the application asks for it: if the application refuses the
request first (no token, no permission), the body is never read.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from mimir.lib.asgi import (
    Application,
    Header,
    Message,
    Receive,
    Scope,
    Send,
    header,
    send_json_error,
)
from mimir.lib.errors import MimirError, TooLarge
from mimir.lib.heap_trim import trim_soon

SMALL_BYTES = 64 * 1024  # bodies up to this size are collected before the application is called
STRANGER_BYTES_MAX = 16 * 1024  # for requests without credentials, such as a sign-in
PIECE_SECONDS = 20.0  # timeout for the next piece of a body
# minimum average rate in bytes per second, checked after this time of waiting
RATE_BYTES_MIN, RATE_GRACE_SECONDS = 1024, 30.0
_BUDGET_WAIT_SECONDS = 5.0
ENVELOPE_BYTES = 1024 * 1024  # overhead of a multipart form


class ClientGone(OSError):
    """The client disconnected before its body was complete."""


class SlowBody(MimirError):
    """The body arrives too slowly. Status 408."""

    status, code = 408, "request_timeout"


class Pieces:
    """The pieces of one body in the order of arrival. `failure`: why reading ended early."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self.receive = receive
        self.complete, self.received = False, 0
        self.failure: MimirError | None = None
        self.max_bytes, self._waited = max_bytes, 0.0

    async def next(self) -> bytes:
        """Return the next piece; empty at the end. Raises: ClientGone, SlowBody, TooLarge."""
        if self.complete:
            return b""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(PIECE_SECONDS):
                message = await self.receive()
        except TimeoutError:
            raise self._failed(
                SlowBody(
                    f"No data of the request body arrived for {PIECE_SECONDS:.0f} seconds. Send "
                    "the request again."
                )
            ) from None
        self._waited += loop.time() - began
        if message["type"] == "http.disconnect":
            self.complete = True
            raise ClientGone("The client closed the connection before its body was complete.")
        piece: bytes = message.get("body", b"")
        self.received += len(piece)
        if self.received > self.max_bytes:
            raise self._failed(too_large(self.max_bytes))
        if self.received < (self._waited - RATE_GRACE_SECONDS) * RATE_BYTES_MIN:
            raise self._failed(
                SlowBody(
                    f"The request's body arrives at less than {RATE_BYTES_MIN} bytes a second."
                )
            )
        self.complete = not message.get("more_body", False)
        return piece if piece or self.complete else await self.next()

    async def collect(self, at_most: int) -> bytes:
        """Read pieces until the body is complete or longer than `at_most` bytes."""
        found = bytearray()
        while not self.complete and len(found) <= at_most:
            found += await self.next()
        return bytes(found)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.next():
            yield piece

    def _failed(self, error: MimirError) -> MimirError:
        self.failure, self.complete = error, True
        return error


def too_large(max_bytes: int) -> MimirError:
    """Return the error for a body above `max_bytes`."""
    return TooLarge(
        f"The request's body is larger than {max_bytes} bytes.", detail={"max_bytes": max_bytes}
    )


class Budget:
    """Capacity for all large bodies of one kind: bytes of memory or disk, or a number of bodies.

    A request that does not fit waits up to `wait_seconds`. `name`: for the error message.
    """

    def __init__(
        self, name: str, total_bytes: int, *, wait_seconds: float = _BUDGET_WAIT_SECONDS
    ) -> None:
        self.total_bytes, self.used_bytes, self._wait_seconds = total_bytes, 0, wait_seconds
        self._name = name
        self._changed: list[asyncio.Event] = []

    @contextlib.asynccontextmanager
    async def taken(self, amount_bytes: int) -> AsyncIterator[None]:
        """Reserve `amount_bytes`, at most the total, during the block.

        Raises: MimirError `busy` (503) if they are not free in time.
        """
        amount_bytes = min(amount_bytes, self.total_bytes)
        try:
            async with asyncio.timeout(self._wait_seconds):
                while self.used_bytes + amount_bytes > self.total_bytes:
                    changed = asyncio.Event()
                    self._changed.append(changed)
                    await changed.wait()
        except TimeoutError:
            message = f"Too many {self._name} at once. Try again in a few seconds."
            raise MimirError(message, code="busy", status=503, retry_after_seconds=5) from None
        self.used_bytes += amount_bytes
        try:
            yield
        finally:
            self.used_bytes -= amount_bytes
            waiting, self._changed = self._changed, []
            for changed in waiting:
                changed.set()


def spool_budget(spool_bytes: int, max_upload_bytes: int) -> Budget:
    """Return the budget of uploads in the spool folder.

    `spool_bytes` 0: twice the largest upload.
    """
    return Budget("uploads", spool_bytes or 2 * (max_upload_bytes + ENVELOPE_BYTES))


@dataclass(frozen=True, slots=True)
class Rule:
    """Limits of one request's body.

    max_bytes: of the whole body. budget: a body above SMALL_BYTES reserves its length from it.
    stranger: the error for a body above STRANGER_BYTES_MAX without credentials; None for a request
    with credentials. weight: amount to reserve instead of the length. exact_length: pass a large
    chunked body on without a Content-Length; by default it gets `max_bytes` as Content-Length.
    """

    max_bytes: int
    budget: Budget
    stranger: MimirError | None = None
    weight: int | None = None
    exact_length: bool = False


class Body:
    """A body for a synchronous application: a file, and an ASGI `receive` for the disconnect.

    before_wait: called in the reading thread before it waits for the client.
    """

    def __init__(
        self, pieces: Pieces, start: bytes, before_wait: Callable[[], None] = lambda: None
    ) -> None:
        self._pieces, self._buffer = pieces, bytearray(start)
        self._before_wait = before_wait
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        if pieces.complete:
            self._ended.set()

    async def __call__(self) -> Message:
        """After the body has been read, wait for the disconnect."""
        await self._ended.wait()
        while True:
            message = await self._pieces.receive()
            if message["type"] == "http.disconnect":
                return message

    @property
    def complete(self) -> bool:
        """Whether the whole body has arrived."""
        return self._pieces.complete

    @property
    def unread(self) -> bytes | None:
        """Return the unread rest of the body without consuming it; None while it is incomplete."""
        return bytes(self._buffer) if self._pieces.complete else None

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes, fewer only at the end.

        Raises: ClientGone, SlowBody, TooLarge.
        """
        wanted = float("inf") if size is None or size < 0 else size
        while len(self._buffer) < wanted and self._more():
            pass
        return self._take(len(self._buffer) if size is None or size < 0 else size)

    def readline(self, size: int | None = -1) -> bytes:
        """Return bytes up to the next line end, at most `size`."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0 and (
            size is None or size < 0 or len(self._buffer) < size
        ):
            searched = len(self._buffer)
            if not self._more():
                break
        length = end + 1 if end >= 0 else len(self._buffer)
        return self._take(length if size is None or size < 0 else min(length, size))

    def seekable(self) -> bool:
        """Always false: a body is read once."""
        return False

    def close(self) -> None:
        """Drop the unread rest."""
        self._buffer.clear()

    def _more(self) -> bool:
        """Append the next piece; False at the end."""
        if self._pieces.complete:
            return False
        self._before_wait()
        piece = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
        self._buffer += piece
        return bool(piece)

    async def _next(self) -> bytes:
        try:
            return await self._pieces.next()
        finally:
            if self._pieces.complete:
                self._ended.set()

    def _take(self, length: int) -> bytes:
        found = bytes(self._buffer[:length])
        del self._buffer[:length]
        return found


class Intake:
    """ASGI middleware in front of Django: applies `rule_for(scope)` and passes a `Body` on."""

    def __init__(
        self,
        application: Application,
        rule_for: Callable[[Scope], Rule],
        before_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._application, self._rule_for, self._before_wait = application, rule_for, before_wait

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            length = body_length(scope)
            rule = self._rule_for(scope)
            pieces = Pieces(receive, rule.max_bytes)
            if length == 0:
                await pieces.collect(0)
                await self._call(scope, pieces, b"", send)
                return
            check_declared(length, rule)
            start = (
                await pieces.collect(SMALL_BYTES)
                if length is None or length <= SMALL_BYTES
                else b""
            )
            if pieces.complete:
                await self._call(with_length(scope, len(start)), pieces, start, send)
                return
            check_declared(max(len(start), length or 0), rule)
            async with rule.budget.taken(rule.weight or length or rule.max_bytes):
                bound = (
                    scope
                    if length is not None or rule.exact_length
                    else with_length(scope, rule.max_bytes)
                )
                await self._call(bound, pieces, start, send)
            trim_soon()
        except ClientGone:
            return
        except MimirError as error:
            await send_json_error(send, error, close=isinstance(error, Misframed))

    async def _call(self, scope: Scope, pieces: Pieces, start: bytes, send: Send) -> None:
        """Call the application. If reading the body failed, that error replaces the response."""
        replaced = False

        async def watching_send(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return
            if message["type"] == "http.response.start" and pieces.failure is not None:
                replaced = True
                await send_json_error(send, pieces.failure, close=False)
                return
            await send(message)

        await self._application(scope, Body(pieces, start, self._before_wait), watching_send)


def check_declared(length: int | None, rule: Rule) -> None:
    """Check a declared length, None if unknown. Raises: TooLarge, or the error `rule.stranger`."""
    if length is None:
        return
    if rule.stranger is not None and length > STRANGER_BYTES_MAX:
        raise rule.stranger
    if length > rule.max_bytes:
        raise too_large(rule.max_bytes)


def body_length(scope: Scope) -> int | None:
    """Return the declared length of the body; None for `Transfer-Encoding: chunked`, 0 for none.

    Raises: MimirError for both headers together (RFC 9112, section 6.1), and for a bad length.
    """
    names = [name.lower() for name, _ in scope["headers"]]
    if b"transfer-encoding" in names:
        if b"content-length" in names or scope.get("http_version") == "1.0":
            message = (
                "A request has either Content-Length or Transfer-Encoding. Send one of them, with "
                "HTTP/1.1."
            )
            raise Misframed(message)
        return None
    text = header(scope, b"content-length") or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Misframed("Content-Length must be one number of bytes.")
    return int(text)


class Misframed(MimirError):
    """Servers could disagree about the end of the request, so the connection is closed.

    Status 400.
    """

    code = "bad_framing"


def with_length(scope: Scope, length: int) -> Scope:
    """Return `scope` with this Content-Length and no Transfer-Encoding, as Django needs it."""
    kept: list[Header] = [
        pair
        for pair in scope["headers"]
        if pair[0].lower() not in (b"content-length", b"transfer-encoding")
    ]
    return {**scope, "headers": [*kept, (b"content-length", str(length).encode())]}
