"""Why a job waits: its place, the rule that blocks it, a sentence, every rule, and an estimate that says where it comes from.

One snapshot serves all jobs asked for. The same pure decision that admits explains, so that both cannot differ.
"""

import datetime as dt
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, FloatField, QuerySet, Subquery
from django.db.models.functions import Cast, Extract

from jobs.admission.decide import Check, Decision, Snapshot, admit
from jobs.admission.snapshot import clusters_seen, snapshot
from jobs.clusters.listing import NOT_YET
from jobs.contract import JobStatus, WaitRule
from jobs.core.resources import format_cpu
from jobs.models import Cluster, Job, LoopBeat
from mimir.lib.clock import utc_now
from mimir.lib.words import told_at, told_memory, told_span

DISPATCHER_AWAY_SECONDS = 15.0
HISTORY = 20
LONG_LINE, KEEP_SECONDS = 500, 1.0
_kept: tuple[float, set[UUID], Snapshot] | None = None


def job_waiting(jobs: Sequence[Job]) -> dict[UUID, dict[str, Any]]:
    """The `waiting` object of each queued job among `jobs`: {"position", "blocked_by", "detail", "estimate_seconds", "rules"}."""
    queued = [job for job in jobs if job.status == JobStatus.QUEUED]
    if not queued:
        return {}
    kinds = sorted({(job.project_id, job.type) for job in queued})
    clusters = list(_surroundings(kinds))
    view = _view([job.id for job in queued], clusters)
    decision = admit(view, explain=[job.id for job in queued])
    places = _places(decision)
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
    """The clusters with what else a snapshot needs, when the dispatcher was last seen, and how long the last jobs of each kind took."""
    beats = (
        LoopBeat.objects.filter(component="dispatcher").order_by("-beat_at").values("beat_at")[:1]
    )
    took = {
        f"took_{index}": ArraySubquery(_last_seconds(*kind)) for index, kind in enumerate(kinds)
    }
    return clusters_seen().annotate(dispatcher_at=Subquery(beats), **took)


def _last_seconds(project_id: UUID, kind: str) -> "QuerySet[Job, Any]":
    ended = Job.objects.filter(
        project_id=project_id, type=kind, status=JobStatus.SUCCEEDED, started_at__isnull=False
    )
    took = Cast(Extract(F("finished_at") - F("started_at"), "epoch"), FloatField())
    return ended.annotate(took=took).order_by("-created_at").values("took")[:HISTORY]


def _places(decision: Decision) -> dict[UUID, int]:
    """Each job's place in the line. One that waits for the time of its next try stands in nobody's way until then."""
    places, before = {}, 0
    for job_id in decision.order:
        places[job_id] = before + 1
        check = decision.blocked.get(job_id)
        before += check is None or check.rule is not WaitRule.BACK_OFF
    return places


def _view(asked: Sequence[UUID], clusters: Sequence[Cluster]) -> Snapshot:
    """A snapshot that has the asked jobs. With a long line one serves for a second: each follower asks again at every change."""
    global _kept
    if _kept is not None:
        taken_at, ids, view = _kept
        if time.monotonic() - taken_at < KEEP_SECONDS and ids.issuperset(asked):
            return view
    view = snapshot(clusters)
    _kept = (
        (time.monotonic(), {job.job_id for job in view.waiting}, view)
        if len(view.waiting) > LONG_LINE
        else None
    )
    return view


def _waiting(
    job: Job,
    view: Snapshot,
    decision: Decision,
    places: Mapping[UUID, int],
    away: dt.datetime | None,
    clusters: Sequence[Cluster],
    usual_seconds: float | None,
    ends: Sequence[float],
) -> dict[str, Any]:
    position = places.get(job.id, 1)
    check = decision.blocked.get(job.id)
    rule = check.rule if check else WaitRule.READY
    if job.id in decision.never:
        rule = WaitRule.NEVER_FITS
    detail = _sentence(rule, check, position, job, clusters)
    if away is not None and rule not in (WaitRule.PAUSED, WaitRule.PROJECT_PAUSED):
        rule = WaitRule.DISPATCHER_AWAY
        detail = f"The dispatcher has not been seen since {away:%H:%M:%S} UTC: an administrator has to start it. Nothing is lost."
    return {
        "position": position,
        "blocked_by": rule.value,
        "detail": detail,
        "estimate_seconds": _estimate(rule, check, position, view, usual_seconds, ends)
        if _may_use_all(job, view)
        else None,
        "rules": [
            {
                "rule": each.rule.value,
                "passes": each.passes,
                "detail": _sentence(each.rule, each, position, job, clusters)
                if not each.passes
                else "",
            }
            for each in decision.checks.get(job.id, ())
        ],
    }


