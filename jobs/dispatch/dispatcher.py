"""Dispatcher: RQ hints on the main thread and a periodic sweep on a second thread.

Hints name one of two operations, `wake` and `launch`. If every hint is lost, the sweep does the
same work a little later.
"""

import sys
import threading
import time
from collections.abc import Sequence
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error, close_old_connections, connection
from redis.exceptions import RedisError

from jobs.admission.admit import admit_once
from jobs.clusters.rows import cluster_configure, launchers_prepare
from jobs.core import queue
from jobs.core.hints import Operation
from jobs.dispatch.launch import attempts_launch, slow_launches_record
from jobs.dispatch.launch_rows import attempts_to_launch
from jobs.liveness.beats import beat_record, beats_sweep
from jobs.liveness.connection_budget import connections_check
from jobs.models import Cluster

log = structlog.get_logger(__name__)
COMPONENT = "dispatcher"
SLOW_CHECK_SECONDS = 0.5  # between two checks for launches without an answer
STOP_SECONDS = (
    # wait for running launches at a stop; a launch without an answer is found by its name later
    5.0
)
FIRST = 256  # jobs of a long queue that are launched while the others are admitted
# With Python's default switch interval of 5 ms, threads that call clusters delay the thread that
# writes rows.
SWITCH_SECONDS = 0.001


def wake(_priority: str) -> None:
    """Handle a hint that a job waits or capacity became free.

    One pass considers every class and launches directly, without another hint.
    """
    close_old_connections()
    first = admit_once(hint=False, limit=FIRST)
    attempts_launch(first, more=(lambda: admit_once(hint=False)) if len(first) == FIRST else None)


def launch(attempt_ids: Sequence[str]) -> None:
    """Handle a hint that these attempts are admitted."""
    close_old_connections()
    attempts_launch([UUID(attempt_id) for attempt_id in attempt_ids])


class Launches:
    """Launches of a sweep, one thread per cluster: a hanging cluster blocks no other."""

    def __init__(self) -> None:
        self._threads: dict[str, threading.Thread] = {}

    def begin(self, cluster: str) -> None:
        """Launch attempts that no hint has launched, unless the previous ones are still running.

        Attempts younger than a sweep are left to their own hint, to avoid a race for the same name.
        """
        before = self._threads.get(cluster)
        if before is not None and before.is_alive():
            return
        if waiting := attempts_to_launch(
            cluster=cluster, older_than_seconds=settings.ENV.sweep_seconds
        ):
            self._threads[cluster] = thread = threading.Thread(
                target=_launch_swept, args=(waiting,), name=f"sweep {cluster}", daemon=True
            )
            thread.start()

    def join(self, timeout_seconds: float) -> None:
        """Wait until all launches have their answers, at most the given time."""
        until = time.monotonic() + timeout_seconds
        for thread in self._threads.values():
            thread.join(timeout=max(0.0, until - time.monotonic()))


def _launch_swept(waiting: Sequence[UUID]) -> None:
    try:
        attempts_launch(waiting)
    except Exception:
        log.exception("a sweep's launches failed: the next one tries again")
    finally:
        connection.close()


def sweep_once(launches: Launches) -> None:
    """Admit and launch everything that no hint has announced."""
    admit_once()
    for name in Cluster.objects.values_list("name", flat=True):
        launches.begin(name)


def sweep_forever(stop: threading.Event) -> None:
    """Call `sweep_once` every SWEEP_SECONDS until `stop`. Errors are logged."""
    launches = Launches()
    while not stop.is_set():
        try:
            close_old_connections()
            sweep_once(launches)
            beat_record(component=COMPONENT)
            beats_sweep()
        except Exception:
            log.exception("a sweep failed: the next one tries again")
            connection.close()
        _rest(stop, settings.ENV.sweep_seconds)
    launches.join(STOP_SECONDS)


def _rest(stop: threading.Event, seconds: float) -> None:
    """Wait `seconds` or until `stop`. Meanwhile, record launches without an answer."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not stop.wait(min(left, SLOW_CHECK_SECONDS)):
        try:
            slow_launches_record()
        except Exception:
            log.exception("recording a slow launch failed")
            connection.close()


def run(stop: threading.Event) -> None:
    """Run both loops until `stop` or a signal to the RQ worker.

    While Redis is down the sweep continues and RQ reconnects each second.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    _ensure(stop)
    threading.Thread(target=_prepare, name="prepare", daemon=True).start()
    sweep = threading.Thread(target=sweep_forever, args=(stop,), name="sweep", daemon=True)
    sweep.start()
    worker = None
    while not stop.is_set() and not (worker and worker.stop_requested):
        try:
            worker = queue.worker({Operation.WAKE: wake, Operation.LAUNCH: launch})
            worker.work(logging_level="WARNING")
            if not worker.stop_requested:
                stop.wait(1.0)
        except (RedisError, OSError) as error:
            log.warning(
                "Redis does not answer: the sweep works without it", error=type(error).__name__
            )
            stop.wait(1.0)
        except queue.StopSignal:
            break
    stop.set()
    sweep.join(timeout=2 * STOP_SECONDS)


def _prepare() -> None:
    """Prepare launchers in the background, because a credentials program may be slow."""
    try:
        launchers_prepare()
    except Exception:
        log.exception("the launchers could not be prepared: the first launches do it")
    finally:
        connection.close()


def _ensure(stop: threading.Event) -> None:
    """Write the settings to the default cluster's row, and check the number of connections.

    Retries each second while the database does not answer: it may still be starting.
    """
    while not stop.is_set():
        try:
            cluster_configure()
        except Error:
            log.warning("the database does not answer yet")
            connection.close()
            stop.wait(1.0)
        else:
            connections_check()
            return
