"""Priority under overload: lanes of requests with bounded concurrency, queues and load shedding.

Django runs each request in a thread of its own. Without a bound, threads share the interpreter lock
and, above a certain load, every request times out. Here requests of workers that keep jobs alive
begin before all others, and requests that cannot begin in time are refused with Retry-After.
"""

import asyncio
import functools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge

from mimir.lib.asgi import Application, Message, Receive, Scope, Send, send_json_error
from mimir.lib.bodies import Body
from mimir.lib.errors import MimirError
from mimir.lib.request_slot import RELEASE

SLOT_SECONDS = 1.0  # a request that runs longer is assumed to wait for a lock, a bucket, a cluster
LATE_SECONDS = 2.0  # a request of the first lane that waits longer shows an overload
SLOW_SECONDS = 5.0  # so does a claim or heartbeat without a response after this time
TURN_SECONDS = 1.0  # a lower lane can begin one request in this time while the first lane waits
RETRY_SECONDS_MIN, RETRY_SECONDS_MAX = 1, 30
_INTERVAL_SECONDS = 0.02  # assumed between two begins, until measured
_SMOOTHING = 0.1

_CLAIMS = frozenset({"claim", "heartbeat", "events", "finish", "finish-with-events"})
_PROMPT = frozenset({"claim", "heartbeat"})  # they wait for nothing but the database
_UNLIMITED = frozenset({"/health", "/ready", "/metrics"})

REFUSED = Counter("mimir_requests_refused", "Requests refused because of overload.", ["lane"])
WAITING = Gauge("mimir_requests_waiting", "Requests that wait for their turn.", ["lane"])
RUNNING = Gauge(
    "mimir_requests_running", "Running requests whose response has not started.", ["lane"]
)


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """Limits of one lane.

    slots: requests that run at once, each for at most SLOT_SECONDS. most: the same, plus those that
    run longer; each can hold a database connection. wait_seconds: longest wait of a request until
    it begins.
    """

    name: str
    slots: int
    most: int
    wait_seconds: float


def lane_limits(connections: int) -> tuple[LaneLimits, LaneLimits, LaneLimits]:
    """Return the lanes `claims`, `transfers` and `interactive` for a pool of this size.

    Together they leave at least two connections: for the heartbeat of web, and for heartbeats of
    workers that are recorded together. A worker waits 30 s for a response, a page of the frontend
    10 s: a response that nobody waits for is wasted.
    """
    share = connections / 20
    return (
        LaneLimits("claims", max(1, int(6 * share)), max(1, int(7 * share)), 5.0),
        LaneLimits("transfers", max(1, int(3 * share)), max(1, int(4 * share)), 10.0),
        LaneLimits("interactive", max(1, int(4 * share)), max(1, int(7 * share)), 5.0),
    )


@dataclass(eq=False, slots=True)
class Entry:
    """One request in its lane.

    reads: its body is still arriving. The client can be slow, and the thread that waits for it
    holds no connection, so that the request counts for SLOT_SECONDS only.
    """

    lane: "Lane"
    arrived_at: float
    reads: bool = False
    begun: "asyncio.Future[None] | None" = None


