"""Hints over Redis, and the only module that imports RQ.

Two kinds of hints exist: `wake` (check the queue) and `launch` (these attempts are admitted).
Losing every hint only costs time: the database holds the state.

There is one queue per priority class, and messages carry ids only. RQ serves as a queue and as the
worker loop: a message is opaque text that `jobs.core.hints` verifies, and it cannot name a
function, a callback, a webhook, a dependency or a command. If Redis does not answer within 0.5 s,
hints are dropped and counted for one second, which keeps a submit fast while Redis is down.

One pass of the dispatcher serves every `wake` sent before it. A mark in Redis says that a `wake`
waits for the dispatcher, and the next ones are not sent. Reading a message removes the mark before
the pass begins. A mark without its message (a killed sender, a message that was lost) expires after
WAKE_MARK_SECONDS; the sweep finds jobs submitted in that time.
"""

import json
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from prometheus_client import Counter
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import DequeueTimeout, NoSuchJobError, StopRequested
from rq.job import Job as Message
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException, TimerDeathPenalty
from rq.worker import WorkerStatus

from jobs.contract import PRIORITIES, Priority
from jobs.core.hints import BYTES_MAX, Operation, RejectedHint, Verifier, sealed

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 0.5
AWAY_SECONDS = 1.0
StopSignal = StopRequested  # raised on the main thread by a signal between two messages
MESSAGE_TTL_SECONDS = 60  # the periodic sweep has found the work by then
RUN_SECONDS = 60
WAKE_MARK, WAKE_MARK_SECONDS = "mimir:wake-waits", 1.0
BEAT_SECONDS = 10.0  # RQ's key of a worker expires after 480 s
LOG_EVERY_SECONDS = 10.0  # every rejected message is counted, but a flood must not fill the log
Operations = Mapping[Operation, Callable[..., None]]

failures = 0  # hints that this process could not send, for the metrics
REJECTED = Counter(
    "mimir_hints_rejected",
    "Messages on Redis that were rejected and not run.",
    ["reason"],
)
_away_until = 0.0
_lock = threading.Lock()


class HintMessage(Message):
    """Message stored in Redis.

    Only its data field is read; callbacks, webhooks and dependencies in the hash are ignored.
    """

    def refresh(self) -> None:
        """Take the data and remove the mark of a waiting `wake`, before the pass begins.

        Raises: NoSuchJobError without data, RejectedHint if the data is too large.
        """
        if self.connection.hstrlen(self.key, "data") > BYTES_MAX:  # type: ignore[operator]
            raise RejectedHint("malformed")
        taking = self.connection.pipeline(transaction=False)
        taking.hget(self.key, "data")
        taking.delete(self.key, WAKE_MARK)
        data, _deleted = taking.execute()
        if data is None:
            raise NoSuchJobError(f"No such job: {self.key}")
        self.restore({b"data": data})

    def restore(self, raw_data: Any) -> None:
        """Decompress the data. Raises: RejectedHint if it is larger than BYTES_MAX."""
        data, unpacking = raw_data[b"data"], zlib.decompressobj()
        try:
            unpacked = unpacking.decompress(data, BYTES_MAX)
        except zlib.error:
            unpacked = data  # not compressed
        else:
            if unpacking.unconsumed_tail:
                raise RejectedHint("malformed")
        self.data = unpacked

    def text(self) -> object:
        """Return the message text: the first positional argument of RQ's data.

        RQ stores [function name, instance, arguments, keyword arguments].
        """
        try:
            _name, _instance, arguments, _keywords = json.loads(self.data)
            return arguments[0]
        except (ValueError, TypeError, LookupError, RecursionError):
            return None


class HintQueue(Queue):
    """Queue that skips unreadable messages."""

    job_class = HintMessage

    @classmethod
    def dequeue_any(cls, *arguments: Any, **named: Any) -> Any:
        """Return the next readable message; count and drop unreadable ones."""
        while True:
            try:
                return super().dequeue_any(*arguments, **named)
            except (DequeueTimeout, RedisError, OSError, StopRequested):
                raise
            except Exception as error:
                rejected(error.reason if isinstance(error, RejectedHint) else "malformed")


