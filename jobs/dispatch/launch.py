"""Launch workers on clusters, many at a time and outside every transaction.

The Attempt row is committed before the cluster is called, and the worker's name is derived from
it. A launch repeated after a crash therefore finds the existing worker. Later steps do not need
the answer of a launch: the claim makes the job `running`.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection

from jobs.clusters.launchers.base import (
    Launched,
    Launcher,
    LauncherKind,
    LaunchLater,
    LaunchRefused,
    LaunchSpec,
    LaunchUncertain,
)
from jobs.clusters.rows import launcher_of
from jobs.diagnosis.kubernetes import not_answered_yet
from jobs.dispatch.launch_outcome import defer_launch, end_refused, record_launched
from jobs.dispatch.launch_rows import is_still_wanted, launch_rows
from jobs.dispatch.launch_spec import launch_spec
from jobs.models import Cluster
from jobs.reconcile.apply import wait_record
from mimir.lib.crash import crash_point

log = structlog.get_logger(__name__)
ACTOR = "dispatcher"
WRITTEN_AT_ONCE, GATHER_SECONDS = 128, 0.05
SLOW_SECONDS, SLOW_AT_ONCE = 1.5, 100
AHEAD = 4  # rows read per thread, so that no thread waits while others are written


def attempts_launch(
    attempt_ids: Sequence[UUID], *, more: Callable[[], Sequence[UUID]] | None = None
) -> None:
    """Launch those of `attempt_ids` that are still wanted; return when each has an answer.

    At most LAUNCH_CONCURRENCY are in flight. `more` returns further ids and is called once, while
    the first ones are in flight.

    The worker threads only call clusters. The caller's thread reads rows before and writes them
    after, many at a time. The process launcher checks each row again just before it starts the
    worker (`is_still_wanted`). Attempts that another thread of this process is launching are
    skipped: the sweep runs during a long batch.
    """
    owned = _take(attempt_ids)
    try:
        _launch_all(owned, more)
    finally:
        with _hand_lock:
            _in_hand.difference_update(owned)


_in_hand: set[UUID] = set()
_hand_lock = threading.Lock()


def _take(attempt_ids: Sequence[UUID]) -> list[UUID]:
    with _hand_lock:
        owned = [each for each in attempt_ids if each not in _in_hand]
        _in_hand.update(owned)
    return owned


def _launch_all(owned: list[UUID], more: Callable[[], Sequence[UUID]] | None) -> None:
    """Launch the attempts in `owned`, and those that `more` returns, which are added to `owned`."""
    waiting, in_flight, alone = deque(owned), 0, len(owned) == 1 and more is None
    answers: SimpleQueue[_LaunchResult] = SimpleQueue()
    while waiting or in_flight or more is not None:
        ahead = (
            AHEAD * settings.ENV.launch_concurrency if more is None else len(waiting)
        )  # keeps the threads busy while more ids are read
        taken = (
            [waiting.popleft() for _ in range(min(ahead, len(waiting)))]
            if in_flight < ahead
            else []
        )
        for request in _requests(taken) if taken else ():
            if alone or request.launcher is None:
                answers.put(_launch_one(request))
            else:
                _work(request.cluster).put((answers, request))
            in_flight += 1
        if more is not None:
            owned += (others := _more_ids(more))
            waiting.extend(others)
            more = None
        elif in_flight:
            got = _all_in(answers, min(in_flight, WRITTEN_AT_ONCE))
            in_flight -= len(got)
            _write(got)


def _more_ids(more: Callable[[], Sequence[UUID]]) -> list[UUID]:
    """Return the ids from `more`; its failure does not affect launches in flight."""
    try:
        return _take(more())
    except Exception:
        log.exception("no more could be had to launch: the sweep tries again")
        connection.close()
        return []


@dataclass(frozen=True, slots=True)
class _LaunchRequest:
    """Request for one worker; `launcher` is None if the cluster's row is unusable."""

    attempt_id: UUID
    cluster: str
    launcher: Launcher | None
    spec: LaunchSpec
    remote: bool  # the launcher uses the network


@dataclass(frozen=True, slots=True)
class _LaunchResult:
    """Outcome of the launch of one worker."""

    attempt_id: UUID
    outcome: Launched | Exception


_Work = SimpleQueue[tuple["SimpleQueue[_LaunchResult]", _LaunchRequest]]


@cache
def _work(cluster: str) -> _Work:
    """Return the work queue of the threads that call `cluster`, started on first use.

    Each cluster has its own threads: a hanging cluster blocks only these.
    Not a thread pool executor: its futures, which nothing reads, cost as much as building the
    worker's object.
    """
    work: _Work = SimpleQueue()
    for number in range(settings.ENV.launch_concurrency):
        threading.Thread(
            target=_launch_loop, args=(work,), name=f"launch {cluster} {number}", daemon=True
        ).start()
    return work


