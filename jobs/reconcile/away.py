"""Attempts of an unreachable cluster: record silent workers, and end those that stay silent.

Silence is measured by web's uptime (`jobs.liveness.uptime`), so that our own outages do not count:
the cluster's as `Cluster.away_seconds`, a worker's from the uptime at which its last heartbeat was
found old. That mark is stored with the attempt, by any process. A new heartbeat invalidates it,
because the mark names the old one. The grace period is over when both were silent for all of it.
Every step decides again under the rows' locks: a heartbeat or a finish at the same moment is either
read here, or finds its attempt fenced.
"""

from uuid import UUID

from django.db import connection, transaction

from jobs.contract import FailureReason, JobStatus
from jobs.core import feed
from jobs.core.transition import attempt_lock
from jobs.diagnosis.kubernetes import heartbeat_lost, never_started_away
from jobs.diagnosis.message import DiagnosisBody
from jobs.lifecycle.ending import attempt_end
from jobs.models import Attempt, Cluster, Job
from jobs.reconcile.apply import ACTOR, gone_record, times
from jobs.reconcile.attempts import database_now, view_of
from jobs.reconcile.decide import Action, AttemptView, Verb, decide_away, start_seconds
from jobs.reconcile.silence import FRESH_SECONDS, last_heartbeat, silence_of, web_seconds
from mimir.lib.clock import utc_now
from mimir.lib.formatting import time_text

LOST_WITH_ITS_CLUSTER = (
    "The worker and its cluster stopped answering: lines after this one may be missing."
)


def silence_mark(*, cluster: Cluster) -> int:
    """Mark the workers that are silent, and unmark the others; return how many changed.

    Call it while `cluster` does not answer. Rows that another transaction has locked are left to
    the next pass.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MARK, {"name": cluster.name, "fresh": FRESH_SECONDS})
        return _publish(cursor.fetchall())


def silence_forget(*, cluster: Cluster) -> int:
    """Remove the marks of a cluster that answers again; return how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FORGET, {"name": cluster.name})
        return _publish(cursor.fetchall())


def _publish(rows: list[tuple[UUID, UUID]]) -> int:
    for job_id, project_id in rows:
        feed.publish_job(job_id=job_id, project_id=project_id)
    return len(rows)


# Locks rows in no order, but waits for no lock: no deadlock. Locks nothing while heartbeats arrive.
_MARK = """
WITH found AS (
    SELECT attempt.id, web.counted, moment.at FROM jobs_attempt AS attempt,
        (SELECT coalesce(
            (SELECT counted_seconds FROM jobs_webuptime WHERE name = 'web'), 0) AS counted
        ) AS web,
        (SELECT clock_timestamp() AS at) AS moment
    WHERE attempt.cluster_id = %(name)s AND attempt.gone_at IS NULL
        AND attempt.heartbeat_at IS NOT NULL
        AND CASE WHEN abs(extract(epoch FROM moment.at - attempt.heartbeat_at)) < %(fresh)s
            THEN attempt.unheard_heartbeat_at IS NOT NULL
            ELSE attempt.unheard_heartbeat_at IS DISTINCT FROM attempt.heartbeat_at
                OR attempt.unheard_from_seconds > web.counted END
    FOR NO KEY UPDATE OF attempt SKIP LOCKED
)
UPDATE jobs_attempt AS attempt SET
    unheard_heartbeat_at = CASE
        WHEN abs(extract(epoch FROM found.at - attempt.heartbeat_at)) < %(fresh)s
        THEN NULL ELSE attempt.heartbeat_at END,
    unheard_from_seconds = CASE
        WHEN abs(extract(epoch FROM found.at - attempt.heartbeat_at)) < %(fresh)s
        THEN NULL ELSE found.counted END
FROM found, jobs_job AS job
WHERE attempt.id = found.id AND job.id = attempt.job_id
RETURNING job.id, job.project_id
"""
_FORGET = """
WITH found AS (
    SELECT id FROM jobs_attempt
    WHERE cluster_id = %(name)s AND gone_at IS NULL AND unheard_heartbeat_at IS NOT NULL
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE jobs_attempt AS attempt SET unheard_heartbeat_at = NULL, unheard_from_seconds = NULL
FROM found, jobs_job AS job WHERE attempt.id = found.id AND job.id = attempt.job_id
RETURNING job.id, job.project_id
"""


