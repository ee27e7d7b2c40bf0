"""Asking a cluster for workers, outside every transaction, many at a time.

The Attempt row is committed before the cluster is called, and the worker's name is made from it, so that a launch repeated after any crash
meets itself. No answer of a launch is needed for what follows: the claim makes the job `running`.
"""

import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from uuid import UUID

import structlog
from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import F, Q

from jobs.contract import EventKind, FailureReason, JobStatus
from jobs.launchers.base import Launched, LaunchLater, LaunchRefused, LaunchSpec, LaunchUncertain
from jobs.models import Attempt
from jobs.resources import from_dict
from jobs.selectors.machine import clamped
from jobs.services.clusters import launcher_of
from jobs.services.ending import attempt_end, back_off_seconds
from jobs.services.tokens import launch_token
from jobs.services.transition import attempt_lock, event_add
from mimir.lib.clock import utc_now
from mimir.lib.crash import crash_point

log = structlog.get_logger(__name__)
ACTOR = "dispatcher"
_WANTED = Q(fenced_at__isnull=True, ended_at__isnull=True, claim_id__isnull=True, uid="", job__status=JobStatus.LAUNCHING)


def attempts_to_launch(*, older_than_seconds: float = 0.0, limit: int = 500) -> list[UUID]:
    """Admitted attempts no launch is known of, oldest first: what a lost hint, or a dispatcher killed between, left behind."""
    now = utc_now()
    rows = Attempt.objects.filter(
        _WANTED,
        Q(launch_not_before__isnull=True) | Q(launch_not_before__lte=now),
        gone_at__isnull=True,
        created_at__lte=now - dt.timedelta(seconds=older_than_seconds),
    )
    return list(rows.order_by("created_at", "id").values_list("id", flat=True)[:limit])


def attempts_launch(attempt_ids: Sequence[UUID]) -> None:
    """Launch those of `attempt_ids` that are still wanted, LAUNCH_CONCURRENCY in flight; returns when each has an answer."""
    if len(attempt_ids) == 1:
        _launch_safely(attempt_ids[0])
        return
    list(_pool().map(_launch_in_thread, attempt_ids))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.ENV.launch_concurrency, thread_name_prefix="launch")


def _launch_in_thread(attempt_id: UUID) -> None:
    try:
        _launch_safely(attempt_id)
    finally:
        close_old_connections()
        connection.close()


def _launch_safely(attempt_id: UUID) -> None:
    """One launch; a failure that no rule knows is logged and tried again later, and holds up nobody else."""
    try:
        _launch(attempt_id)
    except Exception:
        log.exception("a launch failed", attempt_id=str(attempt_id))
        _try_later(attempt_id)


def _launch(attempt_id: UUID) -> None:
    attempt = Attempt.objects.select_related("job", "cluster").filter(_WANTED, id=attempt_id).first()
    if attempt is None:
        return
    launcher = launcher_of(attempt.cluster)
    crash_point("launch.before")
    try:
        launched = launcher.launch(_spec(attempt), still_wanted=lambda: _still_wanted(attempt_id))
    except LaunchRefused as refused:
        _refused(attempt_id, refused)
    except LaunchLater as later:
        log.warning("a launch has to wait", attempt_id=str(attempt_id), error=str(later))
        _try_later(attempt_id, seconds=later.seconds)
    except LaunchUncertain as error:
        log.warning("a launch has no sure answer", attempt_id=str(attempt_id), error=str(error))
        _try_later(attempt_id)
    else:
        crash_point("launch.after")
        _record(attempt_id, launched)


def _still_wanted(attempt_id: UUID) -> bool:
    """Read anew by the starter once it holds the worker's lock: a cancel or a fence may have come meanwhile."""
    return Attempt.objects.filter(
        id=attempt_id, fenced_at__isnull=True, ended_at__isnull=True, claim_id__isnull=True, job__status=JobStatus.LAUNCHING
    ).exists()


def _spec(attempt: Attempt) -> LaunchSpec:
    env, job = settings.ENV, attempt.job
    limits = clamped(from_dict(job.resources).limits, launcher=attempt.cluster.launcher)
    return LaunchSpec(
        name=attempt.name,
        job_id=str(job.id),
        job_type=job.type,
        attempt_id=str(attempt.id),
        attempt=attempt.number,
        project_id=str(job.project_id),
        token=launch_token(attempt.id),
        orchestrator_url=attempt.cluster.orchestrator_url or env.orchestrator_url,
        cpu_millicores=limits.cpu_millicores,
        memory_bytes=limits.memory_bytes,
        gpu_count=limits.gpus,
        priority=job.priority,
        requested_cpu_millicores=attempt.cpu_millicores,
        requested_memory_bytes=attempt.memory_bytes,
        active_deadline_seconds=env.launch_timeout + job.timeout_seconds + env.worker_grace + 600,
        extra_env={"REDIS_URL": env.worker_redis_url} if env.worker_redis_url else {},
    )


def _record(attempt_id: UUID, launched: Launched) -> None:
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt_id)
        if attempt.uid:
            return
        attempt.uid, attempt.launched_at = launched.uid, utc_now()
        attempt.save(update_fields=["uid", "launched_at"])
        event_add(
            job=job,
            attempt=attempt.number,
            kind=EventKind.LAUNCHED,
            actor=ACTOR,
            data={"name": attempt.name, "uid": launched.uid, "adopted": launched.adopted},
        )


def _refused(attempt_id: UUID, refused: LaunchRefused) -> None:
    """For certain not created: end the attempt, but only while nobody has claimed it."""
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt_id)
        if attempt.claim_id or attempt.fenced_at or attempt.ended_at or job.status != JobStatus.LAUNCHING:
            return
        reason = FailureReason(refused.reason or FailureReason.LAUNCH_FAILED)
        attempt_end(job=job, attempt=attempt, reason=reason, actor=ACTOR, message=str(refused))


def _try_later(attempt_id: UUID, *, seconds: float | None = None) -> None:
    """Leave the launch to a later sweep: after `seconds`, where the cluster named a time."""
    attempt = Attempt.objects.filter(id=attempt_id).first()
    if attempt is not None:
        wait = back_off_seconds(attempt.launch_failures + 1) if seconds is None else seconds
        Attempt.objects.filter(id=attempt_id).update(
            launch_failures=F("launch_failures") + 1, launch_not_before=utc_now() + dt.timedelta(seconds=wait)
        )
