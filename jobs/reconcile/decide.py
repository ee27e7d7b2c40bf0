"""Decide the next action for one attempt, from its row and the observation of its cluster. Pure.

Nothing counts as lost or gone by a list that is older than the row. Rows are read before and after
the list, and an attempt that differs between the two reads is left to the next pass. Equal reads
prove that the list is newer than the row. Times do not: rows carry the clocks of several machines,
and a fast clock would delay every end.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from jobs.contract import TERMINAL, FailureReason, JobStatus
from jobs.diagnosis.message import DiagnosisBody
from jobs.diagnosis.stored import ended_summary
from jobs.liveness.paused import Pause, paused_seconds
from jobs.reasons import CLUSTER_REASONS, FINAL_REASONS, SHORTAGE_REASONS, reason_of


class Verb(StrEnum):
    """The reconciler's next action for an attempt."""

    NOTHING = "nothing"
    END = "end"  # end it with a reason and fence it
    FENCE = "fence"  # its job has moved on, or the grace of its cancel is over
    TERMINATE = "terminate"  # fenced or ended, and its worker still exists
    GONE = "gone"  # its worker is gone: free its capacity, close its log
    CLEAN_UP = "clean_up"  # remove the worker object


@dataclass(frozen=True, slots=True)
class AttemptView:
    """The columns of an attempt and its job that a decision needs.

    `called_at`: when web last refused a claim of its worker because of an overload. `waits_for`:
    the stored diagnosis of its wait. `interrupted_at`: when its worker reported a stop signal that
    its cluster has not explained yet.
    """

    id: UUID
    job_id: UUID
    number: int
    name: str
    job_status: JobStatus
    job_attempt: int
    timeout_seconds: int
    created_at: dt.datetime
    uid: str = ""
    claim_id: UUID | None = None
    launched_at: dt.datetime | None = None
    claimed_at: dt.datetime | None = None
    heartbeat_at: dt.datetime | None = None
    fenced_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    gone_at: dt.datetime | None = None
    terminate_asked_at: dt.datetime | None = None
    cancel_requested_at: dt.datetime | None = None
    sealed: bool = False
    waits_for: Mapping[str, object] | None = None
    interrupted_at: dt.datetime | None = None
    called_at: dt.datetime | None = None
    log_closed: bool = False

    def fence(self) -> tuple[object, ...]:
        """Return the values that must be equal in both reads for an action to be safe."""
        return (
            self.job_status,
            self.job_attempt,
            self.uid,
            self.claim_id,
            self.fenced_at,
            self.ended_at,
            self.gone_at,
        )


@dataclass(frozen=True, slots=True)
class WorkerState:
    """State of one attempt's worker, from the list of its cluster.

    `alive`: its supervisor runs, or is being started. `gone`: none of its processes run; a dead
    supervisor can leave processes of the workload behind. `reason` and `message`: why it ended, or
    what it waits for. `stuck`: waiting does not make it start. `diagnosis`: of that reason, if the
    cluster reports more. `node_silent`: alive as far as the cluster knows, on a node that does not
    report. `placed_at`, `started_at`: since when it has a node, and since when its container runs,
    by the cluster's clock; None if it has not, or the cluster does not report it.
    `starved_seconds`: time in which it could run and got no CPU, where this can be measured.
    """

    alive: bool
    gone: bool = False
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    message: str = ""
    peak_memory_bytes: int | None = None
    stuck: bool = False
    diagnosis: DiagnosisBody | None = None
    node_silent: bool = False
    placed_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    starved_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Times:
    """The settings of a decision, in seconds.

    `web_pauses`: intervals in which web did not serve claims. They do not count for the start of
    a worker.
    """

    launch_timeout: float
    cancel_grace: float
    worker_grace: float
    terminate_grace: float = 5.0
    interrupted_grace: float = 60.0
    web_pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """The next action, and for END its reason, its sentence, and the limit that was exceeded."""

    verb: Verb
    reason: FailureReason | None = None
    message: str = ""
    limit: str = ""

    @property
    def text(self) -> str:
        """The message, followed by the limit."""
        return f"{self.message} {self.limit}".strip()


NOTHING = Action(Verb.NOTHING)
CAPACITY_WAIT_SECONDS = 1800.0
# A cluster that answers again so soon was not away: it knows more about an unclaimed worker.
BLIP_SECONDS = 30.0
CALLED_SECONDS = 60.0  # after a refused claim: the worker is alive, so it is not late
EXCUSED_SECONDS_MAX = 1800.0  # by which web's pauses and a starved CPU can extend a start


def capacity_wait(number: int, launch_timeout: float) -> float:
    """Return how long the worker of attempt `number` can wait for capacity, in seconds.

    The time doubles with each attempt: a shortage that lasts for hours causes few attempts. It is
    bounded, because the next attempt can get another cluster.
    """
    longest = min(launch_timeout * 2.0 ** min(number - 1, 30), CAPACITY_WAIT_SECONDS)
    return max(launch_timeout, longest)


