"""Asking a cluster for workers, outside every transaction, many at a time.

The Attempt row is committed before the cluster is called, and the worker's name is made from it, so that a launch repeated after any crash
meets itself. No answer of a launch is needed for what follows: the claim makes the job `running`.
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
from jobs.reconcile.apply import waits_told
from jobs.reconcile.decide import room_wait
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point

log = structlog.get_logger(__name__)
ACTOR = "dispatcher"
WRITTEN_AT_ONCE, GATHER_SECONDS = 128, 0.05
SLOW_SECONDS, SLOW_AT_ONCE = 1.5, 100
AHEAD = 4  # rows read for each thread, so that none waits while others are written
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
    """Admitted attempts no launch is known of, oldest first: what a lost hint, or a dispatcher killed between, left behind.

    None of a cluster that does not answer: to ask it would take a time-out each, and the reconciler notes when it answers again.
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
    """Launch those of `attempt_ids` that are still wanted, LAUNCH_CONCURRENCY in flight; returns when each has an answer.

    `more` gives further ones; it is called once, while the first ones are under way.

    The threads ask clusters and nothing else; rows are read before and written after by the caller's thread, many at a time. A start that
    was admitted is read again just before it is asked for, not a whole batch earlier. What another thread of this process has in hand
    is left to that one: the sweep comes by while a long batch is under way.
    """
    mine = _take(attempt_ids)
    try:
        _launch_all(mine, more)
    finally:
        with _hand_lock:
            _in_hand.difference_update(mine)


_in_hand: set[UUID] = set()
_hand_lock = threading.Lock()


def _take(attempt_ids: Sequence[UUID]) -> list[UUID]:
    with _hand_lock:
        mine = [each for each in attempt_ids if each not in _in_hand]
        _in_hand.update(mine)
    return mine


def _launch_all(mine: list[UUID], more: Callable[[], Sequence[UUID]] | None) -> None:
    """`mine` gets what `more` gives."""
    waiting, in_flight, alone = deque(mine), 0, len(mine) == 1 and more is None
    answers: SimpleQueue[_Answer] = SimpleQueue()
    while waiting or in_flight or more is not None:
        ahead = (
            AHEAD * settings.ENV.launch_concurrency if more is None else len(waiting)
        )  # work for the threads while the others are brought
        taken = (
            [waiting.popleft() for _ in range(min(ahead, len(waiting)))]
            if in_flight < ahead
            else []
        )
        for asked in _asked(taken) if taken else ():
            if alone or asked.launcher is None:
                answers.put(_ask(asked))
            else:
                _work(asked.cluster).put((answers, asked))
            in_flight += 1
        if more is not None:
            mine += (others := _brought(more))
            waiting.extend(others)
            more = None
        elif in_flight:
            got = _all_in(answers, min(in_flight, WRITTEN_AT_ONCE))
            in_flight -= len(got)
            _write(got)


