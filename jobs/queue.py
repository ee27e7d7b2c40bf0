"""RQ's only home. It carries hints: `wake` (look at the line) and `launch` (these attempts are admitted). Losing all of them costs time.

One queue a priority class; ids only, as JSON. A Redis that does not answer within 0.5 s is skipped, counted and not asked again for a
second, so that a submit stays fast while it is away.
"""

import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from jobs.contract import PRIORITIES, Priority

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 0.5
AWAY_SECONDS = 1.0
StopAsked = StopRequested  # raised on the main thread by a signal that comes between two messages
MESSAGE_TTL_SECONDS = 60  # a hint older than this says nothing the sweep has not found
WAKE = "jobs.dispatcher.wake"
LAUNCH = "jobs.dispatcher.launch"

failures = 0  # hints that could not be sent by this process, for the metrics
_away_until = 0.0
_lock = threading.Lock()


class HintWorker(SimpleWorker):
    """A worker in the dispatcher's own process: no fork, so that a hint costs milliseconds. Time-outs by a timer, not by SIGALRM."""

    death_penalty_class = TimerDeathPenalty

    asked_to_stop = False

    def request_stop(self, signum: Any, frame: Any) -> None:
        """A signal asks it to stop: by itself it also returns when Redis goes away."""
        self.asked_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


@cache
def connection() -> Redis:
    """This process's connection for sending: short time-outs, no retries."""
    return Redis.from_url(
        settings.ENV.redis_url, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS, retry_on_timeout=False
    )


def queue_name(priority: str) -> str:
    """The RQ queue of a class."""
    return f"mimir-{priority}"


def wake(priority: str) -> None:
    """Hint that something in this class, or its room, changed. Never raises."""
    _send(priority, WAKE, [str(priority)])


def wake_all() -> None:
    """Hint that a limit or a cluster changed: one pass looks at every class. Never raises."""
    wake(Priority.CRITICAL)


def launch(attempt_ids: Sequence[UUID], priority: str) -> None:
    """Hint that these attempts are admitted. Never raises."""
    if attempt_ids:
        _send(priority, LAUNCH, [[str(attempt_id) for attempt_id in attempt_ids]])


def _send(priority: str, function: str, arguments: list[object]) -> None:
    global failures, _away_until
    if time.monotonic() < _away_until:
        failures += 1
        return
    try:
        queue = Queue(queue_name(priority), connection=connection(), serializer=JSONSerializer)
        queue.enqueue(function, args=arguments, result_ttl=0, failure_ttl=60, ttl=MESSAGE_TTL_SECONDS, job_timeout=60)
    except (RedisError, OSError) as error:
        with _lock:
            failures += 1
            _away_until = time.monotonic() + AWAY_SECONDS
        log.warning("a hint was not sent: the sweep will find what it was about", function=function, error=type(error).__name__)


def worker() -> HintWorker:
    """The worker over all classes, highest first, on a connection of its own that waits for messages."""
    waiting = Redis.from_url(settings.ENV.redis_url, socket_connect_timeout=CONNECT_SECONDS, health_check_interval=15)
    queues = [Queue(queue_name(priority), connection=waiting, serializer=JSONSerializer) for priority in PRIORITIES]
    return HintWorker(queues, connection=waiting, serializer=JSONSerializer)