@dataclass(eq=False, slots=True)
class Lane:
    """Requests of one class.

    active: those in a slot, with the time at which they began, the oldest first. slow: those that
    ran longer than SLOT_SECONDS and have lost their slot.
    """

    limits: LaneLimits
    active: dict[Entry, float] = field(default_factory=dict)
    slow: set[Entry] = field(default_factory=set)
    waiting: deque[Entry] = field(default_factory=deque)
    begun_at: float = 0.0
    interval: float = _INTERVAL_SECONDS  # between two begins while requests wait; an average

    def running_count(self) -> int:
        """Return the number of requests in a slot, and of slow ones."""
        return len(self.active) + len(self.slow)

    @property
    def is_full(self) -> bool:
        """Whether no request can begin."""
        return len(self.active) >= self.limits.slots or self.running_count() >= self.limits.most

    @property
    def expected_seconds(self) -> float:
        """Time until a request that arrives now would begin."""
        return (len(self.waiting) + 1) * self.interval

    @property
    def is_overlong(self) -> bool:
        """Whether a request that arrives now could probably not begin in time."""
        return (
            len(self.waiting) >= self.limits.slots
            and self.expected_seconds > self.limits.wait_seconds
        )

    def begin(self, entry: Entry, now: float) -> None:
        """Give a slot to `entry`, which has not waited."""
        self.interval += _SMOOTHING * (_INTERVAL_SECONDS - self.interval)
        self.active[entry] = self.begun_at = now

    def begin_next(self, now: float) -> Entry:
        """Give a slot to the request that waits longest, and return it."""
        entry = self.waiting.popleft()
        taken = now - max(self.begun_at, entry.arrived_at)
        self.interval += _SMOOTHING * (taken - self.interval)
        self.active[entry] = self.begun_at = now
        if entry.begun is not None:
            entry.begun.set_result(None)
        return entry

    def retire(self, now: float) -> None:
        """Free the slots of requests that have run for SLOT_SECONDS."""
        while self.active:
            entry = next(iter(self.active))
            if now - self.active[entry] < SLOT_SECONDS:
                return
            del self.active[entry]
            if not entry.reads:
                self.slow.add(entry)

    def leave(self, entry: Entry) -> bool:
        """Remove `entry` from wherever it is; return whether it was there."""
        if self.active.pop(entry, None) is not None:
            return True
        if entry in self.slow:
            self.slow.remove(entry)
            return True
        if entry.begun is not None and not entry.begun.done():
            self.waiting.remove(entry)
            entry.begun.cancel()
            return True
        return False


