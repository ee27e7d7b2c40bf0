"""RQ's only home. It carries hints: `wake` (look at the queue) and `launch` (these attempts are admitted). Losing all of them costs time.

One queue per priority class; ids only. RQ is used as a queue and for its loop alone: a message is an opaque text that `jobs.core.hints`
verifies, and no message can name a function, a callback, a webhook, a dependency or a command. A Redis that does not answer within 0.5 s
is skipped, counted and not asked again for a second, so that a submit stays fast while it is away.
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
StopAsked = StopRequested  # raised on the main thread by a signal that comes between two messages
MESSAGE_TTL_SECONDS = 60  # a hint older than this says nothing the sweep has not found
RUN_SECONDS = 60
LOG_EVERY_SECONDS = 10.0  # rejected messages are all counted; a flood of them must not fill the log
Operations = Mapping[Operation, Callable[..., None]]

failures = 0  # hints that could not be sent by this process, for the metrics
REJECTED = Counter(
    "mimir_hints_rejected",
    "Messages on Redis that are not hints of ours: nothing was run.",
    ["reason"],
)
_away_until = 0.0
_lock = threading.Lock()


class HintMessage(Message):
    """A message as it lies in Redis. Only its data are read: callbacks, webhooks, dependencies and whatever else a hash names are not."""

    def refresh(self) -> None:
        """Read the data. Raises: NoSuchJobError where there are none, RejectedHint where they are too large."""
        if self.connection.hstrlen(self.key, "data") > BYTES_MAX:  # type: ignore[operator]
            raise RejectedHint("malformed")
        data = self.connection.hget(self.key, "data")
        if data is None:
            raise NoSuchJobError(f"No such job: {self.key}")
        self.restore({b"data": data})

    def restore(self, raw_data: Any) -> None:
        """Take the data, and never unpack more than a message may have."""
        data, unpacking = raw_data[b"data"], zlib.decompressobj()
        try:
            unpacked = unpacking.decompress(data, BYTES_MAX)
        except zlib.error:
            unpacked = data  # it was not compressed
        else:
            if unpacking.unconsumed_tail:
                raise RejectedHint("malformed")
        self.data = unpacked

    def text(self) -> object:
        """The message itself: RQ's data are [function's name, instance, arguments, keyword arguments], and only the first argument counts."""
        try:
            _name, _instance, arguments, _keywords = json.loads(self.data)
            return arguments[0]
        except (ValueError, TypeError, LookupError, RecursionError):
            return None


class HintQueue(Queue):
    """A queue whose unreadable messages are passed over."""

    job_class = HintMessage

    @classmethod
    def dequeue_any(cls, *arguments: Any, **named: Any) -> Any:
        """The next message. One that cannot be read is counted and dropped, and the next one is taken."""
        while True:
            try:
                return super().dequeue_any(*arguments, **named)
            except (DequeueTimeout, RedisError, OSError, StopRequested):
                raise
            except Exception as error:
                rejected(error.reason if isinstance(error, RejectedHint) else "malformed")


class HintWorker(SimpleWorker):
    """A worker in the dispatcher's own process: no fork, so that a hint costs milliseconds. Time-outs by a timer, not by SIGALRM.

    It takes no commands over Redis (RQ's `shutdown` would stop the dispatcher), no suspension, and keeps no registries.
    """

    death_penalty_class = TimerDeathPenalty
    queue_class = HintQueue
    job_class = HintMessage

    asked_to_stop = False

    def __init__(self, *arguments: Any, operations: Operations, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._operations = operations
        self._verifier = Verifier(settings.ENV.worker_keys)

    def request_stop(self, signum: Any, frame: Any) -> None:
        """A signal asks it to stop: by itself it also returns when Redis goes away."""
        self.asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def subscribe(self) -> None:
        """Take no commands."""

    def unsubscribe(self) -> None:
        """There is nothing to unsubscribe from."""

    def check_for_suspension(self, burst: bool) -> None:
        """A key on Redis does not suspend the dispatcher."""

    def run_maintenance_tasks(self) -> None:
        """No registries are kept, and RQ's would run what a message names."""

    def execute_job(self, job: Message, queue: Queue) -> None:
        """Run one message, without RQ's bookkeeping."""
        self.set_state(WorkerStatus.BUSY)
        try:
            self.perform_job(job, queue)
        finally:
            self.connection.delete(job.key)
            self.set_state(WorkerStatus.IDLE)

    def perform_job(self, job: Message, queue: Queue, execution: Any = None) -> bool:
        """Verify a message and run the operation it names; whether that went well. Nothing is ever imported by name. Never raises."""
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
                "a hint failed: the sweep finds what it was about", operation=hint.operation.value
            )
            return False
        return True


_logged_at = 0.0


def rejected(reason: str) -> None:
    """Count a message that is not one of ours, and log it, at most one line every 10 s."""
    global _logged_at
    REJECTED.labels(reason=reason).inc()
    if time.monotonic() - _logged_at > LOG_EVERY_SECONDS or not _logged_at:
        _logged_at = time.monotonic()
        log.warning(
            "a message on Redis was rejected: it is not one of our hints, and nothing was run",
            reason=reason,
        )


@cache
def connection() -> Redis:
    """This process's connection for sending: short time-outs, no retries."""
    return Redis.from_url(
        settings.ENV.redis_url,
        socket_timeout=CONNECT_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        retry_on_timeout=False,
    )


def queue_name(priority: str) -> str:
    """The RQ queue of a class."""
    return f"mimir-{priority}"


def wake(priority: str) -> None:
    """Hint that something in this class, or its capacity, changed. Never raises."""
    _send(priority, Operation.WAKE, [str(priority)])


def wake_all() -> None:
    """Hint that a limit or a cluster changed: one pass looks at every class. Never raises."""
    wake(Priority.CRITICAL)


def launch(attempt_ids: Sequence[UUID], priority: str) -> None:
    """Hint that these attempts are admitted. Never raises."""
    if attempt_ids:
        _send(priority, Operation.LAUNCH, [[str(attempt_id) for attempt_id in attempt_ids]])


def _send(priority: str, operation: Operation, arguments: list[object]) -> None:
    global failures, _away_until
    if time.monotonic() < _away_until:
        failures += 1
        return
    try:
        queue = Queue(queue_name(priority), connection=connection(), serializer=JSONSerializer)
        message = sealed(operation, arguments, keys=settings.ENV.worker_keys)
        queue.enqueue(
            operation.value, args=[message], result_ttl=0, failure_ttl=60, ttl=MESSAGE_TTL_SECONDS
        )
    except (RedisError, OSError) as error:
        with _lock:
            failures += 1
            _away_until = time.monotonic() + AWAY_SECONDS
        log.warning(
            "a hint was not sent: the sweep will find what it was about",
            operation=operation.value,
            error=type(error).__name__,
        )


def worker(operations: Operations) -> HintWorker:
    """The worker over all classes, highest first, on a connection of its own that waits for messages."""
    waiting = Redis.from_url(
        settings.ENV.redis_url, socket_connect_timeout=CONNECT_SECONDS, health_check_interval=15
    )
    queues = [
        HintQueue(queue_name(priority), connection=waiting, serializer=JSONSerializer)
        for priority in PRIORITIES
    ]
    return HintWorker(queues, connection=waiting, serializer=JSONSerializer, operations=operations)
