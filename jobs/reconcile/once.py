"""Reconcile passes over one cluster: over all its attempts, or over the workers that changed."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache, partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection

from jobs.clusters.launchers.base import Launcher, Observation
from jobs.clusters.rows import cluster_reached, cluster_unreachable
from jobs.contract import FailureReason
from jobs.diagnosis.kubernetes import Diagnosis
from jobs.diagnosis.stored import read_diagnosis
from jobs.logs.read import log_last_bytes
from jobs.models import Cluster
from jobs.reconcile import apply, away
from jobs.reconcile.attempts import (
    Fence,
    changed_attempts,
    database_now,
    open_attempts,
    open_fences,
)
from jobs.reconcile.clean_up import clean_up
from jobs.reconcile.decide import Action, AttemptView, Verb, WorkerState, decide
from jobs.reconcile.known_state import KnownState
from jobs.reconcile.observe import diagnosed_state, with_last_lines
from jobs.reconcile.silence import due_away
from mimir.lib.crash import crash_point

log = structlog.get_logger(__name__)
TAIL_SECONDS = 60.0


def reconcile_once(
    cluster: Cluster,
    launcher: Launcher,
    known: KnownState | None = None,
    *,
    clean_up: Callable[[Launcher, AttemptView], None] = clean_up,
) -> int:
    """Do a complete pass; return the number of attempts that another pass can move at once.

    `known`: the state that earlier passes have read. `clean_up` removes the object of a worker, at
    once or later.
    Raises: OSError when the cluster does not answer.
    """
    before = open_fences(cluster=cluster)
    now = database_now()
    observed = _observe(cluster, launcher, None)
    crash_point("reconcile.after_list")
    if cluster_reached(cluster=cluster):
        away.silence_forget(cluster=cluster)
    after = open_attempts(cluster=cluster)
    by_attempt = _by_attempt(observed)
    known = known or KnownState()
    known.keep(after, by_attempt)
    moved = 0
    for attempt_id, row in after.items():
        if before.get(attempt_id) != row.fence():
            known.unsettled.add(row.name)
            continue  # it changed meanwhile: only an unchanged row is older than the list
        moved += _step_safely(row, by_attempt.get(attempt_id), launcher, known, now)
    _orphans(observed, before, after, launcher, known, now)
    for row in known.cleanable:
        clean_up(launcher, row)
    return moved


def reconcile_workers(
    cluster: Cluster, launcher: Launcher, known: KnownState, *, names: Collection[str]
) -> int:
    """Do a pass over the workers `names`; return as `reconcile_once`.

    Reads their rows once, before the list. Each write compares its row with that read, under the
    row's lock, which also proves that the list is newer than the row. Requests to the cluster are
    sent without a lock and depend only on facts that never change back: a fence, an end, `gone_at`.
    Orphans are left to a complete pass.
    Raises: OSError when the cluster does not answer.
    """
    rows, now = changed_attempts(cluster=cluster, names=names)
    if not rows:
        return 0
    by_attempt = _by_attempt(_observe(cluster, launcher, names))
    crash_point("reconcile.after_list")
    known.keep(rows, by_attempt, complete=False)
    return sum(
        _step_safely(row, by_attempt.get(attempt_id), launcher, known, now)
        for attempt_id, row in rows.items()
    )


def _observe(
    cluster: Cluster, launcher: Launcher, names: Collection[str] | None
) -> list[Observation]:
    """Return the workers, or record that the cluster does not answer. Raises: OSError."""
    try:
        return launcher.observe(names)
    except OSError as error:
        cluster_unreachable(cluster=cluster, message=str(error))
        while_away(cluster)
        raise


def _by_attempt(observed: Sequence[Observation]) -> dict[UUID, Observation]:
    found = ((_attempt_id(each.attempt_id), each) for each in observed)
    return {attempt_id: each for attempt_id, each in found if attempt_id is not None}


def while_away(cluster: Cluster) -> int:
    """Decide about the attempts of a cluster that does not answer; return how many moved.

    The attempt of a claimed worker that is silent as well ends after the cluster's grace period.
    """
    away.silence_mark(cluster=cluster)
    moved = 0
    for attempt_id in due_away(cluster=cluster, times=apply.times()):
        try:
            moved += int(away.away_step(attempt_id=attempt_id))
        except Exception:
            log.exception("attempt step failed", attempt_id=str(attempt_id))
            connection.close()
    return moved


def _step_safely(
    row: AttemptView,
    observation: Observation | None,
    launcher: Launcher,
    known: KnownState,
    now: dt.datetime,
) -> int:
    """Decide and act; return 1 if another pass can move this attempt at once, else 0.

    A failure is logged and does not delay the other attempts.
    """
    action = Action(Verb.NOTHING)
    known.unsettled.add(row.name)
    try:
        read_kept = partial(known.pods, row.id)
        state, diagnosis = known.diagnosed_state(
            row, observation, partial(diagnosed_state, row, observation, launcher, read_kept)
        )
        action = decide(row, state, now=now, times=apply.times())
        if action.verb is Verb.END and row.claimed_at is None:
            # Web may have been unable to serve its claim: decide again with web's pauses.
            times = apply.times(unclaimed_since=row.created_at)
            action = decide(row, state, now=now, times=times)
        if action.verb is Verb.NOTHING and not (observation and observation.node_suspected):
            known.unsettled.discard(row.name)
        if action.verb is Verb.NOTHING and state is not None and state.node_silent:
            return int(away.node_silence_step(row=row, diagnosis=state.diagnosis))
        if action.verb is Verb.NOTHING:
            _record_wait(row, diagnosis)
            return 0
        if action.verb is Verb.END:
            crash_point("reconcile.decided_to_end")
        return int(_act(row, state, action, launcher, known, now, shown=observation is not None))
    except OSError as error:
        log.warning(
            "attempt step failed: cluster error",
            attempt=row.name,
            verb=action.verb,
            error=str(error)[:300],
        )
        return 0
    except Exception:
        log.exception("attempt step failed", attempt=row.name, verb=action.verb)
        connection.close()
        return 0


def _record_wait(row: AttemptView, diagnosis: Diagnosis | None) -> None:
    """Record the wait of a worker that does not start, when it has changed."""
    if row.claimed_at is not None or row.fenced_at is not None or row.ended_at is not None:
        return
    wait = diagnosis.body() if diagnosis is not None and diagnosis.waiting else None
    changed = read_diagnosis(row.waits_for) != wait
    if changed and (diagnosis is not None or row.uid):
        apply.wait_record(attempt_id=row.id, wait=wait)


def _act(
    row: AttemptView,
    state: WorkerState | None,
    action: Action,
    launcher: Launcher,
    known: KnownState,
    now: dt.datetime,
    *,
    shown: bool,
) -> bool:
    if action.verb is Verb.END:
        if not shown and not launcher.is_gone(row.name, str(row.id)):
            return False  # the list was stale: the worker exists
        if action.reason is FailureReason.NEVER_CLAIMED and state is not None:
            state, action = with_last_lines(row, state, launcher, action)
        log.info("attempt ended", attempt=row.name, reason=action.reason)
        return apply.end_if_unchanged(row=row, action=action, state=state)
    if action.verb is Verb.FENCE:
        return apply.fence_if_unchanged(row=row)
    if action.verb is Verb.TERMINATE:
        _terminate(row, launcher, now)
        return False  # nothing moved yet: a later list shows the effect
    if action.verb is Verb.GONE:
        if _gone(row, state, launcher, now, shown=shown):
            known.gone.add(row.name)
        return False  # its object is removed once its log is sealed
    known.cleanable.append(row)
    return False


def _terminate(row: AttemptView, launcher: Launcher, now: dt.datetime) -> None:
    """Send a stop signal; kill the worker after the grace period, or if its supervisor is dead."""
    requested_at = row.terminate_asked_at
    grace = apply.times().terminate_grace
    patient = requested_at is None or (now - requested_at).total_seconds() < grace
    apply.terminate_requested(row=row, at=now)
    launcher.terminate(row.name, str(row.id), grace_seconds=grace if patient else 0.0)


def _gone(
    row: AttemptView,
    state: WorkerState | None,
    launcher: Launcher,
    now: dt.datetime,
    *,
    shown: bool,
) -> bool:
    if not launcher.is_gone(row.name, str(row.id)):
        return False
    crash_point("reconcile.seen_gone")
    if shown and not row.log_closed:  # a closed log never opens again
        _append_log_rest(row, launcher, now)
    return apply.gone_if_unchanged(row=row, state=state)


def _append_log_rest(row: AttemptView, launcher: Launcher, now: dt.datetime) -> None:
    """Append the rest of a gone worker's log.

    If its node does not answer, later passes retry for TAIL_SECONDS; until then the worker's
    capacity stays in use. Raises: OSError for such a retry.
    """
    try:
        apply.log_rest_append(
            attempt_id=row.id,
            read=lambda offset: launcher.tail(
                row.name, str(row.id), after=log_last_bytes(row.id, offset), offset=offset
            ),
        )
    except OSError as error:
        since = row.fenced_at or row.ended_at or now
        if (now - since).total_seconds() < TAIL_SECONDS:
            raise
        log.warning("reading a log's rest failed", attempt=row.name, error=str(error)[:300])


def _orphans(
    observed: Sequence[Observation],
    before: Mapping[UUID, Fence],
    after: Mapping[UUID, AttemptView],
    launcher: Launcher,
    known: KnownState,
    now: dt.datetime,
) -> None:
    """Remove worker objects with our label that no open attempt owns, after ORPHAN_GRACE.

    A worker that was created after its attempt was cleaned up is such an orphan. After the restore
    of an old database, the grace period leaves time to undo the restore.
    """
    owned = before.keys() | after.keys()
    orphans = [each for each in observed if _attempt_id(each.attempt_id) not in owned]
    known.forget_orphans_except({each.name for each in orphans})
    for each in orphans:
        try:
            if known.orphaned_seconds(each.name, now) < settings.ENV.orphan_grace:
                continue
            if launcher.is_gone(each.name, each.attempt_id):
                launcher.clean_up(each.name, each.attempt_id)
            else:
                launcher.terminate(each.name, each.attempt_id, grace_seconds=0.0)
        except OSError as error:
            log.warning("removing an orphan failed", name=each.name, error=str(error)[:300])
        except Exception:
            log.exception("removing an orphan failed", name=each.name)


@lru_cache(maxsize=20_000)  # each pass needs the ids of all workers
def _attempt_id(text: str) -> UUID | None:
    """Return the id of an attempt; None if it was changed on the cluster and is invalid."""
    try:
        return UUID(text)
    except ValueError:
        return None
