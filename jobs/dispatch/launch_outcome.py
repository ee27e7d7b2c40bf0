"""Store the outcome of launches: launched, refused or deferred."""

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from jobs.clusters.launchers.base import (
    Launched,
    LaunchRefused,
)
from jobs.contract import EventKind, FailureReason, JobStatus
from jobs.core import feed
from jobs.core.transition import attempt_lock
from jobs.lifecycle.ending import attempt_end, back_off_seconds
from jobs.models import Attempt
from mimir.lib.clock import utc_now

ACTOR = "dispatcher"


def record_launched(launched: Mapping[UUID, Launched]) -> None:
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


def end_refused(attempt_id: UUID, refused: LaunchRefused) -> None:
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


def defer_launch(attempt_id: UUID, *, seconds: float | None = None) -> None:
    """Defer the launch to a later sweep, after `seconds`: the time that the cluster named.

    None: after the usual back-off.
    """
    attempt = Attempt.objects.filter(id=attempt_id).first()
    if attempt is not None:
        wait = back_off_seconds(attempt.launch_failures + 1) if seconds is None else seconds
        Attempt.objects.filter(id=attempt_id).update(
            launch_failures=F("launch_failures") + 1,
            launch_not_before=utc_now() + dt.timedelta(seconds=wait),
        )