def away_step(*, attempt_id: UUID) -> bool:
    """Do the action of `decide_away` for the current rows; return whether the attempt moved."""
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=attempt_id)
        cluster = Cluster.objects.get(name=attempt.cluster_id)
        if cluster.unreachable_since is None:
            return False  # it answers again, to another process
        now = database_now()
        silence = silence_of(cluster, last_heartbeat(attempt), web_seconds=web_seconds(), now=now)
        since = attempt.created_at if attempt.claimed_at is None else None
        limits = times(unclaimed_since=since)
        action = decide_away(view_of(attempt), silence, now=now, times=limits)
        return _do(job, attempt, cluster, action)


def node_silence_step(*, row: AttemptView, diagnosis: DiagnosisBody | None) -> bool:
    """Mark a silent worker on a node that does not report; end it after the grace period.

    Returns whether the attempt moved. A cluster removes the pods of a silent node by itself, unless
    they tolerate the taint of such a node without a time limit.
    """
    with transaction.atomic():
        job, attempt = attempt_lock(attempt_id=row.id)
        cluster = Cluster.objects.get(name=attempt.cluster_id)
        if view_of(attempt).fence() != row.fence() or job.status != JobStatus.RUNNING:
            return False
        web = web_seconds()
        silence = silence_of(cluster, last_heartbeat(attempt), web_seconds=web, now=database_now())
        if silence.has_recent_heartbeat:
            return False
        if attempt.unheard_heartbeat_at != attempt.heartbeat_at:
            attempt.unheard_heartbeat_at, attempt.unheard_from_seconds = attempt.heartbeat_at, web
            attempt.save(update_fields=["unheard_heartbeat_at", "unheard_from_seconds"])
            feed.publish_job(job_id=job.id, project_id=job.project_id)
        if silence.worker_seconds < silence.grace_seconds:
            return False
        _end(job, attempt, FailureReason.NODE_LOST, diagnosis)
    return True


def _do(job: Job, attempt: Attempt, cluster: Cluster, action: Action) -> bool:
    if action.verb is Verb.END:
        assert action.reason is not None
        _end(job, attempt, action.reason, _diagnosis(job, attempt, cluster, action.reason))
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


def _end(
    job: Job, attempt: Attempt, reason: FailureReason, diagnosis: DiagnosisBody | None
) -> None:
    attempt_end(
        job=job,
        attempt=attempt,
        reason=reason,
        actor=ACTOR,
        message=diagnosis["summary"] if diagnosis else "",
        cluster_diagnosis=diagnosis,
    )


def _diagnosis(
    job: Job, attempt: Attempt, cluster: Cluster, reason: FailureReason
) -> DiagnosisBody | None:
    """Return the diagnosis of an end by silence; None for an end by the job's own limits."""
    now = utc_now()
    since = time_text(cluster.unreachable_since or now, now)
    placed = bool(job.cluster or job.region)
    if reason is FailureReason.HEARTBEAT_LOST:
        last = time_text(attempt.heartbeat_at or attempt.claimed_at or now, now)
        return heartbeat_lost(
            cluster.away_grace_seconds,
            cluster=cluster.name,
            since=since,
            last_heartbeat=last,
            placed=placed,
        ).body()
    if reason is FailureReason.LAUNCH_TIMEOUT:
        seconds = start_seconds(view_of(attempt), times())
        return never_started_away(seconds, cluster=cluster.name, since=since, placed=placed).body()
    return None