def _brought(more: Callable[[], Sequence[UUID]]) -> list[UUID]:
    """What `more` gives; a failure of it is no failure of those that are under way."""
    try:
        return _take(more())
    except Exception:
        log.exception("no more could be had to launch: the sweep tries again")
        connection.close()
        return []


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whom to ask for one worker; `launcher` is None where the cluster's row cannot be used."""

    attempt_id: UUID
    cluster: str
    launcher: Launcher | None
    spec: LaunchSpec
    remote: bool  # it is asked over a network


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of asking for one worker."""

    attempt_id: UUID
    outcome: Launched | Exception


_Work = SimpleQueue[tuple["SimpleQueue[_Answer]", _Asked]]


@cache
def _work(cluster: str) -> _Work:
    """What the threads that ask `cluster` take from; they are started with it, and end with the process.

    Each cluster has its own: one that hangs holds them all, and none of another's. Not an executor: its futures, which nobody would read,
    cost as much as building the object.
    """
    work: _Work = SimpleQueue()
    for number in range(settings.ENV.launch_concurrency):
        threading.Thread(
            target=_ask_for_ever, args=(work,), name=f"launch {cluster} {number}", daemon=True
        ).start()
    return work


def _asked(attempt_ids: Sequence[UUID]) -> Iterator[_Asked]:
    """Those that are still wanted, in order."""
    clusters = {row.name: row for row in Cluster.objects.all()}
    launchers = {name: _launcher(row) for name, row in clusters.items()}
    # Columns, not rows: a model's instance for each costs more than all that is done with it here.
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
        remote = cluster.launcher == "kubernetes"
        yield _Asked(row.id, row.cluster_id, launchers[row.cluster_id], _spec(row, cluster), remote)


def _launcher(cluster: Cluster) -> Launcher | None:
    try:
        return launcher_of(cluster)
    except Exception:
        log.exception("a cluster's row cannot be used", cluster=cluster.name)
        return None


def _ask_for_ever(work: _Work) -> None:
    while True:
        answers, asked = work.get()
        answer = _ask(asked)
        try:
            connection.close()  # a launcher that asks whether the worker is still wanted has opened one
        except Exception:
            log.exception("a thread's connection could not be closed")
        answers.put(answer)  # whoever waits for it has no other way to learn


def _ask(asked: _Asked) -> _Answer:
    """One launch; a failure that no rule knows is tried again later, and holds up nobody else."""
    crash_point("launch.before")
    attempt_id = asked.attempt_id
    if asked.launcher is None:
        return _Answer(
            attempt_id, LaunchUncertain(f"the row of the cluster {asked.cluster} cannot be used")
        )
    if asked.remote:
        _asking[attempt_id] = time.monotonic()
    try:
        launched = asked.launcher.launch(asked.spec, still_wanted=lambda: _still_wanted(attempt_id))
    except (LaunchRefused, LaunchUncertain) as error:
        return _Answer(attempt_id, error)
    except Exception as error:
        log.exception("a launch failed", attempt_id=str(attempt_id))
        return _Answer(attempt_id, error)
    finally:
        _asking.pop(attempt_id, None)
    crash_point("launch.after")
    return _Answer(attempt_id, launched)


_asking: dict[UUID, float] = {}  # since when this process has waited for the answer to each launch
_told_slow: set[UUID] = set()


def slow_launches_told() -> None:
    """Record a "waiting for the cluster" reason once for each launch that has had no answer for SLOW_SECONDS and no reason yet."""
    asking = dict(_asking)
    _told_slow.intersection_update(asking)
    late = time.monotonic() - SLOW_SECONDS
    for attempt_id in [
        each for each, since in asking.items() if since < late and each not in _told_slow
    ][:SLOW_AT_ONCE]:
        _told_slow.add(attempt_id)
        waits_told(attempt_id=attempt_id, told=not_answered_yet().told(), only_first=True)


def _all_in(answers: "SimpleQueue[_Answer]", most: int) -> list[_Answer]:
    """The answers that are in, `most` at most. Waits for one, and a moment for more: to write many costs little more than to write one."""
    got = [answers.get()]
    end = time.monotonic() + GATHER_SECONDS
    while len(got) < most:
        try:
            got.append(answers.get(timeout=max(0.0, end - time.monotonic())))
        except Empty:
            break
    return got


def _write(answers: Sequence[_Answer]) -> None:
    """Keep what came of it. What cannot be written now is found again: the worker by its name, the attempt by the sweep."""
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
        log.exception("answers of launches could not be kept")
        connection.close()


def _later(attempt_id: UUID, error: Exception) -> None:
    log.warning("a launch is tried again later", attempt_id=str(attempt_id), error=str(error)[:300])
    _try_later(attempt_id, seconds=error.seconds if isinstance(error, LaunchLater) else None)
    if isinstance(error, LaunchUncertain) and error.told is not None:
        waits_told(attempt_id=attempt_id, told=error.told)


def _still_wanted(attempt_id: UUID) -> bool:
    """Read anew by the starter once it holds the worker's lock: a cancel or a fence may have come meanwhile."""
    return Attempt.objects.filter(
        id=attempt_id,
        fenced_at__isnull=True,
        ended_at__isnull=True,
        claim_id__isnull=True,
        job__status=JobStatus.LAUNCHING,
    ).exists()


def _spec(row: Any, cluster: Cluster) -> LaunchSpec:
    """`row`: the columns that `_asked` reads."""
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
    """When the cluster itself ends a worker that nobody has ended, in seconds from its creation: later than any deadline of ours."""
    env = settings.ENV
    slack = max(600, env.launch_timeout)  # one that had room at last has its time to start
    return int(room_wait(number, env.launch_timeout)) + timeout_seconds + env.worker_grace + slack


def _record(launched: Mapping[UUID, Launched]) -> None:
    """The workers' uids, and an event for each, in one transaction. Locks in the order of ids: nobody else locks several of these jobs."""
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
SELECT id FROM jobs_job WHERE id IN (SELECT job_id FROM jobs_attempt WHERE id = ANY(%s::uuid[])) ORDER BY id FOR NO KEY UPDATE
"""
# What `transition.event_add` does, for many: the event's seq is taken from the job's own counter, whose rows are locked by now.
_RECORD = """
WITH told AS (
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::bool[]) AS told (id, uid, adopted), (SELECT %s::timestamptz AS at) AS moment
), recorded AS (
    UPDATE jobs_attempt AS attempt SET uid = told.uid, launched_at = told.at FROM told
    WHERE attempt.id = told.id AND attempt.uid = ''
    RETURNING attempt.job_id, attempt.number, attempt.name, told.uid, told.adopted, told.at
), counted AS (
    UPDATE jobs_job AS job SET event_seq = event_seq + 1 FROM recorded WHERE job.id = recorded.job_id
    RETURNING job.id, job.event_seq, job.project_id
), told_of AS (
    INSERT INTO jobs_jobevent (job_id, seq, at, attempt, kind, actor, data)
    SELECT counted.id, counted.event_seq, recorded.at, recorded.number, %s, %s,
        jsonb_build_object('name', recorded.name, 'uid', recorded.uid, 'adopted', recorded.adopted)
    FROM recorded JOIN counted ON counted.id = recorded.job_id
)
SELECT id, project_id FROM counted
"""


def _refused(attempt_id: UUID, refused: LaunchRefused) -> None:
    """For certain not created: end the attempt, but only while nobody has claimed it."""
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
            ready=refused.told,
        )


def _try_later(attempt_id: UUID, *, seconds: float | None = None) -> None:
    """Leave the launch to a later sweep: after `seconds`, where the cluster named a time."""
    attempt = Attempt.objects.filter(id=attempt_id).first()
    if attempt is not None:
        wait = back_off_seconds(attempt.launch_failures + 1) if seconds is None else seconds
        Attempt.objects.filter(id=attempt_id).update(
            launch_failures=F("launch_failures") + 1,
            launch_not_before=utc_now() + dt.timedelta(seconds=wait),
        )
