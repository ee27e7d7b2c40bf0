"""Explain why a job waits: queue position, blocking rule, sentence, all rules and an estimate.

One snapshot serves all jobs of a call. Admission and explanation use the same pure decision, so
they cannot differ. Of a long queue it considers the heads, as admission does, and the jobs to
explain.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from jobs.admission.estimates import Standing, estimate_seconds
from jobs.admission.queue_state import jobs_of, queue_state
from jobs.admission.shapes import WaitingBody
from jobs.admission.snapshot_types import Check, Decision
from jobs.admission.wait_text import QUEUED_BEHIND, WaitContext, describe_wait, ordinal
from jobs.contract import JobStatus, WaitRule
from jobs.models import Cluster, Job
from mimir.lib.clock import utc_now
from mimir.lib.json_types import JsonObject

DISPATCHER_AWAY_SECONDS = 15.0
FORECAST_WORK_MAX = 5_000  # for the jobs of one list


class Requested(Protocol):
    """Parts of a job, or of a request that was not submitted, that the sentences name."""

    @property
    def type(self) -> str: ...
    @property
    def parameters(self) -> JsonObject: ...
    @property
    def cluster(self) -> str: ...
    @property
    def region(self) -> str: ...


def job_waiting(jobs: Sequence[Job]) -> dict[UUID, WaitingBody]:
    """Return the API's `waiting` object of each queued job among `jobs`."""
    queued = [job for job in jobs if job.status == JobStatus.QUEUED]
    if not queued:
        return {}
    state, ids = queue_state(), [job.id for job in queued]
    decision = state.decide(jobs_of(state, ids))
    places = state.places(decision, ids)
    usual = state.usual([(job.project.slug, job.type) for job in queued])
    ahead = state.forecast(ids, usual, work_max=FORECAST_WORK_MAX)
    away = dispatcher_away_since(state.clusters)
    found = {}
    for job in queued:
        standing = standing_of(job, job.project.slug, job.id, places.get(job.id, 1), decision)
        if away is not None:
            standing = without_dispatcher(standing, away)
        seconds = estimate_seconds(standing, state.view, usual.jobs, ahead)
        found[job.id] = waiting_body(job, standing, decision, state.clusters, seconds)
    return found


def standing_of(
    request: Requested, project: str, job_id: UUID, position: int, decision: Decision
) -> Standing:
    """Return where a job stands after a decision that explains it. `project`: its slug."""
    check = decision.blocked.get(job_id)
    if job_id in decision.never:
        check = next(each for each in decision.checks[job_id] if not each.passes)
    return Standing(
        job_id,
        (project, request.type),
        request.cluster,
        request.region,
        position,
        check.rule if check else WaitRule.READY,
        check,
    )


def without_dispatcher(standing: Standing, away: dt.datetime) -> Standing:
    """Return where a job stands while no dispatcher runs. A pause stays the reason."""
    if standing.rule in (WaitRule.PAUSED, WaitRule.PROJECT_PAUSED):
        return standing
    check = Check(WaitRule.DISPATCHER_AWAY, False, {"since": away})
    return replace(standing, rule=check.rule, check=check)


def waiting_body(
    request: Requested,
    standing: Standing,
    decision: Decision,
    clusters: Sequence[Cluster],
    seconds: float | None,
) -> WaitingBody:
    """Return the API's `waiting` object. `seconds`: the estimate."""
    position, rule = standing.position, standing.rule
    context = _context(request, clusters)
    sentence = describe_wait(rule, standing.check.facts if standing.check else {}, context)
    return {
        "position": position,
        "blocked_by": rule.value,
        "detail": f"{ordinal(position)} in the queue. {sentence}"
        if rule in QUEUED_BEHIND
        else sentence,
        "estimate_seconds": seconds,
        "rules": [
            {
                "rule": each.rule.value,
                "passes": each.passes,
                "detail": "" if each.passes else describe_wait(each.rule, each.facts, context),
            }
            for each in decision.checks.get(standing.job_id, ())
        ],
    }


def _context(request: Requested, clusters: Sequence[Cluster]) -> WaitContext:
    return WaitContext(
        job_type=request.type,
        twin=str(request.parameters.get("twin") or ""),
        cluster=request.cluster,
        region=request.region,
        cluster_count=len(clusters),
        unreachable={
            row.name: (row.unreachable_since, row.is_unobserved)
            for row in clusters
            if row.unreachable_since is not None
        },
        now=utc_now(),
    )


def dispatcher_away_since(clusters: Sequence[Cluster]) -> dt.datetime | None:
    """Return the time of the last heartbeat if the dispatcher is down, else None.

    Without any heartbeat: the current time.
    """
    last: dt.datetime | None = None
    if clusters:
        last = getattr(clusters[0], "dispatcher_at")  # noqa: B009 - annotated by the query
    if last is None or (utc_now() - last).total_seconds() > DISPATCHER_AWAY_SECONDS:
        return last or utc_now()
    return None