def _requests(attempt_ids: Sequence[UUID]) -> Iterator[_LaunchRequest]:
    """Return the requests of attempts that are still wanted, in order."""
    clusters = {row.name: row for row in Cluster.objects.all()}
    launchers = {name: _launcher(row) for name, row in clusters.items()}
    for row in launch_rows(attempt_ids):
        cluster = clusters[row.cluster_id]
        remote = cluster.launcher == LauncherKind.KUBERNETES
        yield _LaunchRequest(
            row.id, row.cluster_id, launchers[row.cluster_id], launch_spec(row, cluster), remote
        )


def _launcher(cluster: Cluster) -> Launcher | None:
    try:
        return launcher_of(cluster)
    except Exception:
        log.exception("a cluster's row cannot be used", cluster=cluster.name)
        return None


def _launch_loop(work: _Work) -> None:
    while True:
        answers, request = work.get()
        answer = _launch_one(request)
        try:
            # a launcher that calls `still_wanted` opens a database connection in this thread
            connection.close()
        except Exception:
            log.exception("closing a launch thread's connection failed")
        answers.put(answer)  # in any case: the waiting thread counts the answers


def _launch_one(request: _LaunchRequest) -> _LaunchResult:
    """Launch one worker; an unknown failure is retried later and blocks no other launch."""
    crash_point("launch.before")
    attempt_id = request.attempt_id
    if request.launcher is None:
        return _LaunchResult(
            attempt_id, LaunchUncertain(f"the row of the cluster {request.cluster} cannot be used")
        )
    if request.remote:
        _in_flight[attempt_id] = time.monotonic()
    try:
        launched = request.launcher.launch(
            request.spec, still_wanted=lambda: is_still_wanted(attempt_id)
        )
    except (LaunchRefused, LaunchUncertain) as error:
        return _LaunchResult(attempt_id, error)
    except Exception as error:
        log.exception("launch failed", attempt_id=str(attempt_id))
        return _LaunchResult(attempt_id, error)
    finally:
        _in_flight.pop(attempt_id, None)
    crash_point("launch.after")
    return _LaunchResult(attempt_id, launched)


_in_flight: dict[UUID, float] = {}  # start time of each launch in flight in this process
_recorded_slow: set[UUID] = set()


def slow_launches_record() -> None:
    """Record a wait for the cluster, once per launch without an answer for SLOW_SECONDS."""
    in_flight = dict(_in_flight)
    _recorded_slow.intersection_update(in_flight)
    late = time.monotonic() - SLOW_SECONDS
    for attempt_id in [
        each for each, since in in_flight.items() if since < late and each not in _recorded_slow
    ][:SLOW_AT_ONCE]:
        _recorded_slow.add(attempt_id)
        wait_record(
            attempt_id=attempt_id, wait=not_answered_yet().body(), actor=ACTOR, only_first=True
        )


def _all_in(answers: "SimpleQueue[_LaunchResult]", most: int) -> list[_LaunchResult]:
    """Collect available answers, at most `most`.

    Waits for the first, then GATHER_SECONDS for more: writing many costs little more than writing
    one.
    """
    got = [answers.get()]
    end = time.monotonic() + GATHER_SECONDS
    while len(got) < most:
        try:
            got.append(answers.get(timeout=max(0.0, end - time.monotonic())))
        except Empty:
            break
    return got


def _write(answers: Sequence[_LaunchResult]) -> None:
    """Store the outcomes.

    An outcome that cannot be stored is recovered: the sweep launches the attempt again, and the
    launch finds the existing worker by its name.
    """
    try:
        record_launched(
            {
                each.attempt_id: each.outcome
                for each in answers
                if isinstance(each.outcome, Launched)
            }
        )
        for each in answers:
            if isinstance(each.outcome, LaunchRefused):
                end_refused(each.attempt_id, each.outcome)
            elif isinstance(each.outcome, Exception):
                _later(each.attempt_id, each.outcome)
    except Exception:
        log.exception("storing launch outcomes failed")
        connection.close()


def _later(attempt_id: UUID, error: Exception) -> None:
    log.warning("launch deferred", attempt_id=str(attempt_id), error=str(error)[:300])
    defer_launch(attempt_id, seconds=error.seconds if isinstance(error, LaunchLater) else None)
    if isinstance(error, LaunchUncertain) and error.diagnosis is not None:
        wait_record(attempt_id=attempt_id, wait=error.diagnosis, actor=ACTOR)
