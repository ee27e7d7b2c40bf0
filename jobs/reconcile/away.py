"""Attempts of a cluster that does not answer: who fell silent is noted, who stays silent for the cluster's grace is given up.

Silence is counted by web's uptime (`services/uptime.py`): the cluster's while it is asked in vain, `Cluster.away_seconds`; a worker's
from where the count stood when its last heartbeat was found old. That is noted at the attempt, whichever process finds it, and a heartbeat
that comes makes the note void by not being the noted one. The grace is over when both have lasted so long. Every step decides again under
the rows' locks: a heartbeat or a finish that comes in the same moment is either seen here, or finds its attempt fenced.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from jobs.contract import FailureReason, JobStatus
from jobs.core import feed
from jobs.core.transition import attempt_lock
from jobs.diagnosis.kubernetes import heartbeat_lost, never_started_away
from jobs.lifecycle.ending import attempt_end
from jobs.models import Attempt, Cluster, Job
from jobs.reconcile.apply import ACTOR, gone_record, times
from jobs.reconcile.attempts import database_now, view_of
from jobs.reconcile.decide import Action, AttemptView, Verb, decide_away, start_seconds
from jobs.reconcile.silence import FRESH_SECONDS, heard_of, silence_of, web_seconds
from mimir.lib.clock import utc_now
from mimir.lib.formatting import time_text

LOST_WITH_ITS_CLUSTER = (
    "The worker and its cluster fell silent: lines after this one may be missing."
)


def unheard_mark(*, cluster: Cluster) -> int:
    """Note which workers of a cluster that does not answer have fallen silent, and which are heard of again; returns how many.

    Rows that somebody else holds are left to the next pass.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MARK, {"name": cluster.name, "fresh": FRESH_SECONDS})
        return _publish(cursor.fetchall())


def heard_again(*, cluster: Cluster) -> int:
    """The cluster answers: what was noted is over. Returns how many notes there were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FORGET, {"name": cluster.name})
        return _publish(cursor.fetchall())


def _publish(rows: list[tuple[UUID, UUID]]) -> int:
    for job_id, project_id in rows:
        feed.publish_job(job_id=job_id, project_id=project_id)
    return len(rows)


# In no particular order, but none that somebody holds is waited for: no deadlock. Nothing is locked while heartbeats arrive.
_MARK = """
WITH found AS (
    SELECT attempt.id, web.counted, moment.at FROM jobs_attempt AS attempt,
        (SELECT coalesce((SELECT counted_seconds FROM jobs_webuptime WHERE name = 'web'), 0) AS counted) AS web,
        (SELECT clock_timestamp() AS at) AS moment
    WHERE attempt.cluster_id = %(name)s AND attempt.gone_at IS NULL AND attempt.heartbeat_at IS NOT NULL
        AND CASE WHEN abs(extract(epoch FROM moment.at - attempt.heartbeat_at)) < %(fresh)s THEN attempt.unheard_heartbeat_at IS NOT NULL
            ELSE attempt.unheard_heartbeat_at IS DISTINCT FROM attempt.heartbeat_at OR attempt.unheard_from_seconds > web.counted END
    FOR NO KEY UPDATE OF attempt SKIP LOCKED
)
UPDATE jobs_attempt AS attempt SET
    unheard_heartbeat_at = CASE WHEN abs(extract(epoch FROM found.at - attempt.heartbeat_at)) < %(fresh)s THEN NULL ELSE attempt.heartbeat_at END,
    unheard_from_seconds = CASE WHEN abs(extract(epoch FROM found.at - attempt.heartbeat_at)) < %(fresh)s THEN NULL ELSE found.counted END