def start_limit(number: int, launch_timeout: float) -> float:
    """Return the longest time from admission to claim, in seconds: capacity wait and start."""
    return capacity_wait(number, launch_timeout) + launch_timeout


def decide(
    row: AttemptView, state: WorkerState | None, *, now: dt.datetime, times: Times
) -> Action:
    """Return the next action for `row`, as it was before the list began.

    `state` is None when the list does not contain its worker.
    """
    if row.gone_at is not None:
        if state is not None and not state.gone:
            return Action(Verb.TERMINATE)  # its cluster was away, and the attempt was ended
        return Action(Verb.CLEAN_UP) if row.sealed else NOTHING
    if row.fenced_at is not None or row.ended_at is not None:
        return _after_end(row, state, now, times)
    if row.job_status in TERMINAL or row.job_attempt != row.number:
        return Action(Verb.FENCE)
    if row.claimed_at is None:
        return _before_claim(row, state, now, times)
    return _claimed(row, state, now, times)


@dataclass(frozen=True, slots=True)
class Silence:
    """Silence of a cluster and of one worker, in seconds of web's uptime.

    `has_recent_heartbeat`: the worker's last heartbeat is recent, by the clock.
    """

    cluster_seconds: float
    worker_seconds: float
    grace_seconds: float
    has_recent_heartbeat: bool

    @property
    def over(self) -> bool:
        """Whether both have been silent for the cluster's grace period."""
        return min(self.cluster_seconds, self.worker_seconds) >= self.grace_seconds


def decide_away(row: AttemptView, silence: Silence, *, now: dt.datetime, times: Times) -> Action:
    """Return the next action for `row` while its cluster does not answer.

    Only actions that are safe without the cluster: a fence holds wherever the worker runs. A worker
    that has not claimed has run nothing, and cannot claim once fenced: it counts as gone.
    """
    if row.gone_at is not None:
        return NOTHING
    if row.fenced_at is not None or row.ended_at is not None:
        gone = silence.over if row.claim_id is not None else silence.cluster_seconds >= BLIP_SECONDS
        return Action(Verb.GONE) if gone else NOTHING
    if row.job_status in TERMINAL or row.job_attempt != row.number:
        return Action(Verb.FENCE)
    if row.claimed_at is None:
        return _unclaimed_away(row, silence, now, times)
    # A silent worker that has not reported a stop may have ended in time: wait for its report
    # until the grace period is over.
    speaks = (
        silence.has_recent_heartbeat
        or row.interrupted_at is not None
        or row.job_status == JobStatus.CANCELLING
    )
    action = _claimed(row, WorkerState(alive=True), now, times) if speaks else NOTHING
    return (
        Action(Verb.END, FailureReason.HEARTBEAT_LOST)
        if action.verb is Verb.NOTHING and silence.over
        else action
    )


def _unclaimed_away(row: AttemptView, silence: Silence, now: dt.datetime, times: Times) -> Action:
    if row.job_status == JobStatus.CANCELLING:
        return Action(Verb.FENCE)
    excused = _excused_seconds(row.created_at, None, now, times)
    late = _seconds(now, row.created_at) - excused > start_seconds(row, times)
    return (
        Action(Verb.END, FailureReason.LAUNCH_TIMEOUT)
        if late and silence.cluster_seconds >= BLIP_SECONDS
        else NOTHING
    )


def start_seconds(row: AttemptView, times: Times) -> float:
    """Return how long after its admission a worker can claim while its cluster does not answer.

    A worker that waited for capacity may have got it by now: its capacity wait counts as well.
    """
    waited = row.launched_at is not None and _known_wait(row) in SHORTAGE_REASONS
    return start_limit(row.number, times.launch_timeout) if waited else times.launch_timeout


def _after_end(
    row: AttemptView, state: WorkerState | None, now: dt.datetime, times: Times
) -> Action:
    if state is None or state.gone:
        return Action(Verb.GONE)
    if (
        row.fenced_at is None
        and row.ended_at is not None
        and state.alive
        and _seconds(now, row.ended_at) < times.worker_grace
    ):
        return NOTHING  # its finish was accepted: it is about to exit by itself
    return Action(Verb.TERMINATE)


def _before_claim(
    row: AttemptView, state: WorkerState | None, now: dt.datetime, times: Times
) -> Action:
    if row.job_status == JobStatus.CANCELLING:
        return Action(Verb.FENCE)
    if state is not None and not state.alive:
        return _dead_before_claim(state)
    if state is not None and state.stuck:
        return Action(Verb.END, _lost_reason(state), state.message)
    if (late := _late(row, state, now, times)) is not None:
        return late
    if state is None and row.launched_at is not None:
        return Action(
            Verb.END, FailureReason.WORKER_LOST, "The worker vanished before it claimed the job."
        )
    # Not launched yet, or starting: the dispatcher's sweep launches after a lost hint.
    return NOTHING


