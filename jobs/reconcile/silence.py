"""Silence of clusters and workers: how long it lasts, and its description for people."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple, TypedDict
from uuid import UUID

from django.db.models import F, Q

from jobs.contract import JobStatus
from jobs.models import Attempt, Cluster, Job, WebUptime
from jobs.reconcile.attempts import database_now, open_attempts
from jobs.reconcile.decide import Silence, Times, Verb, decide_away
from mimir.lib.formatting import duration_text, time_text

ABOUT_SECONDS = 30.0
FRESH_SECONDS = 30.0  # heartbeats come every 2 s, but a worker's request can hang for 30 s


class AwayBody(TypedDict):
    """Silence of a live job's worker; times in ISO 8601.

    `what`: the silent part, `cluster` or `node`. `lost_at` is an estimate: time without web does
    not count.
    """

    what: str
    cluster: str
    since: str
    heard_at: str | None
    lost_at: str | None
    detail: str


class LastHeartbeat(NamedTuple):
    """A worker's last heartbeat, and the mark that was set when it was found old."""

    heartbeat_at: dt.datetime | None
    unheard_heartbeat_at: dt.datetime | None
    unheard_from_seconds: float | None


def last_heartbeat(row: Attempt) -> LastHeartbeat:
    """Return the last heartbeat of one attempt."""
    return LastHeartbeat(row.heartbeat_at, row.unheard_heartbeat_at, row.unheard_from_seconds)


def web_seconds() -> float:
    """Return the total uptime of web in seconds (`jobs.liveness.uptime`)."""
    return (
        WebUptime.objects.filter(name="web").values_list("counted_seconds", flat=True).first()
        or 0.0
    )


def silence_of(
    cluster: Cluster, heartbeat: LastHeartbeat, *, web_seconds: float, now: dt.datetime
) -> Silence:
    """Return the silence of one worker of `cluster`. A mark of an older heartbeat is ignored."""
    last, marked, marked_from = heartbeat
    worker_seconds = (
        web_seconds - marked_from
        if marked_from is not None and last is not None and marked == last
        else 0.0
    )
    return Silence(
        cluster_seconds=cluster.away_seconds,
        worker_seconds=max(0.0, worker_seconds),
        grace_seconds=cluster.away_grace_seconds,
        has_recent_heartbeat=last is not None and abs((now - last).total_seconds()) < FRESH_SECONDS,
    )


def due_away(*, cluster: Cluster, times: Times) -> list[UUID]:
    """Return the attempts of a silent cluster that need an action.

    The caller must decide again under the locks of their rows.
    """
    now, row = database_now(), Cluster.objects.get(name=cluster.name)
    signs = ("heartbeat_at", "unheard_heartbeat_at", "unheard_from_seconds")
    rows = Attempt.objects.filter(cluster=cluster, gone_at__isnull=True).values_list("id", *signs)
    web = web_seconds()
    silences = {
        attempt_id: silence_of(row, LastHeartbeat(*signs_of), web_seconds=web, now=now)
        for attempt_id, *signs_of in rows.iterator(chunk_size=1000)
    }
    views = open_attempts(cluster=cluster)
    return [
        attempt_id
        for attempt_id, silence in silences.items()
        if attempt_id in views
        and decide_away(views[attempt_id], silence, now=now, times=times).verb is not Verb.NOTHING
    ]


def job_away(jobs: Sequence[Job]) -> dict[UUID, AwayBody]:
    """Return the `away` object of each live job whose worker and cluster, or node, are silent."""
    live = [
        job.id
        for job in jobs
        if job.status in (JobStatus.LAUNCHING, JobStatus.RUNNING, JobStatus.CANCELLING)
    ]
    if not live:
        return {}
    silent = Q(cluster__unreachable_since__isnull=False) | Q(unheard_heartbeat_at=F("heartbeat_at"))
    rows = Attempt.objects.filter(
        silent, job_id__in=live, number=F("job__attempt"), gone_at__isnull=True
    ).select_related("cluster", "job")
    found = list(rows)
    if not found:
        return {}
    now, web = database_now(), web_seconds()
    return {row.job_id: away for row in found if (away := _away(row, web, now)) is not None}


def _away(row: Attempt, web: float, now: dt.datetime) -> AwayBody | None:
    cluster = row.cluster
    silence = silence_of(cluster, last_heartbeat(row), web_seconds=web, now=now)
    if silence.has_recent_heartbeat:
        return None
    if cluster.unreachable_since is None:
        return _of_node(row, silence, now)
    left = silence.grace_seconds - min(silence.cluster_seconds, silence.worker_seconds)
    lost_at = (
        _about(now + dt.timedelta(seconds=max(0.0, left))) if row.claimed_at is not None else None
    )
    return {
        "what": "cluster",
        "cluster": cluster.name,
        "since": cluster.unreachable_since.isoformat(),
        "heard_at": row.heartbeat_at.isoformat() if row.heartbeat_at else None,
        "lost_at": lost_at.isoformat() if lost_at else None,
        "detail": _sentence(row, lost_at, now),
    }


def _of_node(row: Attempt, silence: Silence, now: dt.datetime) -> AwayBody | None:
    """Return the `away` object of a worker whose node does not answer, as its cluster reports."""
    if row.heartbeat_at is None or row.ended_at is not None:
        return None
    left = max(0.0, silence.grace_seconds - silence.worker_seconds)
    lost_at = _about(now + dt.timedelta(seconds=left))
    last = time_text(row.heartbeat_at, now)
    detail = (
        f"The worker has been silent since {last}, and its cluster {row.cluster_id} reports that"
        " its node does not answer. If the node comes back the worker continues. Otherwise the"
        " cluster removes it after some minutes, or it is ended at about"
        f" {time_text(lost_at, now)}."
    )
    return {
        "what": "node",
        "cluster": row.cluster_id,
        "since": row.heartbeat_at.isoformat(),
        "heard_at": row.heartbeat_at.isoformat(),
        "lost_at": lost_at.isoformat(),
        "detail": detail,
    }


def _about(at: dt.datetime) -> dt.datetime:
    """Round up to 30 s: an estimate that moves by a second is not an update for followers."""
    seconds = -(-at.timestamp() // ABOUT_SECONDS) * ABOUT_SECONDS
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _sentence(row: Attempt, lost_at: dt.datetime | None, now: dt.datetime) -> str:
    """Return the description of a silence: its start and its expected end.

    The cluster's own message contains addresses, which users must not see.
    """
    since = row.cluster.unreachable_since
    assert since is not None
    away = f"The cluster {row.cluster_id} has not answered since {time_text(since, now)}"
    if lost_at is None or row.heartbeat_at is None:
        return (
            f"{away}, and the worker has not reported. The attempt ends when its launch time limit"
            " expires."
        )
    silence = f"{away}, and the worker's last heartbeat was at {time_text(row.heartbeat_at, now)}."
    if row.job.status == JobStatus.CANCELLING:
        return (
            f"{silence} It counts as stopped at about {time_text(lost_at, now)}, unless one of them"
            " answers before."
        )
    grace = duration_text(row.cluster.away_grace_seconds)
    return (
        f"{silence} The attempt ends at about {time_text(lost_at, now)}, {grace} after both became"
        " silent, unless one of them answers first."
    )