FROM found, jobs_job AS job
WHERE attempt.id = found.id AND job.id = attempt.job_id
RETURNING job.id, job.project_id
"""
_FORGET = """
WITH found AS (
    SELECT id FROM jobs_attempt WHERE cluster_id = %(name)s AND gone_at IS NULL AND unheard_heartbeat_at IS NOT NULL
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE jobs_attempt AS attempt SET unheard_heartbeat_at = NULL, unheard_from_seconds = NULL
FROM found, jobs_job AS job WHERE attempt.id = found.id AND job.id = attempt.job_id
RETURNING job.id, job.project_id
"""


def away_step(*, attempt_id: UUID) -> bool:
    """What `decide_away` says of an attempt as its rows stand now; whether it moved."""
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt_id)
        cluster = Cluster.objects.get(name=attempt.cluster_id)
        if cluster.unreachable_since is None:
            return False  # it answers again, to somebody else
        now = database_now()
        silence = silence_of(cluster, heard_of(attempt), web_seconds=web_seconds(), now=now)
        return _do(
            job, attempt, cluster, decide_away(view_of(attempt), silence, now=now, times=times())
        )


def node_step(*, row: AttemptView, ready: Mapping[str, Any] | None) -> bool:
    """Of a worker that its cluster shows, on a node that is not heard of: note its silence, and end it once that has lasted for the grace.

    Whether it moved. A cluster takes the pods of a silent node away by itself, unless they tolerate that for ever.
    """
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=row.id)
        cluster = Cluster.objects.get(name=attempt.cluster_id)
        if view_of(attempt).fence() != row.fence() or job.status != JobStatus.RUNNING:
            return False
        web = web_seconds()
        silence = silence_of(cluster, heard_of(attempt), web_seconds=web, now=database_now())
        if silence.heard:
            return False
        if attempt.unheard_heartbeat_at != attempt.heartbeat_at:
            attempt.unheard_heartbeat_at, attempt.unheard_from_seconds = attempt.heartbeat_at, web
            attempt.save(update_fields=["unheard_heartbeat_at", "unheard_from_seconds"])
            feed.publish_job(job_id=job.id, project_id=job.project_id)
        if silence.worker_seconds < silence.grace_seconds:
            return False
        message = ready["summary"] if ready else ""
        attempt_end(
            job=job,
            attempt=attempt,
            reason=FailureReason.NODE_LOST,
            actor=ACTOR,
            message=message,
            ready=ready,
        )
    return True


def _do(job: Job, attempt: Attempt, cluster: Cluster, action: Action) -> bool:
    if action.verb is Verb.END:
        assert action.reason is not None
        ready = _told(job, attempt, cluster, action.reason)
        message = ready["summary"] if ready else action.message
        attempt_end(
            job=job,
            attempt=attempt,
            reason=action.reason,
            actor=ACTOR,
            message=message,
            ready=ready,
        )
    elif action.verb is Verb.FENCE:
        attempt.fenced_at = attempt.ended_at = utc_now()
        attempt.save(update_fields=["fenced_at", "ended_at"])
    elif action.verb is Verb.GONE:
        gone_record(
            job=job,
            attempt=attempt,
            marker=LOST_WITH_ITS_CLUSTER,
            data={"unseen": True, "cluster": cluster.name},
        )
    return action.verb is not Verb.NOTHING


def _told(
    job: Job, attempt: Attempt, cluster: Cluster, reason: FailureReason
) -> dict[str, Any] | None:
    """The diagnosis of an end that the silence made; None for one that comes of the job's own limits."""
    now = utc_now()
    facts: dict[str, Any] = {
        "cluster": cluster.name,
        "since": time_text(cluster.unreachable_since or now, now),
        "elsewhere": bool(job.cluster or job.region),
    }
    if reason is FailureReason.HEARTBEAT_LOST:
        heard = time_text(attempt.heartbeat_at or attempt.claimed_at or now, now)
        return heartbeat_lost(cluster.away_grace_seconds, heard=heard, **facts).told()
    if reason is FailureReason.LAUNCH_TIMEOUT:
        return never_started_away(start_seconds(view_of(attempt), times()), **facts).told()
    return None
