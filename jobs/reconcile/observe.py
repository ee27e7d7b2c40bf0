"""The state of an attempt's worker, from the observation of its cluster: alive or not, and why."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from jobs.clusters.launchers.base import Evidence, Launcher, Observation
from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes import (
    Diagnosis,
    diagnose,
    is_suspended,
    never_claimed,
    node_silent,
    not_called_yet,
    placed_at,
    started_at,
    worker_runs,
)
from jobs.diagnosis.kubernetes.objects import Object
from jobs.reasons import CLUSTER_REASONS
from jobs.reconcile.attempts import resources_of
from jobs.reconcile.decide import Action, AttemptView, WorkerState

# Reasons for which the cluster knows more than a worker that received a stop signal.
STOPS = CLUSTER_REASONS - {FailureReason.VANISHED}
Pods = Sequence[Object]
LAST_BYTES = 2000  # of a log
PIECES_MAX = 64  # of a log that are read for its end, at most 256 KiB each


def state_of(observation: Observation | None) -> WorkerState | None:
    """Return the state that the observation itself shows."""
    if observation is None:
        return None
    return WorkerState(
        alive=observation.alive,
        gone=not observation.alive and observation.processes == 0,
        exit_code=observation.exit_code,
        signal=observation.signal,
        reason=observation.reason,
        message=observation.message,
        peak_memory_bytes=observation.peak_memory_bytes,
        starved_seconds=observation.starved_seconds,
    )


def diagnosed_state(
    row: AttemptView,
    observation: Observation | None,
    launcher: Launcher,
    read_kept: Callable[[], Pods],
) -> tuple[WorkerState | None, Diagnosis | None]:
    """Return the worker's state with the cluster's reason in it, and the diagnosis.

    Only attempts that wait or that ended by themselves are diagnosed. `read_kept` reads the last
    known state of the worker's pods, if it is not alive. A worker that the cluster no longer has is
    diagnosed as well: its events and the last state of its pods outlive it.
    """
    state = state_of(observation)
    if row.gone_at or row.fenced_at or row.ended_at:
        return state, None
    alive = observation is not None and observation.alive
    if row.claimed_at is not None and observation is not None and alive:
        return _running(row, state, observation), None
    interrupted = _interrupted(row, observation)
    if observation is not None and observation.reason and not interrupted:
        return state, None  # the worker itself reported this reason
    if observation is None and not row.uid:
        # Not launched yet, as far as is known. With thousands admitted at once, one request for
        # each would delay the launches.
        return state, None
    evidence = _evidence(row, observation, launcher)
    if evidence is None:
        return state, None
    state = _placed(state, evidence)
    kept = () if alive else read_kept()
    if observation is None and not (evidence.job or evidence.pods or evidence.events or kept):
        return state, None
    diagnosis = _diagnosed(row, evidence, kept, alive=alive)
    if interrupted and (diagnosis is None or diagnosis.category not in STOPS):
        diagnosis = _suspended(row, evidence)
        if diagnosis is None:
            return state, None
    if diagnosis is None:
        return _never_called(row, state, evidence)
    return _with_diagnosis(state or WorkerState(alive=False), diagnosis), diagnosis


def with_last_lines(
    row: AttemptView, state: WorkerState, launcher: Launcher, action: Action
) -> tuple[WorkerState, Action]:
    """Add log lines of a worker whose container runs and never claimed: they can show why."""
    last = b""
    try:
        pieces = launcher.tail(row.name, str(row.id), after=b"", offset=0)
        for piece in islice(pieces, PIECES_MAX):
            last = (last + piece)[-LAST_BYTES:]
    except OSError:
        return state, action
    found = never_claimed(last.decode("utf-8", "replace"))
    described = replace(state, message=found.summary, diagnosis=found.body())
    return described, replace(action, message=found.summary)


def _evidence(
    row: AttemptView, observation: Observation | None, launcher: Launcher
) -> Evidence | None:
    if observation is not None and observation.evidence is not None:
        return observation.evidence
    return launcher.evidence(row.name)


def _with_diagnosis(state: WorkerState, diagnosis: Diagnosis) -> WorkerState:
    return replace(
        state,
        reason=diagnosis.category.value,
        message=diagnosis.summary,
        stuck=diagnosis.stuck,
        diagnosis=diagnosis.body(),
        exit_code=_first(state.exit_code, diagnosis.params.get("exit_code")),
        signal=_first(state.signal, diagnosis.params.get("signal")),
    )


def _first(known: int | None, found: object) -> int | None:
    return found if known is None and isinstance(found, int) else known


def _placed(state: WorkerState | None, evidence: Evidence) -> WorkerState | None:
    """Return the state with the times at which the worker got a node and its container started."""
    if state is None:
        return None
    return replace(
        state,
        placed_at=_time(placed_at(evidence.pods)),
        started_at=_time(started_at(evidence.pods)),
    )


def _time(seconds: float) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(seconds, dt.UTC) if seconds else None


def _interrupted(row: AttemptView, observation: Observation | None) -> bool:
    """Return whether the worker reported a stop signal, to web or in its exit report."""
    unexplained = observation is None or observation.reason in ("", FailureReason.WORKER_LOST)
    return (observation is not None and observation.reason == FailureReason.INTERRUPTED) or (
        row.interrupted_at is not None and unexplained
    )


def _running(
    row: AttemptView, state: WorkerState | None, observation: Observation
) -> WorkerState | None:
    """Return the state of a claimed worker, changed for a suspended Job or a silent node.

    Workers that are ready need no diagnosis.
    """
    if state is None or observation.evidence is None:
        return state
    suspended = None if observation.evidence.pods else _suspended(row, observation.evidence)
    if suspended is not None:
        # Its pod was removed. A resumed Job makes another one, which cannot claim: this attempt
        # is over.
        return replace(
            state,
            alive=False,
            gone=False,
            reason=suspended.category.value,
            message=suspended.summary,
            diagnosis=suspended.body(),
        )
    if not observation.node_suspected:
        return state
    found = _diagnosed(row, observation.evidence, (), alive=True)
    if found is None or found.category is not FailureReason.NODE_LOST:
        return state
    silent = node_silent(str(found.params.get("node", "")))
    return replace(state, node_silent=True, diagnosis=silent.body())


def _suspended(row: AttemptView, evidence: Evidence) -> Diagnosis | None:
    """Return the diagnosis of a worker whose Job is suspended; None for any other Job."""
    if not is_suspended(evidence.job):
        return None
    found = _diagnosed(row, replace(evidence, pods=()), (), alive=True)
    return found if found is not None and found.category is FailureReason.SUSPENDED else None


def _diagnosed(
    row: AttemptView, evidence: Evidence, kept: Pods, *, alive: bool
) -> Diagnosis | None:
    resources = None if alive else resources_of(row.id)
    return diagnose(
        evidence.job,
        evidence.pods,
        evidence.events,
        nodes=evidence.nodes,
        kept=kept,
        resources=resources,
        claimed=row.claimed_at is not None,
    )


def _never_called(
    row: AttemptView, state: WorkerState | None, evidence: Evidence
) -> tuple[WorkerState | None, Diagnosis | None]:
    """Return the state and the wait of a worker for which the cluster shows no problem.

    If its container runs and has not claimed, that is its wait, and the reason of its end if it
    never claims.
    """
    runs = any(worker_runs(pod) for pod in evidence.pods)
    if state is None or not state.alive or not runs or row.claimed_at is not None:
        return state, None
    found = never_claimed()
    described = replace(
        state, reason=found.category.value, message=found.summary, diagnosis=found.body()
    )
    return described, not_called_yet()