class HintWorker(SimpleWorker):
    """RQ worker in the dispatcher's own process, without a fork per message.

    A hint then costs milliseconds. Timeouts use a timer instead of SIGALRM. Commands over Redis
    (RQ's `shutdown` would stop the dispatcher), suspension and registries are disabled.
    """

    death_penalty_class = TimerDeathPenalty
    queue_class = HintQueue
    job_class = HintMessage

    stop_requested = False
    _beat_after = 0.0

    def __init__(self, *arguments: Any, operations: Operations, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._operations = operations
        self._verifier = Verifier(settings.ENV.worker_keys)

    def request_stop(self, signum: Any, frame: Any) -> None:
        """Request a stop on a signal.

        RQ's loop also returns when Redis disconnects; `stop_requested` is set only by a signal.
        """
        self.stop_requested = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def subscribe(self) -> None:
        """Do nothing: the worker accepts no commands."""

    def unsubscribe(self) -> None:
        """Do nothing: there is no subscription."""

    def check_for_suspension(self, burst: bool) -> None:
        """Do nothing: a key in Redis must not suspend the dispatcher."""

    def run_maintenance_tasks(self) -> None:
        """Do nothing: there are no registries, and RQ would run functions that a message names."""

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Keep the state in memory, where `request_stop` reads it, and not in Redis."""
        self._state = state

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Keep the worker's key in Redis alive, at most once per BEAT_SECONDS.

        RQ calls this three times per message, with three commands each.
        """
        if time.monotonic() >= self._beat_after:
            self._beat_after = time.monotonic() + BEAT_SECONDS
            super().heartbeat(timeout, pipeline)  # type: ignore[no-untyped-call]

    def execute_job(self, job: Message, queue: Queue) -> None:
        """Run one message without RQ's bookkeeping."""
        self.set_state(WorkerStatus.BUSY)
        try:
            self.perform_job(job, queue)
        finally:
            self.set_state(WorkerStatus.IDLE)

    def perform_job(self, job: Message, queue: Queue, execution: Any = None) -> bool:
        """Verify a message and run its operation; return whether it succeeded. Never raises.

        Nothing is imported by name.
        """
        try:
            hint = self._verifier.opened(job.text() if isinstance(job, HintMessage) else None)
        except RejectedHint as error:
            rejected(error.reason)
            return False
        try:
            with self.death_penalty_class(RUN_SECONDS, JobTimeoutException):  # type: ignore[no-untyped-call]
                self._operations[hint.operation](*hint.arguments)
        except Exception:
            log.exception(
                "hint failed; the periodic sweep will find the work", operation=hint.operation.value
            )
            return False
        return True


_logged_at = 0.0


def rejected(reason: str) -> None:
    """Count an invalid message and log at most one line per LOG_EVERY_SECONDS."""
    global _logged_at
    REJECTED.labels(reason=reason).inc()
    if time.monotonic() - _logged_at > LOG_EVERY_SECONDS or not _logged_at:
        _logged_at = time.monotonic()
        log.warning(
            "message on Redis rejected and not run",
            reason=reason,
        )


@cache
def connection() -> Redis:
    """Return this process's connection for sending: short timeouts, no retries."""
    return Redis.from_url(
        settings.ENV.redis_url,
        socket_timeout=CONNECT_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        retry_on_timeout=False,
    )


@cache
def _queue(priority: str) -> Queue:
    return Queue(queue_name(priority), connection=connection(), serializer=JSONSerializer)


def queue_name(priority: str) -> str:
    """Return the name of the RQ queue of a priority class."""
    return f"mimir-{priority}"


def wake(priority: str) -> None:
    """Send a hint that a job or the capacity of this class changed. Never raises.

    Sends nothing while another `wake`, of any class, waits for the dispatcher.
    """
    _send(priority, Operation.WAKE, [str(priority)])


def wake_all() -> None:
    """Send a hint that a limit or a cluster changed; one pass checks every class. Never raises."""
    wake(Priority.CRITICAL)


def launch(attempt_ids: Sequence[UUID], priority: str) -> None:
    """Send a hint that these attempts are admitted. Never raises."""
    if attempt_ids:
        _send(priority, Operation.LAUNCH, [[str(attempt_id) for attempt_id in attempt_ids]])


def _send(priority: str, operation: Operation, arguments: list[object]) -> None:
    global failures, _away_until
    if time.monotonic() < _away_until:
        failures += 1
        return
    try:
        if operation is Operation.WAKE and not _wake_mark():
            return
        message = sealed(operation, arguments, keys=settings.ENV.worker_keys)
        pipeline = connection().pipeline()  # one round trip
        _queue(priority).enqueue(
            operation.value,
            args=[message],
            result_ttl=0,
            failure_ttl=60,
            ttl=MESSAGE_TTL_SECONDS,
            pipeline=pipeline,
        )
        pipeline.execute()
    except (RedisError, OSError) as error:
        with _lock:
            failures += 1
            _away_until = time.monotonic() + AWAY_SECONDS
        log.warning(
            "hint not sent; the periodic sweep will find the work",
            operation=operation.value,
            error=type(error).__name__,
        )


def _wake_mark() -> bool:
    """Set the mark of a waiting `wake`; False if there is one already."""
    milliseconds = int(WAKE_MARK_SECONDS * 1000)
    return bool(connection().set(WAKE_MARK, 1, nx=True, px=milliseconds))


def worker(operations: Operations) -> HintWorker:
    """Return the worker for all queues, highest class first, on its own blocking connection."""
    waiting = Redis.from_url(
        settings.ENV.redis_url, socket_connect_timeout=CONNECT_SECONDS, health_check_interval=15
    )
    queues = [
        HintQueue(queue_name(priority), connection=waiting, serializer=JSONSerializer)
        for priority in PRIORITIES
    ]
    return HintWorker(queues, connection=waiting, serializer=JSONSerializer, operations=operations)