def _exclusive(job: Job) -> str:
    twin = job.parameters.get("twin")
    return (
        f"another update of the twin {twin} is under way. Starts when that one ends."
        if twin
        else "another job holds what it needs."
    )


def _may_use_all(job: Job, view: Snapshot) -> bool:
    """Whether its place among all is its place on the clusters it may use: else the estimate would count rooms that are not for it."""
    return all(
        job.cluster in ("", room.cluster) and job.region in ("", room.region)
        for room in view.rooms
        if room.open
    )


def _sentence(
    rule: WaitRule, check: Check | None, position: int, job: Job, clusters: Sequence[Cluster]
) -> str:
    """What people read. The thing first, then the number, then what happens next."""
    facts = dict(check.facts) if check else {}
    line = f"{_ordinal(position)} in line: "
    used, limit = facts.get("used"), facts.get("limit")
    sentences = {
        WaitRule.READY: "Starts at the next pass of the dispatcher.",
        WaitRule.BACK_OFF: f"Tries again in {told_span(float(facts['seconds']))}."
        if "seconds" in facts
        else "Tries again soon.",
        WaitRule.PREVIOUS_ATTEMPT: "The worker of the attempt before is being ended: nothing may run twice at once.",
        WaitRule.EXCLUSIVE: line + _exclusive(job),
        WaitRule.JOBS_GLOBAL: f"{line}{used} of {limit} jobs run, the limit for everything. Starts when one ends.",
        WaitRule.JOBS_TYPE: f"{line}{used} of {limit} jobs of type {job.type} run. Starts when one ends.",
        WaitRule.JOBS_PROJECT: f"{line}this project runs {used} of its {limit} jobs. Starts when one ends.",
        WaitRule.CAPACITY: line + _capacity(facts, named=len(clusters) > 1),
        WaitRule.RESERVED: f"{line}room is kept for a larger job that has waited longer. Starts after it.",
        WaitRule.NEVER_FITS: _never(facts),
        WaitRule.PAUSED: "An administrator has paused all starts. It keeps its place.",
        WaitRule.PROJECT_PAUSED: "An administrator has paused this project's starts. It keeps its place.",
        WaitRule.PROJECT_ARCHIVED: "The project is archived: nothing starts until a maintainer makes it active.",
        WaitRule.CLUSTER_UNKNOWN: _unknown(job),
        WaitRule.CLUSTER_DISABLED: _disabled(str(facts.get("clusters", ""))),
        WaitRule.CLUSTER_UNREACHABLE: _unreachable(str(facts.get("clusters", "")), clusters),
    }
    return sentences.get(rule, "")


def _unknown(job: Job) -> str:
    asked = f"the cluster {job.cluster}" if job.cluster else f"a cluster in the region {job.region}"
    asked += f" in the region {job.region}" if job.cluster and job.region else ""
    return f"Asks for {asked}, which there is no more: an administrator can add it again; or cancel this job and run it elsewhere."


def _disabled(names: str) -> str:
    which = f"The clusters {names} are" if ", " in names else f"The cluster {names} is"
    return f"{which} switched off. Starts when an administrator switches {'one' if ', ' in names else 'it'} on; it keeps its place."


def _unreachable(names: str, clusters: Sequence[Cluster]) -> str:
    """Since when. The cluster's own words hold addresses: they are the administrators', under System, Clusters."""
    away = [
        row
        for row in clusters
        if row.name in names.split(", ") and row.unreachable_since is not None
    ]
    if not away:
        return "There is no cluster that could run it: an administrator has to add one."
    since = min(row.unreachable_since for row in away if row.unreachable_since is not None)
    told = told_at(since, utc_now())
    if len(away) > 1:
        return f"The clusters {names} do not answer, the first since {told}. Starts when one does."
    if away[0].unreachable_message == NOT_YET:
        return f"The cluster {away[0].name} has not answered yet. Starts when it does."
    return f"The cluster {away[0].name} does not answer since {told}. Starts when it does; an administrator sees why under System, Clusters."


