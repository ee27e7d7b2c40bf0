"""What a cluster's look says of an attempt, as the reconciler's decision takes it: alive or not, and why it waits or ended."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

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
    worker_runs,
)
from jobs.reasons import CLUSTER_REASONS
from jobs.reconcile.attempts import resources_of
from jobs.reconcile.decide import Action, AttemptView, WorkerState

# What a cluster knows better than the worker that was asked to stop.
STOPS = CLUSTER_REASONS - {FailureReason.VANISHED}
Pods = Sequence[Mapping[str, Any]]
LAST_BYTES = 2000  # of a log


def state_of(seen: Observation | None) -> WorkerState | None:
    """What the look itself shows."""
    if seen is None:
        return None
    return WorkerState(
        alive=seen.alive,
        gone=not seen.alive and seen.processes == 0,
        exit_code=seen.exit_code,
        signal=seen.signal,
        reason=seen.reason,
        message=seen.message,
        peak_memory_bytes=seen.peak_memory_bytes,
    )


def explained(
    row: AttemptView, seen: Observation | None, launcher: Launcher, read_kept: Callable[[], Pods]
) -> tuple[WorkerState | None, Diagnosis | None]:
    """The sight with the cluster's reason in it, and the diagnosis; asked only of attempts that wait, or ended by themselves.

    `read_kept` gives the last state seen of its pods; asked where the cluster shows none that lives.

    A worker that is nowhere is explained too: its events and the last state of its pods outlive it.
    """
    sight = state_of(seen)
    if row.gone_at or row.fenced_at or row.ended_at:
        return sight, None
    if row.claimed_at is not None and seen is not None and seen.alive:
        return _running(row, sight, seen), None
    interrupted = _interrupted(row, seen)
    if seen is not None and seen.reason and not interrupted:
        return sight, None  # the worker's own word
    if seen is None and not row.uid:
        return (
            sight,
            None,
        )  # not launched yet, as far as anybody knows: with thousands admitted at once a look each would hold up the launches
    evidence = (
        seen.evidence
        if seen is not None and seen.evidence is not None
        else launcher.evidence(row.name)
    )
    if evidence is None:
        return sight, None
    sight = _placed(sight, evidence)
    kept = () if seen is not None and seen.alive else read_kept()
    if seen is None and not (evidence.job or evidence.pods or evidence.events or kept):
        return sight, None
    told = _diagnosed(row, evidence, kept, alive=seen is not None and seen.alive)
    if interrupted and (told is None or told.category not in STOPS):
        told = _suspended(row, evidence)
        if told is None:
            return sight, None
    if told is None:
        return _silent(row, sight, evidence)
    known = sight or WorkerState(alive=False, gone=False)
    facts = {name: told.facts.get(name) for name in ("exit_code", "signal")}
    return (
        replace(
            known,
            reason=told.category.value,
            message=told.summary,
            stuck=told.stuck,
            ready=told.body(),
            exit_code=known.exit_code if known.exit_code is not None else facts["exit_code"],
            signal=known.signal if known.signal is not None else facts["signal"],
        ),
        told,
    )


def with_last_lines(
    row: AttemptView, sight: WorkerState, launcher: Launcher, action: Action
) -> tuple[WorkerState, Action]:
    """The sight and the end of a worker that runs and never claimed, with what its container printed: it may say why it cannot call."""
    try:
        piece = next(iter(launcher.tail(row.name, str(row.id), after=b"", offset=0)), b"")
    except OSError:
        return sight, action
    told = never_claimed(piece[-LAST_BYTES:].decode("utf-8", "replace"))
    late = action.message.removeprefix(sight.message).strip()
    return replace(sight, message=told.summary, ready=told.body()), replace(
        action, message=f"{told.summary} {late}".strip()
    )


def _placed(sight: WorkerState | None, evidence: Evidence) -> WorkerState | None:
    seconds = placed_at(evidence.pods)
    return (
        replace(sight, placed_at=dt.datetime.fromtimestamp(seconds, dt.UTC))
        if sight is not None and seconds
        else sight
    )


def _interrupted(row: AttemptView, seen: Observation | None) -> bool:
    """Whether its own last word is that it was asked to stop, to us or where its container left it."""
    untold = seen is None or seen.reason in ("", FailureReason.WORKER_LOST)
    return (seen is not None and seen.reason == FailureReason.INTERRUPTED) or (
        row.interrupted_at is not None and untold
    )


def _running(row: AttemptView, sight: WorkerState | None, seen: Observation) -> WorkerState | None:
    """Of a worker that has claimed: whether its Job was suspended under it, and whether the cluster hears of its node.

    Nobody is asked for those that are ready.
    """
    if sight is None or seen.evidence is None:
        return sight
    if not seen.evidence.pods and (told := _suspended(row, seen.evidence)) is not None:
        # Its pod was removed. Resumed, the Job makes another one, which may not claim: this attempt is over.
        return replace(
            sight,
            alive=False,
            gone=False,
            reason=told.category.value,
            message=told.summary,
            ready=told.body(),
        )
    if not seen.node_suspected:
        return sight
    told = _diagnosed(row, seen.evidence, (), alive=True)
    if told is None or told.category is not FailureReason.NODE_LOST:
        return sight
    return replace(
        sight, node_silent=True, ready=node_silent(str(told.facts.get("node", ""))).body()
    )


def _suspended(row: AttemptView, evidence: Evidence) -> Diagnosis | None:
    """The diagnosis of a worker whose Job is suspended, however its container ended; None where it is not."""
    if not is_suspended(evidence.job):
        return None
    told = _diagnosed(row, replace(evidence, pods=()), (), alive=True)
    return told if told is not None and told.category is FailureReason.SUSPENDED else None


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


def _silent(
    row: AttemptView, sight: WorkerState | None, evidence: Evidence
) -> tuple[WorkerState | None, Diagnosis | None]:
    """Of one that nothing is wrong with: a container that runs and does not claim is told as that, and is the reason if it never does."""
    runs = any(worker_runs(pod) for pod in evidence.pods)
    if sight is None or not sight.alive or not runs or row.claimed_at is not None:
        return sight, None
    told = never_claimed()
    return replace(
        sight, reason=told.category.value, message=told.summary, ready=told.body()
    ), not_called_yet()
