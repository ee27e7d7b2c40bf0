"""Explain why a job waits: queue position, blocking rule, sentence, all rules and an estimate.

One snapshot serves all jobs of a call. Admission and explanation use the same pure decision, so
they cannot differ. Of a long queue it considers the heads, as admission does, and the jobs to
explain.
"""

import datetime as dt
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, FloatField, QuerySet, Subquery
from django.db.models.functions import Cast, Extract

from jobs.admission.candidates import SHORT_QUEUE, admit_heads
from jobs.admission.decide import admit
from jobs.admission.positions import queue_positions
from jobs.admission.queue_rows import QueueRows
from jobs.admission.shapes import WaitingBody
from jobs.admission.snapshot import clusters_with_limits, snapshot, waiting_jobs
from jobs.admission.snapshot_types import Candidate, Check, Decision, Snapshot, WaitFacts
from jobs.admission.wait_text import QUEUED_BEHIND, WaitContext, describe_wait, ordinal
from jobs.contract import JobStatus, WaitRule
from jobs.models import Cluster, Job, LoopBeat
from mimir.lib.clock import utc_now

DISPATCHER_AWAY_SECONDS = 15.0
HISTORY = 20
KEEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _LongQueue:
    """Snapshot without waiting jobs, the heads, and the positions counted so far."""

    taken_at: float
    view: Snapshot
    heads: tuple[Candidate, ...]
    positions: dict[UUID, int]


_cached: _LongQueue | None = None


def job_waiting(jobs: Sequence[Job]) -> dict[UUID, WaitingBody]:
    """Return the API's `waiting` object of each queued job among `jobs`."""
    queued = [job for job in jobs if job.status == JobStatus.QUEUED]
    if not queued:
        return {}
    kinds = sorted({(job.project_id, job.type) for job in queued})
    clusters = list(_surroundings(kinds))
    view, decision, places = _decided([job.id for job in queued], clusters)
    away = _dispatcher_away_since(clusters)
    usual = _usual_seconds(kinds, clusters)
    slugs = {job.project_id: job.project.slug for job in queued}
    ends = _ends_in(
        view, {(slugs[project_id], kind): seconds for (project_id, kind), seconds in usual.items()}
    )
    return {
        job.id: _waiting(
            job, view, decision, places, away, clusters, usual.get((job.project_id, job.type)), ends
        )
        for job in queued
    }


def _surroundings(kinds: Sequence[tuple[UUID, str]]) -> "QuerySet[Cluster, Cluster]":
    """Return the clusters with the rest of a snapshot, the dispatcher's heartbeat and run times."""
    beats = (
        LoopBeat.objects.filter(component="dispatcher").order_by("-beat_at").values("beat_at")[:1]
    )
    durations = {
        f"duration_{index}": ArraySubquery(_last_seconds(*kind)) for index, kind in enumerate(kinds)
    }
    beyond_short = Job.objects.filter(status=JobStatus.QUEUED).order_by()[SHORT_QUEUE:]
    return clusters_with_limits().annotate(
        dispatcher_at=Subquery(beats), is_long_queue=Exists(beyond_short), **durations
    )


def _last_seconds(project_id: UUID, kind: str) -> "QuerySet[Job, Any]":
    ended = Job.objects.filter(
        project_id=project_id, type=kind, status=JobStatus.SUCCEEDED, started_at__isnull=False
    )
    durations = Cast(Extract(F("finished_at") - F("started_at"), "epoch"), FloatField())
    return ended.annotate(durations=durations).order_by("-created_at").values("durations")[:HISTORY]


def _places(decision: Decision) -> dict[UUID, int]:
    """Return each job's queue position. A job in back-off does not count for those behind it."""
    places, before = {}, 0
    for job_id in decision.order:
        places[job_id] = before + 1
        check = decision.blocked.get(job_id)
        before += check is None or check.rule is not WaitRule.BACK_OFF
    return places


def _decided(
    ids: Sequence[UUID], clusters: Sequence[Cluster]
) -> tuple[Snapshot, Decision, Mapping[UUID, int]]:
    """Return a snapshot, the decision that explains the jobs, and their queue positions."""
    if not (clusters and getattr(clusters[0], "is_long_queue")):  # noqa: B009 - annotated
        view = snapshot(clusters)
        decision = admit(view, explain=ids)
        return view, decision, _places(decision)
    queue = _long_queue(clusters)
    view, positions = queue.view, queue.positions
    considered = {job.job_id: job for job in (*queue.heads, *waiting_jobs(ids))}
    decision = admit(replace(view, waiting=tuple(considered.values())), explain=ids)
    if missing := [job_id for job_id in ids if job_id not in positions]:
        admitted = [job_id for job_id, _cluster in decision.admitted]
        positions |= queue_positions(view, admitted, missing)
    return view, decision, positions


