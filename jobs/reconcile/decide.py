"""What to do about one attempt, from its row and from what the cluster shows. Pure.

The law: nothing is declared lost or gone on the word of a list older than the row. Rows are read before and after the list, and an attempt
that differs between both reads is left for the next pass. That both reads agree is what makes the list newer than the row: times are not
compared for it, since rows carry the clocks of several machines, and one that is ahead would make every end wait for it.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from jobs.contract import TERMINAL, FailureReason, JobStatus
from jobs.reasons import CLUSTER_REASONS, FINAL_REASONS, SHORTAGE_REASONS
from mimir.lib.formatting import told_never


class Verb(StrEnum):
    """What the reconciler does next with an attempt."""

    NOTHING = "nothing"
    END = "end"  # end it with a reason, fence it
    FENCE = "fence"  # its job has moved on, or its cancel's grace is over
    TERMINATE = "terminate"  # fenced or ended, and still there
    GONE = "gone"  # its worker is gone: free its room, close its log
    CLEAN_UP = "clean_up"  # remove the worker object


@dataclass(frozen=True, slots=True)
class AttemptView:
    """An attempt's row and the job's columns that matter here."""

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
    waits_for: Mapping[str, Any] | None = (
        None  # what was last told of why its worker does not start
    )
    interrupted_at: dt.datetime | None = (
        None  # its worker said that it was asked to stop, and its cluster has not said why
    )

    def fence(self) -> tuple[object, ...]:
        """What has to be the same in both reads for an action to be safe."""
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
class Sight:
    """What the cluster's list shows of one attempt's worker.

    `alive`: its supervisor runs, or is being started. `gone`: nothing of it does; a dead supervisor may leave processes of the workload
    behind. `reason` and `message`: why it ended, or what it waits for; `hopeless`: it will not start by waiting. `ready`: the diagnosis of
    that reason, where the cluster tells more than these. `node_silent`: alive as far as the cluster knows, which does not hear of its node.
    `placed_at`: since when it has room on a node, by the cluster's clock; None where it has none, or nobody says.
    """

    alive: bool
    gone: bool = False
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    message: str = ""
    peak_memory_bytes: int | None = None
    hopeless: bool = False
    ready: Mapping[str, Any] | None = None
    node_silent: bool = False
    placed_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """The settings this decision needs, in seconds."""

    launch_timeout: float
    cancel_grace: float
    worker_grace: float
    terminate_grace: float = 5.0
    interrupted_grace: float = 60.0


@dataclass(frozen=True, slots=True)
class Action:
    """What to do, and with END the reason and the sentence for it."""

    verb: Verb
    reason: FailureReason | None = None
    message: str = ""


NOTHING = Action(Verb.NOTHING)
ROOM_WAIT_SECONDS = 1800.0
BLIP_SECONDS = 30.0  # a cluster that answers again so soon was not away: it says better what became of a worker that never claimed


def room_wait(number: int, launch_timeout: float) -> float:
    """How long the worker of attempt `number` may wait for room, in seconds: each time twice as long, so that a night makes a few attempts.

    Bounded, so that another cluster gets its turn.
    """
    return max(launch_timeout, min(launch_timeout * 2.0 ** min(number - 1, 30), ROOM_WAIT_SECONDS))


def start_limit(number: int, launch_timeout: float) -> float:
    """The longest from an admission to the claim, in seconds: to wait for room, and to start once there is some."""
    return room_wait(number, launch_timeout) + launch_timeout


def decide(row: AttemptView, seen: Sight | None, *, now: dt.datetime, times: Times) -> Action:
    """The next action for `row`, which stood so before the list was begun. `seen` is None when the list does not have its worker."""
    if row.gone_at is not None:
        if seen is not None and not seen.gone:
            return Action(Verb.TERMINATE)  # its cluster was away, and it was given up
        return Action(Verb.CLEAN_UP) if row.sealed else NOTHING
    if row.fenced_at is not None or row.ended_at is not None:
        return _after_end(row, seen, now, times)
    if row.job_status in TERMINAL or row.job_attempt != row.number:
        return Action(Verb.FENCE)
    if row.claimed_at is None:
        return _before_claim(row, seen, now, times)
    return _claimed(row, seen, now, times)


@dataclass(frozen=True, slots=True)
class Silence:
    """How long a cluster has been asked in vain, and its worker not been heard of meanwhile; in seconds in which web was up.

    `heard`: the worker's last heartbeat is fresh, by the clock.
    """

    cluster_seconds: float
    worker_seconds: float
    grace_seconds: float
    heard: bool

    @property
    def over(self) -> bool:
        """Whether the grace is: nobody can say what became of the worker."""
        return min(self.cluster_seconds, self.worker_seconds) >= self.grace_seconds


def decide_away(row: AttemptView, silence: Silence, *, now: dt.datetime, times: Times) -> Action:
    """The next action for `row` while its cluster cannot be asked. Only what is safe without it: a fence holds wherever the worker is.

    A worker that has not claimed has run nothing, and fenced it never will: that is as good as gone.
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
    # One that is silent, and has not said that it leaves, may have ended in time: what it has to say is waited for until the grace is over.
    speaks = (
        silence.heard or row.interrupted_at is not None or row.job_status == JobStatus.CANCELLING
    )
    action = _claimed(row, Sight(alive=True), now, times) if speaks else NOTHING
    return (
        Action(Verb.END, FailureReason.HEARTBEAT_LOST)
        if action.verb is Verb.NOTHING and silence.over
        else action
    )