def _capacity(facts: Mapping[str, Any], *, named: bool) -> str:
    """`named`: there is more than one cluster, so that it says which one it speaks of."""
    slots, used = facts.get("slots"), facts.get("used")
    where = f" on {facts.get('cluster')}" if named else ""
    if slots is not None and used is not None and used >= slots:
        return f"all {slots} places for workers{where} are taken. Starts when a job ends."
    free, asked = facts.get("free_memory_bytes"), facts.get("memory_bytes")
    if free is not None and asked is not None and asked > free:
        return f"asks for {told_memory(asked)} of memory, {told_memory(max(0, free))} is free{where}. Starts when jobs end."
    free, asked = facts.get("free_gpus"), facts.get("gpus")
    if free is not None and asked is not None and asked > free:
        return f"asks for {asked} GPU, {max(0, free)} free{where}. Starts when jobs end."
    cpu_free, cpu = facts.get("free_cpu_millicores"), facts.get("cpu_millicores")
    if cpu_free is not None and cpu is not None:
        return f"asks for {format_cpu(cpu)} CPU, {format_cpu(max(0, cpu_free))} is free{where}. Starts when jobs end."
    return "no cluster has room. Starts when a job ends."


def _never(facts: Mapping[str, Any]) -> str:
    asked, largest = facts.get("memory_bytes"), facts.get("largest_memory_bytes")
    cluster, region = facts.get("cluster"), facts.get("region")
    which = (
        f"the cluster {cluster}"
        if cluster
        else f"the largest cluster of {region}"
        if region
        else "the largest cluster"
    )
    if asked is not None and largest is not None and asked > largest:
        return f"Cannot start: asks for {told_memory(asked)}, {which} has {told_memory(largest)}."
    return f"Cannot start: asks for more than {f'the cluster {cluster}' if cluster else f'any cluster of {region}' if region else 'any cluster'} has."


def _ordinal(number: int) -> str:
    suffix = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{suffix}"


def _estimate(
    rule: WaitRule,
    check: Check | None,
    position: int,
    view: Snapshot,
    usual_seconds: float | None,
    ends: Sequence[float],
) -> float | None:
    """About how long it waits, from the usual time of the last jobs of its kind; None where nothing is known.

    A running job that has taken longer than usual may end at any time or never: it promises no place.
    """
    if rule is WaitRule.READY:
        return 0.0
    if rule is WaitRule.BACK_OFF and check is not None:
        return float(check.facts.get("seconds", 0.0))
    counted = (WaitRule.CAPACITY, WaitRule.JOBS_GLOBAL, WaitRule.JOBS_PROJECT, WaitRule.JOBS_TYPE)
    if usual_seconds is None or rule not in counted:
        return None
    slots = sum(room.jobs for room in view.rooms if room.open)
    if check is not None and rule is not WaitRule.CAPACITY:
        slots = min(slots, int(check.facts.get("limit", slots)))
    if not slots:
        return None
    rounds, place = divmod(position - 1, slots)
    return round(ends[place] + rounds * usual_seconds, 1) if place < len(ends) else None


def _ends_in(view: Snapshot, usual: Mapping[tuple[str, str], float]) -> list[float]:
    """In how many seconds running jobs of the kinds in `usual` should end, soonest first; without those that are late."""
    known = [
        held
        for held in view.held
        if held.starting_or_running and (held.project, held.type) in usual
    ]
    left = [usual[held.project, held.type] - (view.now - held.began) for held in known]
    return sorted(seconds for seconds in left if seconds > 0)


def _usual_seconds(
    kinds: Sequence[tuple[UUID, str]], clusters: Sequence[Cluster]
) -> dict[tuple[UUID, str], float]:
    """The median run time of the last jobs of each project and type."""
    took = (
        {kind: getattr(clusters[0], f"took_{index}") for index, kind in enumerate(kinds)}
        if clusters
        else {}
    )
    return {kind: statistics.median(seconds) for kind, seconds in took.items() if seconds}


def _dispatcher_away_since(clusters: Sequence[Cluster]) -> dt.datetime | None:
    """When the dispatcher was last seen, if that is too long ago; None while one is there."""
    last: dt.datetime | None = getattr(clusters[0], "dispatcher_at") if clusters else None  # noqa: B009 - an annotation of the query
    if last is None or (utc_now() - last).total_seconds() > DISPATCHER_AWAY_SECONDS:
        return last or utc_now()
    return None