def _late(
    row: AttemptView, state: WorkerState | None, now: dt.datetime, times: Times
) -> Action | None:
    """Return the end of a worker that did not start in time, with the reason of its wait.

    The time to start begins with the last stage of its start (`_start_began`). Time in which web or
    the CPU held it up does not count. The time to wait for capacity is longer.
    """
    if row.called_at is not None and _seconds(now, row.called_at) <= CALLED_SECONDS:
        return None
    reason = _wait_reason(row, state)
    limit, since, when = times.launch_timeout, row.created_at, "its admission"
    excused = 0.0
    if reason in SHORTAGE_REASONS:
        limit = capacity_wait(row.number, limit)
    else:
        since, when = _start_began(row, state, now)
        excused = _excused_seconds(since, state, now, times)
    if _seconds(now, since) - excused <= limit:
        return None
    late = f"did not report within {limit:.0f} s of {when}"
    late += f", not counting {excused:.0f} s of overload." if excused >= 1 else "."
    if reason is None:
        return Action(Verb.END, FailureReason.LAUNCH_TIMEOUT, f"Its worker {late}")
    return Action(Verb.END, reason, _ended_text(row, state), f"It {late}")


def _start_began(
    row: AttemptView, state: WorkerState | None, now: dt.datetime
) -> tuple[dt.datetime, str]:
    """Return when the last known stage of a start began, and its name."""
    since, when = row.created_at, "its admission"
    if state is not None and state.placed_at is not None and state.placed_at > since:
        since, when = state.placed_at, "its assignment to a node"
    if state is not None and state.started_at is not None and state.started_at > since:
        since, when = state.started_at, "the start of its container"
    return min(since, now), when


def _excused_seconds(
    since: dt.datetime, state: WorkerState | None, now: dt.datetime, times: Times
) -> float:
    """Return the seconds since `since` in which a start was held up by web or by its CPU."""
    starved = state.starved_seconds if state is not None else 0.0
    paused = paused_seconds(times.web_pauses, since, now)
    return min(max(starved, paused), EXCUSED_SECONDS_MAX)


def _wait_reason(row: AttemptView, state: WorkerState | None) -> FailureReason | None:
    if state is not None:
        return _lost_reason(state) if state.reason else None
    return _known_wait(row) if row.launched_at is None else None


def _ended_text(row: AttemptView, state: WorkerState | None) -> str:
    """Return the summary of its wait, for a worker that never started."""
    if state is None:
        return ended_summary(row.waits_for or {})
    return ended_summary(state.diagnosis) if state.diagnosis is not None else state.message


def _known_wait(row: AttemptView) -> FailureReason | None:
    """Return the stored reason for which the attempt waits."""
    return reason_of(str((row.waits_for or {}).get("category", "")))


def _dead_before_claim(state: WorkerState) -> Action:
    """Return the end of a worker that ended without a claim.

    A worker that never claimed cannot report a final reason. If it does, this database was restored
    from a backup that is older than the claim. The cluster itself can report one.
    """
    reason = _lost_reason(state)
    if reason in FINAL_REASONS and reason not in CLUSTER_REASONS:
        return Action(
            Verb.END,
            FailureReason.WORKER_LOST,
            "The worker ended, and this database has no record that it claimed the job.",
        )
    return Action(Verb.END, reason, state.message or "The worker ended before it claimed the job.")


def _claimed(row: AttemptView, state: WorkerState | None, now: dt.datetime, times: Times) -> Action:
    assert row.claimed_at is not None
    if state is None or not state.alive:
        return _vanished(row, state)
    if row.job_status == JobStatus.CANCELLING:
        requested_at = row.cancel_requested_at or now
        return Action(Verb.FENCE) if _seconds(now, requested_at) > times.cancel_grace else NOTHING
    # The worker stops at its time limit by itself, with the grace of a cancel for its workload.
    if _seconds(now, row.claimed_at) > row.timeout_seconds + times.cancel_grace:
        return Action(Verb.END, FailureReason.DEADLINE_EXCEEDED)
    if (
        row.interrupted_at is not None
        and _seconds(now, row.interrupted_at) > times.interrupted_grace
    ):
        # The worker has ended, even if its cluster still shows it as alive.
        return Action(Verb.END, FailureReason.INTERRUPTED)
    return NOTHING  # silent but observed alive: a missed heartbeat fails nothing


def _vanished(row: AttemptView, state: WorkerState | None) -> Action:
    if row.interrupted_at is not None and (
        state is None or _lost_reason(state) is FailureReason.WORKER_LOST
    ):
        return Action(Verb.END, FailureReason.INTERRUPTED)
    if state is None:
        return Action(Verb.END, FailureReason.WORKER_LOST)
    return Action(Verb.END, _lost_reason(state), state.message)


def _lost_reason(state: WorkerState) -> FailureReason:
    return reason_of(state.reason) or FailureReason.WORKER_LOST


def _seconds(now: dt.datetime, then: dt.datetime) -> float:
    return (now - then).total_seconds()
