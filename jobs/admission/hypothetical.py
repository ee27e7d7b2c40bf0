"""Explain when a job would start that was not submitted, and what changes would help.

Uses the same queue state, decision and forecast as for waiting jobs. Writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.admission.estimates import estimate_seconds
from jobs.admission.forecast import HORIZON_SECONDS, ExpectedStart, UsualSeconds
from jobs.admission.ledger import can_ever_hold, can_use
from jobs.admission.queue_state import QueueState
from jobs.admission.shapes import WaitingBody
from jobs.admission.snapshot_types import Candidate
from jobs.admission.waiting import (
    Requested,
    dispatcher_away_since,
    standing_of,
    waiting_body,
    without_dispatcher,
)
from jobs.contract import WaitRule

WORK_MAX = 16_000  # `work_max` of the forecast of the request
CHANGED_WORK_MAX = 3_000  # `work_max` of the forecast of one changed request
SOONER_FACTOR, SOONER_SECONDS = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class ChangedStart:
    """Expected start of a changed request.

    `start`: None unless it would start clearly sooner. `is_only_way`: a cluster can hold it, but no
    cluster can hold the original request.
    """

    start: ExpectedStart | None = None
    is_only_way: bool = False


@dataclass(frozen=True, slots=True)
class Hypothetical:
    """Expected start of a job that was not submitted.

    `start`: when and where it would start; None if unknown. `changed`: the changed requests.
    """

    waiting: WaitingBody
    start: ExpectedStart | None
    changed: tuple[ChangedStart, ...]


def start_explain(
    state: QueueState, request: Requested, job: Candidate, changed: Sequence[Candidate]
) -> Hypothetical:
    """Explain when `job`, the request as a waiting job, would start if submitted now.

    `changed`: the job with changed requests. Their `queued_at` is set to the database's time.
    """
    job = replace(job, queued_at=state.view.now)
    decision = state.decide([job])
    places = state.places(decision, [job.job_id], [job])
    standing = standing_of(request, job.project, job.job_id, places[job.job_id], decision)
    away = dispatcher_away_since(state.clusters)
    if away is not None and standing.rule is not WaitRule.NEVER_FITS:
        standing = without_dispatcher(standing, away)
    usual = state.usual([(job.project, job.type)])
    start = None
    ahead = None
    if standing.rule is WaitRule.READY:
        start = ExpectedStart(dict(decision.admitted)[job.job_id], 0.0)
    elif standing.rule is not WaitRule.DISPATCHER_AWAY:
        ahead = state.forecast([job.job_id], usual, work_max=WORK_MAX, new=job)
        start = ahead.starts.get(job.job_id) if ahead is not None else None
    seconds = estimate_seconds(standing, state.view, usual.jobs, ahead)
    body = waiting_body(request, standing, decision, state.clusters, seconds)
    within = HORIZON_SECONDS if seconds is None else sooner_than(seconds)
    never_fits = standing.rule is WaitRule.NEVER_FITS
    if within < 0 or (away is not None and not never_fits):
        return Hypothetical(body, start, (ChangedStart(),) * len(changed))
    return Hypothetical(
        body,
        start,
        tuple(
            ChangedStart(
                _start_of(each, state, usual, within) if away is None else None,
                never_fits and _fits(each, state),
            )
            for each in changed
        ),
    )


def _fits(job: Candidate, state: QueueState) -> bool:
    """Return whether a cluster can hold the job."""
    return any(can_use(each, job) and can_ever_hold(each, job) for each in state.view.capacities)


def sooner_than(seconds: float) -> float:
    """Return the latest start in seconds that is clearly sooner than `seconds`; negative: none."""
    return min(seconds * SOONER_FACTOR, seconds - SOONER_SECONDS)


def _start_of(
    job: Candidate, state: QueueState, usual: UsualSeconds, within_seconds: float
) -> ExpectedStart | None:
    """Return the expected start of a changed request within a time; None if there is none."""
    job = replace(job, queued_at=state.view.now)
    if cluster := dict(state.decide([job]).admitted).get(job.job_id):
        return ExpectedStart(cluster, 0.0)
    ahead = state.forecast(
        [job.job_id],
        usual,
        work_max=CHANGED_WORK_MAX,
        new=job,
        within_seconds=within_seconds,
    )
    return ahead.starts.get(job.job_id) if ahead is not None else None