class Lanes:
    """ASGI middleware directly around Django's handler.

    on_refused: called with the scope of each refused request of the first lane.
    """

    def __init__(
        self,
        application: Application,
        limits: tuple[LaneLimits, LaneLimits, LaneLimits],
        on_refused: Callable[[Scope], None] = lambda _scope: None,
    ) -> None:
        self._application, self._on_refused = application, on_refused
        self._claims, self._transfers, self._interactive = map(Lane, limits)
        self._lanes = (self._claims, self._transfers, self._interactive)
        self._timer: asyncio.TimerHandle | None = None
        self._overloaded_since: float | None = None
        for lane in self._lanes:
            REFUSED.labels(lane.limits.name)
            WAITING.labels(lane.limits.name).set_function(functools.partial(len, lane.waiting))
            RUNNING.labels(lane.limits.name).set_function(lane.running_count)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lane = self._lane_of(scope)
        if lane is None:
            await self._application(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        entry = Entry(lane, now, isinstance(receive, Body) and not receive.complete)
        RELEASE.set(functools.partial(self._end_soon, loop, entry))
        try:
            if self._can_begin(lane, now):
                lane.begin(entry, now)
            elif not await self._begins(entry, scope, receive, send):
                return
            await self._application(scope, receive, self._watched(entry, scope, send))
        finally:
            self._end(entry)

    def take_overload(self) -> float | None:
        """Return the time since which claims have been refused or late, and reset it.

        By the loop's clock; None if there was no overload since the last call.
        """
        if self._claims.waiting:
            first = self._claims.waiting[0]
            if asyncio.get_running_loop().time() - first.arrived_at > LATE_SECONDS:
                self.note_overload(first.arrived_at)
        since, self._overloaded_since = self._overloaded_since, None
        return since

    def note_overload(self, since: float) -> None:
        """Record that web has been overloaded since this time of the loop's clock."""
        if self._overloaded_since is None or since < self._overloaded_since:
            self._overloaded_since = since

    def _lane_of(self, scope: Scope) -> Lane | None:
        path: str = scope["path"]
        if path.startswith("/worker/"):
            prefix, _, name = path.rpartition("/")
            is_claim = scope["method"] == "POST" and name in _CLAIMS and prefix.count("/") == 4
            return self._claims if is_claim else self._transfers
        return None if path.rstrip("/") in _UNLIMITED else self._interactive

    def _can_begin(self, lane: Lane, now: float) -> bool:
        return not lane.waiting and not lane.is_full and not self._yields(lane, now)

    def _yields(self, lane: Lane, now: float) -> bool:
        """Whether `lane` must let the first lane begin before it.

        Not if the first lane waits for slow requests only: they do not need the CPU. One request
        per TURN_SECONDS can begin in any case, so that an administrator can act.
        """
        claims = self._claims
        return (
            lane is not claims
            and bool(claims.waiting)
            and len(claims.active) >= claims.limits.slots
            and now - lane.begun_at < TURN_SECONDS
        )

    async def _begins(self, entry: Entry, scope: Scope, receive: Receive, send: Send) -> bool:
        """Wait for the turn of `entry`; False if it was refused or its client has gone."""
        lane, loop = entry.lane, asyncio.get_running_loop()
        lane.retire(loop.time())
        if lane.is_overlong:
            await self._refuse(entry, scope, send)
            return False
        entry.begun = loop.create_future()
        lane.waiting.append(entry)
        self._pump()
        if entry.begun.done():
            return True
        gone = loop.create_task(_disconnected(receive))
        try:
            await asyncio.wait(
                (entry.begun, gone),
                timeout=lane.limits.wait_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            has_gone = gone.done()
            gone.cancel()
        if entry.begun.done():
            if lane is self._claims and loop.time() - entry.arrived_at > LATE_SECONDS:
                self.note_overload(entry.arrived_at)
            return True
        if not has_gone:
            await self._refuse(entry, scope, send)
        return False

    async def _refuse(self, entry: Entry, scope: Scope, send: Send) -> None:
        lane = entry.lane
        seconds = math.ceil(lane.expected_seconds)
        seconds = min(max(seconds, RETRY_SECONDS_MIN), RETRY_SECONDS_MAX)
        REFUSED.labels(lane.limits.name).inc()
        if lane is self._claims:
            self.note_overload(entry.arrived_at)
            self._on_refused(scope)
        lane.leave(entry)
        await send_json_error(
            send,
            MimirError(
                f"The server is busy. Try again in {seconds} s.",
                code="overloaded",
                status=503,
                retry_after_seconds=seconds,
            ),
            close=False,
        )

    def _watched(self, entry: Entry, scope: Scope, send: Send) -> Send:
        """Return `send` that frees the slot when the response starts."""

        async def watching_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._end(entry)
                if entry.lane is self._claims and scope["path"].rpartition("/")[2] in _PROMPT:
                    now = asyncio.get_running_loop().time()
                    if now - entry.arrived_at > SLOW_SECONDS:
                        self.note_overload(entry.arrived_at)
            await send(message)

        return watching_send

    def _end_soon(self, loop: asyncio.AbstractEventLoop, entry: Entry) -> None:
        """Free the slot from the thread of the request."""
        loop.call_soon_threadsafe(self._end, entry)

    def _end(self, entry: Entry) -> None:
        if entry.lane.leave(entry) and any(lane.waiting for lane in self._lanes):
            self._pump()

    def _pump(self) -> None:
        """Begin as many waiting requests as possible, those of workers first."""
        now = asyncio.get_running_loop().time()
        for lane in self._lanes:
            lane.retire(now)
            while lane.waiting and not lane.is_full and not self._yields(lane, now):
                lane.begin_next(now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if any(lane.waiting for lane in self._lanes):
            oldest = min(
                (next(iter(lane.active.values())) for lane in self._lanes if lane.active),
                default=None,
            )
            if oldest is not None:
                self._timer = asyncio.get_running_loop().call_at(oldest + SLOT_SECONDS, self._pump)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