def _unclaimed_away(row: AttemptView, silence: Silence, now: dt.datetime, times: Times) -> Action:
    if row.job_status == JobStatus.CANCELLING:
        return Action(Verb.FENCE)
    late = _seconds(now, row.created_at) > start_seconds(row, times)
    return (
        Action(Verb.END, FailureReason.LAUNCH_TIMEOUT)
        if late and silence.cluster_seconds >= BLIP_SECONDS
        else NOTHING
    )


def start_seconds(row: AttemptView, times: Times) -> float:
    """How long after its admission it may claim, while its cluster cannot be asked: one that waited for room there may have some by now."""
    waited = row.launched_at is not None and _known_wait(row) in SHORTAGE_REASONS
    return start_limit(row.number, times.launch_timeout) if waited else times.launch_timeout


def _after_end(row: AttemptView, seen: Sight | None, now: dt.datetime, times: Times) -> Action:
    if seen is None or seen.gone:
        return Action(Verb.GONE)
    if (
        row.fenced_at is None
        and row.ended_at is not None
        and seen.alive
        and _seconds(now, row.ended_at) < times.worker_grace
    ):
        return NOTHING  # its finish was accepted: it is about to exit by itself
    return Action(Verb.TERMINATE)


def _before_claim(row: AttemptView, seen: Sight | None, now: dt.datetime, times: Times) -> Action:
    if row.job_status == JobStatus.CANCELLING:
        return Action(Verb.FENCE)
    if seen is not None and not seen.alive:
        return _dead_before_claim(seen)
    if seen is not None and seen.hopeless:
        return Action(Verb.END, _lost_reason(seen), seen.message)
    if (late := _late(row, seen, now, times)) is not None:
        return late
    if seen is None and row.launched_at is not None:
        return Action(
            Verb.END, FailureReason.WORKER_LOST, "Its worker vanished before it took the job."
        )
    return NOTHING  # not launched yet, or on its way: the dispatcher's sweep launches what a lost hint left behind


def _late(row: AttemptView, seen: Sight | None, now: dt.datetime, times: Times) -> Action | None:
    """Not started in time: what it waited for is the reason, where that is known.

    The time to start begins with its admission, or when it had room at last; the time to wait for room is longer.
    """
    reason = (
        _lost_reason(seen)
        if seen is not None and seen.reason
        else _known_wait(row)
        if seen is None and row.launched_at is None
        else None
    )
    limit, since, when = times.launch_timeout, row.created_at, "its admission"
    if reason in SHORTAGE_REASONS:
        limit = room_wait(row.number, limit)
    elif (
        seen is not None
        and seen.placed_at is not None
        and since < (placed_at := min(seen.placed_at, now))
    ):
        since, when = placed_at, "having room on a node"
    if _seconds(now, since) <= limit:
        return None
    late = f"did not report within {limit:.0f} s of {when}."
    if reason is None:
        return Action(Verb.END, FailureReason.LAUNCH_TIMEOUT, f"Its worker {late}")
    told = seen.message if seen is not None else str((row.waits_for or {}).get("summary", ""))
    return Action(Verb.END, reason, f"{told_never(told)} It {late}".strip())


def _known_wait(row: AttemptView) -> FailureReason | None:
    """What it was last told to wait for."""
    try:
        return FailureReason((row.waits_for or {}).get("category", ""))
    except ValueError:
        return None


def _dead_before_claim(seen: Sight) -> Action:
    """Who has not taken the job cannot have found it wanting: a database restored from a backup does not know of the claim.

    A cluster can find the worker wanting before it runs.
    """
    reason = _lost_reason(seen)
    if reason in FINAL_REASONS and reason not in CLUSTER_REASONS:
        return Action(
            Verb.END,
            FailureReason.WORKER_LOST,
            "Its worker ended, and this database does not know that it took the job.",
        )
    return Action(Verb.END, reason, seen.message or "Its worker ended before it took the job.")


def _claimed(row: AttemptView, seen: Sight | None, now: dt.datetime, times: Times) -> Action:
    assert row.claimed_at is not None
    if seen is None or not seen.alive:
        return _vanished(row, seen)
    if row.job_status == JobStatus.CANCELLING:
        asked = row.cancel_requested_at or now
        return Action(Verb.FENCE) if _seconds(now, asked) > times.cancel_grace else NOTHING
    # The worker stops at its time limit by itself, and gives its workload the same grace as on a cancel.
    if _seconds(now, row.claimed_at) > row.timeout_seconds + times.cancel_grace:
        return Action(Verb.END, FailureReason.DEADLINE_EXCEEDED)
    if (
        row.interrupted_at is not None
        and _seconds(now, row.interrupted_at) > times.interrupted_grace
    ):
        return Action(
            Verb.END, FailureReason.INTERRUPTED
        )  # it has left, whatever its cluster goes on to show
    return NOTHING  # silent but seen alive: a missed heartbeat fails nothing


def _vanished(row: AttemptView, seen: Sight | None) -> Action:
    if row.interrupted_at is not None and (
        seen is None or _lost_reason(seen) is FailureReason.WORKER_LOST
    ):
        return Action(Verb.END, FailureReason.INTERRUPTED)
    if seen is None:
        return Action(Verb.END, FailureReason.WORKER_LOST)
    return Action(Verb.END, _lost_reason(seen), seen.message)


def _lost_reason(seen: Sight) -> FailureReason:
    try:
        return FailureReason(seen.reason)
    except ValueError:
        return FailureReason.WORKER_LOST


def _seconds(now: dt.datetime, then: dt.datetime) -> float:
    return (now - then).total_seconds()
