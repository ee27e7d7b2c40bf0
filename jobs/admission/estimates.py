"""Estimate of the seconds until a job starts: from a forecast, or from a rate beyond it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from jobs.admission.forecast import Forecast
from jobs.admission.snapshot_types import Check, Snapshot
from jobs.contract import WaitRule

_COUNTED = (WaitRule.CAPACITY, WaitRule.JOBS_GLOBAL, WaitRule.JOBS_PROJECT, WaitRule.JOBS_TYPE)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a waiting job stands: its queue position and the rule that blocks it.

    `kind`: its project (slug) and type. `check`: the failing rule with its numbers; None if no rule
    blocks the job.
    """

    job_id: UUID
    kind: tuple[str, str]
    cluster: str
    region: str
    position: int
    rule: WaitRule
    check: Check | None


def estimate_seconds(
    standing: Standing,
    view: Snapshot,
    usual: Mapping[tuple[str, str], float],
    ahead: Forecast | None,
) -> float | None:
    """Return the estimate; None if nothing is known.

    `usual`: usual durations of jobs by kind. `ahead`: a forecast of the job; None without one.
    """
    if standing.rule is WaitRule.READY:
        return 0.0
    if standing.rule is WaitRule.DISPATCHER_AWAY:
        return None
    if ahead is not None and (start := ahead.starts.get(standing.job_id)):
        return round(start.after_seconds, 1)
    if standing.rule is WaitRule.BACK_OFF and standing.check is not None:
        return standing.check.facts.get("seconds", 0.0)
    if (ahead is not None and ahead.complete) or not _may_use_all(standing, view):
        return None
    by_rate = _by_rate(standing, view, usual)
    if by_rate is None or ahead is None:
        return by_rate
    return max(by_rate, round(ahead.until_seconds, 1))


def _may_use_all(standing: Standing, view: Snapshot) -> bool:
    """Return whether the job may use every open cluster.

    Only then is its queue position also its position on the clusters it may use.
    """
    return all(
        standing.cluster in ("", capacity.cluster) and standing.region in ("", capacity.region)
        for capacity in view.capacities
        if capacity.open
    )


def _by_rate(
    standing: Standing, view: Snapshot, usual: Mapping[tuple[str, str], float]
) -> float | None:
    """Estimate from the position, the slots and the usual duration of jobs of this kind.

    The slot of a running job that takes longer than usual is not counted: its end is unknown.
    """
    usual_seconds = usual.get(standing.kind)
    if usual_seconds is None or standing.rule not in _COUNTED:
        return None
    slots = sum(capacity.jobs for capacity in view.capacities if capacity.open)
    if standing.check is not None and standing.rule is not WaitRule.CAPACITY:
        slots = min(slots, standing.check.facts.get("limit", slots))
    if not slots:
        return None
    ends = _ends_in(view, usual)
    rounds, place = divmod(standing.position - 1, slots)
    return round(ends[place] + rounds * usual_seconds, 1) if place < len(ends) else None


def _ends_in(view: Snapshot, usual: Mapping[tuple[str, str], float]) -> list[float]:
    """Return the expected remaining seconds of running jobs, soonest first.

    Jobs that take longer than usual are not included.
    """
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
