"""Launch workers on clusters, many at a time and outside every transaction.

The Attempt row is committed before the cluster is called, and the worker's name is derived from
it. A launch repeated after a crash therefore finds the existing worker. Later steps do not need
the answer of a launch: the claim makes the job `running`.
"""

import datetime as dt
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q

from jobs.clusters.launchers.base import (
    Launched,
    Launcher,
    LauncherKind,
    LaunchLater,
    LaunchRefused,
    LaunchSpec,
    LaunchUncertain,
)
from jobs.clusters.machine import clamped
from jobs.clusters.rows import launcher_of
from jobs.contract import EventKind, FailureReason, JobStatus
from jobs.core import feed
from jobs.core.resources import from_dict
from jobs.core.tokens import launch_token
from jobs.core.transition import attempt_lock
from jobs.diagnosis.kubernetes import not_answered_yet
from jobs.lifecycle.ending import attempt_end, back_off_seconds
from jobs.models import Attempt, Cluster
from jobs.reconcile.apply import wait_record
from jobs.reconcile.decide import capacity_wait
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point

log = structlog.get_logger(__name__)
ACTOR = "dispatcher"
WRITTEN_AT_ONCE, GATHER_SECONDS = 128, 0.05
SLOW_SECONDS, SLOW_AT_ONCE = 1.5, 100
AHEAD = 4  # rows read per thread, so that no thread waits while others are written
_WANTED = Q(
    fenced_at__isnull=True,
    ended_at__isnull=True,
    claim_id__isnull=True,
    uid="",
    job__status=JobStatus.LAUNCHING,
)


def attempts_to_launch(
    *, cluster: str | None = None, older_than_seconds: float = 0.0, limit: int = 500
) -> list[UUID]:
    """Return admitted attempts without a known launch, oldest first.

    These were left by a lost hint or a killed dispatcher. Attempts on an unreachable cluster are
    excluded: each call would cost a timeout, and the reconciler records when it answers again.
    """
    now = utc_now()
    rows = Attempt.objects.filter(
        _WANTED,
        Q(launch_not_before__isnull=True) | Q(launch_not_before__lte=now),
        Q() if cluster is None else Q(cluster_id=cluster),
        cluster__unreachable_since__isnull=True,
        gone_at__isnull=True,
        created_at__lte=now - dt.timedelta(seconds=older_than_seconds),
    )
    return list(rows.order_by("created_at", "id").values_list("id", flat=True)[:limit])


def attempts_launch(
    attempt_ids: Sequence[UUID], *, more: Callable[[], Sequence[UUID]] | None = None
) -> None:
    """Launch those of `attempt_ids` that are still wanted; return when each has an answer.

    At most LAUNCH_CONCURRENCY are in flight. `more` returns further ids and is called once, while
    the
    first ones are in flight.

    The worker threads only call clusters. The caller's thread reads rows before and writes them
    after,
    many at a time. Each start is read again just before its call, not a batch earlier. Attempts
    that
    another thread of this process is launching are skipped: the sweep runs during a long batch.
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
    """Launch `ids` and those that `more` returns, which are added to `owned`."""
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

    Each cluster has its own threads: a hanging cluster blocks all of its own and none of another's.
    Not an executor: its futures, which nothing reads, cost as much as building the object.
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
    # Columns instead of model instances, whose creation costs more than all other work here.
    of_job = ("type", "project_id", "priority", "timeout_seconds", "resources")
    fields = (
        "id",
        "name",
        "number",
        "cluster_id",
        "cpu_millicores",
        "memory_bytes",
        "job_id",
        *(f"job__{name}" for name in of_job),
    )
    rows = (
        Attempt.objects.filter(_WANTED, id__in=attempt_ids)
        .order_by("created_at", "id")
        .values_list(*fields, named=True)
    )
    for row in rows:
        cluster = clusters[row.cluster_id]
        remote = cluster.launcher == LauncherKind.KUBERNETES
        yield _LaunchRequest(
            row.id, row.cluster_id, launchers[row.cluster_id], _spec(row, cluster), remote
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
            # a launcher that checks whether the worker is still wanted opens one
            connection.close()
        except Exception:
            log.exception("closing a launch thread's connection failed")
        answers.put(answer)  # the waiting thread has no other way to learn of the answer


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
            request.spec, still_wanted=lambda: _still_wanted(attempt_id)
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
    """Record a "waiting for the cluster" reason once per launch without an answer for SLOW_SECONDS."""
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

    An outcome that cannot be stored is found again: the worker by its name, the attempt by the
    sweep.
    """
    try:
        _record(
            {
                each.attempt_id: each.outcome
                for each in answers
                if isinstance(each.outcome, Launched)
            }
        )
        for each in answers:
            if isinstance(each.outcome, LaunchRefused):
                _refused(each.attempt_id, each.outcome)
            elif isinstance(each.outcome, Exception):
                _later(each.attempt_id, each.outcome)
    except Exception:
        log.exception("storing launch outcomes failed")
        connection.close()