def _long_queue(clusters: Sequence[Cluster]) -> _LongQueue:
    """Return the snapshot of a long queue, at most KEEP_SECONDS old.

    It is shared, because every subscriber asks again at every change.
    """
    global _cached
    if _cached is None or time.monotonic() - _cached.taken_at > KEEP_SECONDS:
        view = snapshot(clusters, waiting=())
        heads = admit_heads(view, QueueRows(view), never_since=None).heads
        _cached = _LongQueue(time.monotonic(), view, heads, {})
    return _cached


def _waiting(
    job: Job,
    view: Snapshot,
    decision: Decision,
    places: Mapping[UUID, int],
    away: dt.datetime | None,
    clusters: Sequence[Cluster],
    usual_seconds: float | None,
    ends: Sequence[float],
) -> WaitingBody:
    position = places.get(job.id, 1)
    check = decision.blocked.get(job.id)
    rule = check.rule if check else WaitRule.READY
    if job.id in decision.never:
        rule = WaitRule.NEVER_FITS
    facts: WaitFacts = check.facts if check else {}
    if away is not None and rule not in (WaitRule.PAUSED, WaitRule.PROJECT_PAUSED):
        rule, facts = WaitRule.DISPATCHER_AWAY, {"since": away}
    context = _context(job, clusters)
    sentence = describe_wait(rule, facts, context)
    return {
        "position": position,
        "blocked_by": rule.value,
        "detail": f"{ordinal(position)} in the queue. {sentence}"
        if rule in QUEUED_BEHIND
        else sentence,
        "estimate_seconds": _estimate(rule, check, position, view, usual_seconds, ends)
        if _may_use_all(job, view)
        else None,
        "rules": [
            {
                "rule": each.rule.value,
                "passes": each.passes,
                "detail": "" if each.passes else describe_wait(each.rule, each.facts, context),
            }
            for each in decision.checks.get(job.id, ())
        ],
    }


def _context(job: Job, clusters: Sequence[Cluster]) -> WaitContext:
    return WaitContext(
        job_type=job.type,
        twin=str(job.parameters.get("twin") or ""),
        cluster=job.cluster,
        region=job.region,
        cluster_count=len(clusters),
        unreachable={
            row.name: (row.unreachable_since, row.is_unobserved)
            for row in clusters
            if row.unreachable_since is not None
        },
        now=utc_now(),
    )


def _may_use_all(job: Job, view: Snapshot) -> bool:
    """Return whether the job may use every open cluster.

    Only then is its queue position also its position on the clusters it may use.
    """
    return all(
        job.cluster in ("", capacity.cluster) and job.region in ("", capacity.region)
        for capacity in view.capacities
        if capacity.open
    )


def _estimate(
    rule: WaitRule,
    check: Check | None,
    position: int,
    view: Snapshot,
    usual_seconds: float | None,
    ends: Sequence[float],
) -> float | None:
    """Estimate the wait in seconds from the median duration of the last jobs; None if unknown.

    A running job that takes longer than the median may end at any time, so it promises no slot.
    """
    if rule is WaitRule.READY:
        return 0.0
    if rule is WaitRule.BACK_OFF and check is not None:
        return check.facts.get("seconds", 0.0)
    counted = (WaitRule.CAPACITY, WaitRule.JOBS_GLOBAL, WaitRule.JOBS_PROJECT, WaitRule.JOBS_TYPE)
    if usual_seconds is None or rule not in counted:
        return None
    slots = sum(capacity.jobs for capacity in view.capacities if capacity.open)
    if check is not None and rule is not WaitRule.CAPACITY:
        slots = min(slots, check.facts.get("limit", slots))
    if not slots:
        return None
    rounds, place = divmod(position - 1, slots)
    return round(ends[place] + rounds * usual_seconds, 1) if place < len(ends) else None


def _ends_in(view: Snapshot, usual: Mapping[tuple[str, str], float]) -> list[float]:
    """Return the expected remaining seconds of running jobs, soonest first, without late ones."""
    known = [
        allocation
        for allocation in view.allocations
        if allocation.starting_or_running and (allocation.project, allocation.type) in usual
    ]
    left = [
        usual[allocation.project, allocation.type] - (view.now - allocation.began)
        for allocation in known
    ]
    return sorted(seconds for seconds in left if seconds > 0)


def _usual_seconds(
    kinds: Sequence[tuple[UUID, str]], clusters: Sequence[Cluster]
) -> dict[tuple[UUID, str], float]:
    """Return the median duration of the last jobs of each project and type."""
    durations = (
        {kind: getattr(clusters[0], f"duration_{index}") for index, kind in enumerate(kinds)}
        if clusters
        else {}
    )
    return {kind: statistics.median(seconds) for kind, seconds in durations.items() if seconds}


def _dispatcher_away_since(clusters: Sequence[Cluster]) -> dt.datetime | None:
    """Return the time of the last heartbeat if the dispatcher is down, else None."""
    last: dt.datetime | None = None
    if clusters:
        last = getattr(clusters[0], "dispatcher_at")  # noqa: B009 - annotated by the query
    if last is None or (utc_now() - last).total_seconds() > DISPATCHER_AWAY_SECONDS:
        return last or utc_now()
    return None