def _later(attempt_id: UUID, error: Exception) -> None:
    log.warning("launch deferred", attempt_id=str(attempt_id), error=str(error)[:300])
    _try_later(attempt_id, seconds=error.seconds if isinstance(error, LaunchLater) else None)
    if isinstance(error, LaunchUncertain) and error.diagnosis is not None:
        wait_record(attempt_id=attempt_id, wait=error.diagnosis, actor=ACTOR)


def _still_wanted(attempt_id: UUID) -> bool:
    """Return whether the attempt is still to be launched, read while its worker's lock is held.

    A cancel or a fence may have come since the request was built.
    """
    return Attempt.objects.filter(
        id=attempt_id,
        fenced_at__isnull=True,
        ended_at__isnull=True,
        claim_id__isnull=True,
        job__status=JobStatus.LAUNCHING,
    ).exists()


def _spec(row: Any, cluster: Cluster) -> LaunchSpec:
    """Build the launch specification from the columns that `_requests` reads."""
    env = settings.ENV
    limits = clamped(from_dict(row.job__resources).limits, launcher=cluster.launcher)
    return LaunchSpec(
        name=row.name,
        job_id=str(row.job_id),
        job_type=row.job__type,
        attempt_id=str(row.id),
        attempt=row.number,
        project_id=str(row.job__project_id),
        token=launch_token(row.id),
        orchestrator_url=cluster.orchestrator_url or env.orchestrator_url,
        cpu_millicores=limits.cpu_millicores,
        memory_bytes=limits.memory_bytes,
        gpu_count=limits.gpus,
        priority=row.job__priority,
        requested_cpu_millicores=row.cpu_millicores,
        requested_memory_bytes=row.memory_bytes,
        active_deadline_seconds=_active_deadline(row.number, row.job__timeout_seconds),
        extra_env={"REDIS_URL": env.worker_redis_url} if env.worker_redis_url else {},
    )


def _active_deadline(number: int, timeout_seconds: int) -> int:
    """Return the seconds after which the cluster itself ends the worker, later than our own deadlines."""
    env = settings.ENV
    slack = max(600, env.launch_timeout)  # time to start for a worker that waited for capacity
    return (
        int(capacity_wait(number, env.launch_timeout)) + timeout_seconds + env.worker_grace + slack
    )


def _record(launched: Mapping[UUID, Launched]) -> None:
    """Store the workers' uids and one event each in one transaction.

    Jobs are locked in id order.
    """
    if not launched:
        return
    ids = list(launched)
    rows = [launched[each] for each in ids]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LOCK, [ids])
        cursor.execute(
            _RECORD,
            [
                ids,
                [row.uid for row in rows],
                [row.adopted for row in rows],
                utc_now(),
                EventKind.LAUNCHED.value,
                ACTOR,
            ],
        )
        feed.publish_jobs(cursor.fetchall())


_LOCK = """
SELECT id FROM jobs_job
WHERE id IN (SELECT job_id FROM jobs_attempt WHERE id = ANY(%s::uuid[]))
ORDER BY id FOR NO KEY UPDATE
"""
# Bulk form of `transition.event_add`: the seq comes from the job's counter, whose row is locked.
_RECORD = """
WITH launched AS (
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::bool[]) AS launched (id, uid, adopted),
        (SELECT %s::timestamptz AS at) AS moment
), recorded AS (
    UPDATE jobs_attempt AS attempt SET uid = launched.uid, launched_at = launched.at FROM launched
    WHERE attempt.id = launched.id AND attempt.uid = ''
    RETURNING
        attempt.job_id, attempt.number, attempt.name, launched.uid, launched.adopted, launched.at
), counted AS (
    UPDATE jobs_job AS job SET event_seq = event_seq + 1 FROM recorded
    WHERE job.id = recorded.job_id
    RETURNING job.id, job.event_seq, job.project_id
), event AS (
    INSERT INTO jobs_jobevent (job_id, seq, at, attempt, kind, actor, data)
    SELECT counted.id, counted.event_seq, recorded.at, recorded.number, %s, %s,
        jsonb_build_object('name', recorded.name, 'uid', recorded.uid, 'adopted', recorded.adopted)
    FROM recorded JOIN counted ON counted.id = recorded.job_id
)
SELECT id, project_id FROM counted
"""


def _refused(attempt_id: UUID, refused: LaunchRefused) -> None:
    """End the attempt of a refused launch, unless it is claimed or already ended."""
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt_id)
        if (
            attempt.claim_id
            or attempt.fenced_at
            or attempt.ended_at
            or job.status != JobStatus.LAUNCHING
        ):
            return
        reason = FailureReason(refused.reason or FailureReason.LAUNCH_FAILED)
        attempt_end(
            job=job,
            attempt=attempt,
            reason=reason,
            actor=ACTOR,
            message=str(refused),
            cluster_diagnosis=refused.diagnosis,
        )


def _try_later(attempt_id: UUID, *, seconds: float | None = None) -> None:
    """Defer the launch to a later sweep, after `seconds` if the cluster named a time."""
    attempt = Attempt.objects.filter(id=attempt_id).first()
    if attempt is not None:
        wait = back_off_seconds(attempt.launch_failures + 1) if seconds is None else seconds
        Attempt.objects.filter(id=attempt_id).update(
            launch_failures=F("launch_failures") + 1,
            launch_not_before=utc_now() + dt.timedelta(seconds=wait),
        )
